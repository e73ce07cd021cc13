"""AYLIEN (2016): a GAN on N(4, 0.5), plain and with minibatch discrimination, in three versions.

    python -m gan1d.main --config=configs/aylien.py:2016
    python -m gan1d.main --config=configs/aylien.py:2016-12
    python -m gan1d.main --config=configs/aylien.py:2017
    python -m gan1d.main --config=configs/aylien.py:batch_size
    python -m gan1d.main --config=configs/aylien.py:widths
    python -m gan1d.main --config=configs/aylien.py:rows

Variants: the post with its code of August 2016, the code of December 2016, the code of June 2017;
on the last one what the post only suggests: `batch_size`, does minibatch discrimination need small
batches; `widths`, must D be stronger than G; `rows`, only some rows in each distance. 200 seeds.

CPU time in seconds: 10 to 20 each for the three versions, 80 for `batch_size`, 35 for `widths`, 45
for `rows`. Expect success in at most 5% of the runs, but in 21% to 25% with 2 of 16 rows.
"""

from gan1d import variant as choose

LATEST = {
    "target.loc": 4.0,
    "target.scale": 0.5,
    "latent.low": -8.0,
    "latent.high": 8.0,
    "generator.hidden": (4,),
    "generator.activation": "softplus",
    "generator.optimizer.kind": "adam_tf1",
    "discriminator.hidden": (8, 8, 8),
    "discriminator.activation": "relu",
    "discriminator.optimizer.kind": "adam_tf1",
    "loss.log_floor": 1e-5,
    "training.batch_size": 8,
    "steps": 5000,
    "seeds": "0:200",
    "judging.log_every": 100,
    "judging.view": (-8.0, 8.0),
}
DECEMBER = (
    LATEST
    | {
        "discriminator.activation": "tanh",
        "loss.output": "sigmoid",
        "loss.log_floor": 0.0,
        "pretraining.steps": 1000,
        "training.batch_size": 12,
        "steps": 1200,
        "judging.log_every": 10,
    }
    | {
        f"{network}.optimizer.{field}": value
        for network in ("generator", "discriminator")
        for field, value in {"kind": "sgd", "decay": 0.95, "decay_steps": 150.0}.items()
    }
)
RATE = 0.005
POST = DECEMBER | {
    "tricks.minibatch_self_distance": 1.0,
    "generator.optimizer.rate": RATE,
    "discriminator.optimizer.rate": RATE,
}
BOTH = ("tricks.minibatch=off,replace",)
VARIANTS = {
    "2016": POST | {"sweep": BOTH},
    "2016-12": DECEMBER
    | {
        "sweep": (
            f"{BOTH[0]} "
            "generator.optimizer.rate=0.03,0.005 discriminator.optimizer.rate=0.03,0.005",
        )
    },
    "2017": LATEST | {"sweep": BOTH},
    "batch_size": LATEST
    | {"sweep": (*BOTH, "training.batch_size=4,8,16,32"), "judging.log_every": 500},
    "widths": LATEST
    | {
        "sweep": (
            "generator.hidden=(2,),(4,),(16,)",
            "discriminator.hidden=(2,2,2),(8,8,8),(16,16,16)",
        ),
        "judging.log_every": 500,
    },
    "rows": LATEST
    | {
        "tricks.minibatch": "replace",
        "training.batch_size": 16,
        "sweep": ("tricks.minibatch_rows=0,2,4,8",),
        "judging.log_every": 500,
    },
}


def get_config(variant="2017"):
    return choose(VARIANTS, variant)
