"""The numerics of GANs on a ring: at once, in turn, or by consensus?

    python -m gan1d.main --config=configs/atlas/numerics.py:small
    python -m gan1d.main --config=configs/atlas/numerics.py:paper

Mescheder et al. (2017, arXiv 1705.10461; LMescheder/TheNumericsOfGANs): a ring of radius 1, four
hidden layers of 16 units in both networks, TensorFlow's RMSProp, batches of 512 with as many rows
of each mode. Where both players move at once they have the same batch.

Variants: `paper`, four hours of two cores; `small`, 10000 updates instead of 50000, and 128 rows.
"""

from gan1d import variant as choose
from gan1d import vary

BOTH = ("generator", "discriminator")
PAPER = {
    "target.kind": "ring",
    "target.loc": 0.0,
    "target.scale": 1.0,
    "target.noise": 0.01,
    "latent.kind": "normal",
    "latent.dim": 16,
    "loss.kind": "non_saturating",
    "loss.log_floor": 0.0,
    "training.batch_size": 512,
    "training.strata": 8,
    "steps": 50000,
    "judging.log_every": 1000,
    "judging.generator_seeds": 0,
    "seeds": "0:100",
}
for network in BOTH:
    PAPER |= {
        f"{network}.hidden": (16,) * 4,
        f"{network}.activation": "relu",
        f"{network}.kernel_init": "glorot_uniform",
        f"{network}.optimizer.kind": "rmsprop",
        f"{network}.optimizer.rate": 1e-4,
        f"{network}.optimizer.rms_decay": 0.9,
        f"{network}.optimizer.rms_initial": 1.0,
        f"{network}.optimizer.epsilon": 1e-10,
    }
VARIANTS = {
    "small": PAPER | {"training.batch_size": 128, "steps": 10000, "judging.log_every": 200},
    "paper": PAPER,
}
AT_ONCE = {"training.order": "simultaneous", "training.fresh_batches": False}
METHODS = {
    "gradients, at once": AT_ONCE,
    "gradients, in turn": {"training.order": "alternating"},
    "consensus": AT_ONCE | {"training.dynamics": "consensus", "training.dynamics_weight": 10.0},
}


def get_config(variant="small"):
    config = choose(VARIANTS, variant)
    vary(config, METHODS)
    return config
