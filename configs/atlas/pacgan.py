"""PacGAN's first table: do packs of two, three and four rows find more modes of a ring, a grid?

    python -m gan1d.main --config=configs/atlas/pacgan.py:ring
    python -m gan1d.main --config=configs/atlas/pacgan.py:grid
    python -m gan1d.main --config=configs/atlas/pacgan.py:ring-paper
    python -m gan1d.main --config=configs/atlas/pacgan.py:grid-paper

Lin et al. (2018, arXiv 1712.04086; fjxmlzn/PacGAN): G with batch normalization, D with maxout
units of five pieces, both players at once and of the same batch, 100 packs a batch, 400 epochs of
100000 fixed rows, ten trials.

The variants with `-paper` take hours a run on two cores; those without have networks of 64 units in
two hidden layers instead of four of 400 and three of 200, and 20000 updates instead of 400000.
"""

from gan1d import variant as choose
from gan1d import vary

BOTH = ("generator", "discriminator")
PACKS = 100
PAPER = {
    "target.loc": 0.0,
    "latent.kind": "normal",
    "latent.dim": 2,
    "generator.hidden": (400,) * 4,
    "generator.activation": "relu",
    "generator.norm": "batch",
    "discriminator.hidden": (200,) * 3,
    "discriminator.activation": "linear",
    "discriminator.maxout": 5,
    "loss.kind": "non_saturating",
    "loss.log_floor": 0.0,
    "training.order": "simultaneous",
    "training.fresh_batches": False,
    "training.sort": False,
    "training.data_rows": 100000,
    "steps": 400000,
    "judging.log_every": 8000,
    "judging.generator_seeds": 0,
    "seeds": "0:100",
}
for network in BOTH:
    PAPER |= {
        f"{network}.kernel_init": "normal",
        f"{network}.kernel_scale": 0.02,
        f"{network}.optimizer.kind": "adam",
        f"{network}.optimizer.rate": 1e-4,
        f"{network}.optimizer.b1": 0.8,
        f"{network}.optimizer.b2": 0.999,
    }
SMALL = PAPER | {f"{network}.hidden": (64, 64) for network in BOTH}
SMALL |= {"steps": 20000, "judging.log_every": 400}
TARGETS = {
    "ring": {"target.kind": "ring", "target.scale": 1.0, "target.noise": 0.01},
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
    config = choose(VARIANTS, variant)
    packs = [{"tricks.packing": m, "training.batch_size": m * PACKS} for m in (1, 2, 3, 4)]
    vary(config, packs)
    return config
