"""The toys of WGAN-GP: a critic whose weights are clipped, or whose slope is penalised?

    python -m gan1d.main --config=configs/atlas/wgan_gp.py:ring
    python -m gan1d.main --config=configs/atlas/wgan_gp.py:grid
    python -m gan1d.main --config=configs/atlas/wgan_gp.py:roll
    python -m gan1d.main --config=configs/atlas/wgan_gp.py:ring-paper
    python -m gan1d.main --config=configs/atlas/wgan_gp.py:grid-paper
    python -m gan1d.main --config=configs/atlas/wgan_gp.py:roll-paper

Gulrajani et al. (2017, arXiv 1704.00028; gan_toy.py of igul222/improved_wgan_training): a ring of
eight, a grid of 25 of which there are 100000 rows, and a Swiss roll, all of a std of about one;
three hidden layers, five steps of the critic, batches of 256, a penalty of 0.1 with Adam, or
weights within 0.01 with TensorFlow's RMSProp. Their last layers have first weights of their own
(Glorot's), and the paper's figure trains critics alone, against the data with noise.

The variants with `-paper` have 512 units in each layer and take hours a run on two cores; those
without have 32, and 20000 updates of 128 rows instead of 100000.
"""

import math

from gan1d import variant as choose
from gan1d import vary

BOTH = ("generator", "discriminator")
PAPER = {
    "target.loc": 0.0,
    "latent.kind": "normal",
    "latent.dim": 2,
    "loss.kind": "wasserstein",
    "training.batch_size": 256,
    "training.d_steps": 5,
    "steps": 100000,
    "judging.log_every": 2000,
    "judging.generator_seeds": 0,
    "seeds": "0:100",
}
for network in BOTH:
    PAPER |= {
        f"{network}.hidden": (512,) * 3,
        f"{network}.activation": "relu",
        f"{network}.kernel_init": "he_uniform",
    }
SMALL = PAPER | {f"{network}.hidden": (32,) * 3 for network in BOTH}
SMALL |= {"training.batch_size": 128, "steps": 20000, "judging.log_every": 400}
OUTERMOST = 4.5 * math.pi  # the roll's radius
TARGETS = {
    "ring": {"target.kind": "ring", "target.scale": 2 / 1.414, "target.noise": 0.01},
    "grid": {
        "target.kind": "grid",
        "target.scale": 2 / 2.828,
        "target.noise": 0.025,
        "target.modes": 5,
        "training.data_rows": 100000,
    },
    "roll": {
        "target.kind": "spiral",
        "target.scale": OUTERMOST / 7.5,
        "target.noise": 0.25 / OUTERMOST,
    },
}
VARIANTS = {name: SMALL | target for name, target in TARGETS.items()}
VARIANTS |= {f"{name}-paper": PAPER | target for name, target in TARGETS.items()}


def both(**fields):
    """The same of both optimizers."""
    return {
        f"{network}.optimizer.{name}": value for network in BOTH for name, value in fields.items()
    }


METHODS = {
    "clipped, by RMSProp": {"discriminator.weight_clip": 0.01}
    | both(kind="rmsprop", rate=5e-5, rms_decay=0.9, rms_initial=1.0, epsilon=1e-10),
    "penalised, by Adam": {"penalty.kind": "gradient", "penalty.weight": 0.1}
    | both(kind="adam", rate=1e-4, b1=0.5, b2=0.9),
}


def get_config(variant="ring"):
    config = choose(VARIANTS, variant)
    vary(config, METHODS)
    return config
