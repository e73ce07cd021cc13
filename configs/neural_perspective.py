"""Neural Perspective (2016): Jang's GAN, wider, on N(0, 1), and improved techniques for it.

    python -m gan1d.main --config=configs/neural_perspective.py:gan
    python -m gan1d.main --config=configs/neural_perspective.py:feature_matching
    python -m gan1d.main --config=configs/neural_perspective.py:matching_momentum
    python -m gan1d.main --config=configs/neural_perspective.py:minibatch
    python -m gan1d.main --config=configs/neural_perspective.py:k
    python -m gan1d.main --config=configs/neural_perspective.py:sort
    python -m gan1d.main --config=configs/neural_perspective.py:optimizer

Variants: `gan`, the first post, with the latents' jitter as its code and as its text has it;
`feature_matching`, the second post's, in four forms and beside none, all with its code's Adam for
G; `matching_momentum`, with the first post's momentum instead; `minibatch`, with the projection
drawn as AYLIEN's and as all other weights; `k`, one or five steps of D an update; `sort`, paired
matching of sorted and of unsorted rows (it changes nothing else); `optimizer`, which the first post
calls fragile. 200 seeds, batches of 200. The posts train for 10000 updates: so do `gan` and `k`;
the matching variants stop at 5000, `minibatch` at 1500 and `optimizer` at 2500, to save time.

CPU time in minutes: 1 for `gan`, 1.5 each for `feature_matching` and `optimizer`, 2 for `k`, less
for `sort` and `matching_momentum`, 10 or more for `minibatch`. Expect success in 4 of 5 runs of
`gan`; in nearly all with Adam and matching of sorted rows, in hardly any of unsorted ones.
"""

from gan1d import variant as choose

OPTIMIZER = {
    "kind": "momentum",
    "momentum": 0.6,
    "rate": 0.001,
    "decay": 0.95,
    "decay_steps": 2500.0,
}
GAN = {
    "target.loc": 0.0,
    "target.scale": 1.0,
    "latent.low": -3.0,
    "latent.high": 3.0,
    "generator.hidden": (10, 10),
    "generator.activation": "tanh",
    "generator.output_activation": "tanh",
    "generator.output_scale": 5.0,
    "discriminator.hidden": (10, 10),
    "discriminator.activation": "tanh",
    "discriminator.output_activation": "tanh",
    "loss.output": "probability",
    "loss.clip": 0.01,
    "loss.log_floor": 0.0,
    "pretraining.steps": 1000,
    "pretraining.low": -3.0,
    "pretraining.high": 3.0,
    "training.batch_size": 200,
    "steps": 10_000,
    "seeds": "0:200",
    "judging.log_every": 500,
    "judging.view": (-5.0, 5.0),
} | {
    f"{network}.optimizer.{field}": value
    for network in ("generator", "discriminator")
    for field, value in OPTIMIZER.items()
}
# The second post's code minimises the matching loss with this.
G_ADAM = {
    "steps": 5000,
    "generator.optimizer.kind": "adam_tf1",
    "generator.optimizer.rate": 0.001,
    "generator.optimizer.decay": 1.0,
}
MINIBATCH = {
    "generator.hidden": (10,),
    "generator.activation": "softplus",
    "generator.output_activation": "linear",
    "discriminator.hidden": (20, 20),
    "tricks.minibatch": "append",
}
VARIANTS = {
    "gan": GAN | {"sweep": ("latent.jitter=0.01,1",)},
    "feature_matching": GAN
    | G_ADAM
    | {
        "sweep": (
            "tricks.feature_matching=off,paired,paired,paired_squared,mean "
            "tricks.feature_matching_trains=g,g,g_and_features,g,g",
        )
    },
    "matching_momentum": GAN | {"steps": 5000, "tricks.feature_matching": "paired"},
    "minibatch": GAN
    | MINIBATCH
    | {
        "steps": 1500,
        "judging.log_every": 125,
        "sweep": ("tricks.minibatch_init_scale=0.02,1",),
    },
    "k": GAN | {"sweep": ("training.d_steps=1,5",)},
    "sort": GAN
    | G_ADAM
    | {"tricks.feature_matching": "paired", "sweep": ("training.sort=True,False",)},
    "optimizer": {
        name: value
        for name, value in GAN.items()
        if not name.endswith(("optimizer.kind", "optimizer.rate"))
    }
    | {
        "steps": 2500,
        "judging.log_every": 125,
        "sweep": (
            "generator.optimizer.kind=sgd,momentum,rmsprop,adam "
            "discriminator.optimizer.kind=sgd,momentum,rmsprop,adam",
            "generator.optimizer.rate=0.001,0.003,0.01 "
            "discriminator.optimizer.rate=0.001,0.003,0.01",
        ),
    },
}


def get_config(variant="gan"):
    return choose(VARIANTS, variant)
