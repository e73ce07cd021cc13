"""Gradient penalties around 0 and around 1 on a ring, beside a plain GAN.

    python -m gan1d.main --config=configs/atlas/zero_gp.py:small
    python -m gan1d.main --config=configs/atlas/zero_gp.py:paper

Thanh-Tung et al. (2019, arXiv 1902.03984; htt210/GeneralizationAndStabilityInGANs): a ring of eight
of radius 7.07 whose modes have stds of 0.014, three hidden layers of 64 units, PyTorch's first
weights, gradient descent with rates of 3e-3, D's slope penalised where D is a probability, by 10.

Variants: `paper`, half an hour of two cores for 32 seeds; `small`, 32 units and 10000 updates
instead of 20000.
"""

from gan1d import variant as choose
from gan1d import vary

BOTH = ("generator", "discriminator")
STDEV = 1.414  # all rows are divided by it
RADIUS, STD = 10.0, 0.02
PAPER = {
    "target.kind": "ring",
    "target.loc": 0.0,
    "target.scale": RADIUS / STDEV,
    "target.noise": STD / RADIUS,
    "latent.kind": "normal",
    "latent.dim": 2,
    "loss.kind": "non_saturating",
    "loss.log_floor": 0.0,
    "training.batch_size": 128,
    "steps": 20000,
    "judging.log_every": 400,
    "judging.generator_seeds": 0,
    "seeds": "0:100",
}
for network in BOTH:
    PAPER |= {
        f"{network}.hidden": (64,) * 3,
        f"{network}.activation": "relu",
        f"{network}.kernel_init": "torch_linear",
        f"{network}.optimizer.kind": "sgd",
        f"{network}.optimizer.rate": 3e-3,
    }
VARIANTS = {
    "small": PAPER
    | {f"{network}.hidden": (32,) * 3 for network in BOTH}
    | {"steps": 10000, "judging.log_every": 200},
    "paper": PAPER,
}
WEIGHED = {"penalty.weight": 10.0, "penalty.through": "sigmoid"}
PENALTIES = {
    "no penalty": {},
    "penalty around 0": {"penalty.kind": "zero_centred"} | WEIGHED,
    "penalty around 1": {"penalty.kind": "gradient"} | WEIGHED,
}


def get_config(variant="small"):
    config = choose(VARIANTS, variant)
    vary(config, PENALTIES)
    return config
