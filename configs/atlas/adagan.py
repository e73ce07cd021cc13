"""AdaGAN's mixtures at random: how much of one does a plain GAN find, the more modes it has?

    python -m gan1d.main --config=configs/atlas/adagan.py:plain
    python -m gan1d.main --config=configs/atlas/adagan.py:unrolled

Tolstikhin et al. (2017, arXiv 1701.02386; tolstikhin/adagan): K normal modes around centres that
are uniform in a square of side 30, their variance less the more there are; K from 1 to 10, and 35
mixtures of each K; 64000 rows, 16 units in two hidden layers, gradient descent, 15 epochs of 1000
batches of 64. Centres here are of a generator of their own, not NumPy's of then.

Variants: `plain`; `unrolled`, five steps and tanh, which is their code's default. Either has 350
settings: ten minutes of two cores for ten seeds of `plain`.
"""

import numpy as np

from gan1d import variant as choose
from gan1d import vary

BOTH = ("generator", "discriminator")
MIXTURES = 35
HALF_SIDE = 15.0
FACTORS = {1: 3.0, 2: 3.0, 3: 8.0, 4: 20.0, 5: 10.0}  # that divide the variance, in the plane
PLAIN = {
    "target.kind": "plane_mixture",
    "target.loc": 0.0,
    "target.scale": 1.0,
    "latent.kind": "normal",
    "latent.dim": 5,
    "loss.kind": "non_saturating",
    "loss.log_floor": 0.0,
    "generator.optimizer.rate": 1e-2,
    "discriminator.optimizer.rate": 4e-3,
    "training.batch_size": 64,
    "training.data_rows": 64000,
    "steps": 15000,
    "judging.log_every": 300,
    "judging.snapshot_seeds": 1,
    "judging.generator_seeds": 0,
    "seeds": "0:100",
}
for network in BOTH:
    PLAIN |= {
        f"{network}.hidden": (16, 16),
        f"{network}.activation": "relu",
        f"{network}.kernel_init": "normal",
        f"{network}.kernel_scale": 0.8,
        f"{network}.optimizer.kind": "sgd",
    }
UNROLLED = PLAIN | {f"{network}.activation": "tanh" for network in BOTH}
VARIANTS = {"plain": PLAIN, "unrolled": UNROLLED | {"training.unrolled": 5}}


def mixtures():
    """35 of each number of modes, of equal weights."""
    random = np.random.default_rng(0)
    for modes in range(1, 11):
        std = (HALF_SIDE / FACTORS.get(modes, 3.0 * modes**2)) ** 0.5
        for _ in range(MIXTURES):
            centres = random.uniform(-HALF_SIDE, HALF_SIDE, (modes, 2)).round(2)
            yield {
                "target.weights": (1.0,) * modes,
                "target.centres": tuple(map(tuple, centres.tolist())),
                "target.stds": (round(std, 4),) * modes,
            }


def get_config(variant="plain"):
    config = choose(VARIANTS, variant)
    vary(config, list(mixtures()))
    return config
