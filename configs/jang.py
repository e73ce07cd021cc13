"""Jang (2016), the root of the family: a tanh GAN on N(-1, 1), D pretrained on the density.

    python -m gan1d.main --config=configs/jang.py:post
    python -m gan1d.main --config=configs/jang.py:pretraining

Variants: `post` (the default) and `pretraining`, with and without that stage. 200 seeds of 10000
updates of batches of 200. `post` took 22 CPU seconds, `pretraining` 40; expect losses that settle
at 2 log 2 and log 2, and a success in half of the runs or some more, with or without the stage.
"""

from gan1d import variant as choose

SETTING = {
    "target.loc": -1.0,
    "target.scale": 1.0,
    "latent.low": -5.0,
    "latent.high": 5.0,
    "generator.hidden": (6, 5),
    "generator.activation": "tanh",
    "generator.output_activation": "tanh",
    "generator.output_scale": 5.0,
    "discriminator.hidden": (6, 5),
    "discriminator.activation": "tanh",
    "discriminator.output_activation": "tanh",
    "loss.output": "probability",
    "loss.clip": 0.01,
    "loss.log_floor": 0.0,
    "pretraining.low": -5.0,
    "pretraining.high": 5.0,
    "training.batch_size": 200,
    "steps": 10_000,
    "seeds": "0:200",
    "judging.log_every": 500,
    "judging.view": (-5.0, 5.0),
} | {
    f"{network}.optimizer.{field}": value
    for network in ("generator", "discriminator")
    for field, value in {
        "kind": "momentum",
        "momentum": 0.6,
        "rate": 0.001,
        "decay": 0.95,
        "decay_steps": 2500.0,
    }.items()
}
VARIANTS = {
    "post": SETTING | {"pretraining.steps": 1000},
    "pretraining": SETTING | {"sweep": ("pretraining.steps=0,1000",)},
}


def get_config(variant="post"):
    return choose(VARIANTS, variant)
