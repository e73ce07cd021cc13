"""The GAN that VEEGAN's and GDPP's tables begin with, plain and unrolled, on a ring and a grid.

    python -m gan1d.main --config=configs/atlas/gdpp.py:ring
    python -m gan1d.main --config=configs/atlas/gdpp.py:seven
    python -m gan1d.main --config=configs/atlas/gdpp.py:grid
    python -m gan1d.main --config=configs/atlas/gdpp.py:ring-paper
    python -m gan1d.main --config=configs/atlas/gdpp.py:seven-paper
    python -m gan1d.main --config=configs/atlas/gdpp.py:grid-paper

As in GDPP's code (Elfeki et al. 2019, arXiv 1812.00068; M-Elfeki/GDPP): VEEGAN's own (Srivastava et
al. 2017) is known in part only. Its ring has its modes at linspace(0, 2 pi, 8), both ends included:
seven modes, of which one counts double. Here are a `ring` of eight, that one, `seven`, and the
`grid` of 25.

The variants with `-paper` take about a day of two cores each, or half an hour of a large GPU; those
without have 16 latents instead of 256, 64 units instead of 128 in each layer, and 128 rows instead
of 512.
"""

import math

from gan1d import variant as choose

BOTH = ("generator", "discriminator")
PAPER = {
    "target.loc": 0.0,
    "latent.kind": "normal",
    "latent.dim": 256,
    "loss.kind": "non_saturating",
    "loss.log_floor": 0.0,
    "training.order": "simultaneous",
    "training.fresh_batches": False,
    "training.batch_size": 512,
    "generator.optimizer.rate": 1e-3,
    "discriminator.optimizer.rate": 1e-4,
    "steps": 25000,
    "judging.log_every": 500,
    "judging.generator_seeds": 0,
    "seeds": "0:100",
    "sweep": ("training.unrolled=0,5",),
}
for network in BOTH:
    PAPER |= {
        f"{network}.hidden": (128, 128),
        f"{network}.activation": "tanh",
        f"{network}.kernel_init": "orthogonal",
        f"{network}.kernel_scale": 1.4,
        f"{network}.optimizer.kind": "adam",
        f"{network}.optimizer.b1": 0.5,
        f"{network}.optimizer.b2": 0.999,
    }
SMALL = PAPER | {"latent.dim": 16, "training.batch_size": 128}
SMALL |= {f"{network}.hidden": (64, 64) for network in BOTH}
ANGLES = [2 * math.pi * k / 7 for k in range(7)]
TARGETS = {
    "ring": {"target.kind": "ring", "target.scale": 1.0, "target.noise": 0.01},
    "seven": {
        "target.kind": "plane_mixture",
        "target.scale": 1.0,
        "target.centres": tuple((math.cos(angle), math.sin(angle)) for angle in ANGLES),
        "target.weights": (2.0,) + (1.0,) * 6,
        "target.stds": (0.01,) * 7,
    },
    "grid": {
        "target.kind": "grid",
        "target.scale": 2.0,
        "target.noise": 0.025,
        "target.modes": 5,
    },
}
VARIANTS = {name: SMALL | target for name, target in TARGETS.items()}
VARIANTS |= {f"{name}-paper": PAPER | target for name, target in TARGETS.items()}


def get_config(variant="ring"):
    return choose(VARIANTS, variant)
