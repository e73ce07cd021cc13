"""RS-GAN's two clusters on a line: does a relativistic loss find both where the GAN's does not?

    python -m gan1d.main --config=configs/atlas/rs_gan.py:paper
    python -m gan1d.main --config=configs/atlas/rs_gan.py:widths

Sun, Fang & Schwing (2020, arXiv 2011.04926; AilsaF/RS-GAN, GAN2_2Cluster.py): 50 rows in each of
two clusters, within (0, 0.3) and (4, 4.3), and 100 latents within (-5, 5), the same pairs of them
in every step; ten steps of D and ten of G an update, 5000 updates by momentum, PyTorch's first
weights. JS-GAN is the non-saturating GAN, with half of D's loss: here half of D's rate, which is
the same. Each seed has data and latents of its own.

Variants: `paper`, D of ten units and G of five in two hidden layers; `widths`, both of 5, 10, 20
and 40.
"""

from gan1d import variant as choose
from gan1d import vary

BOTH = ("generator", "discriminator")
ROWS = 100
RATE = 1e-2
PAPER = {
    "target.kind": "uniform_mixture",
    "target.loc": 0.0,
    "target.scale": 1.0,
    "target.weights": (0.5, 0.5),
    "target.means": (0.15, 4.15),
    "target.half_widths": (0.15, 0.15),
    "latent.kind": "uniform",
    "latent.low": -5.0,
    "latent.high": 5.0,
    "generator.hidden": (5, 5),
    "generator.activation": "tanh",
    "discriminator.hidden": (10, 10),
    "discriminator.activation": "sigmoid",
    "loss.log_floor": 0.0,
    "training.batch_size": ROWS,
    "training.d_steps": 10,
    "training.g_steps": 10,
    "training.sort": False,
    "training.data_rows": ROWS,
    "training.finite_latents": True,
    "training.full_batch": True,
    "training.strata": 2,
    "steps": 5000,
    "judging.log_every": 100,
    "seeds": "0:100",
}
for network in BOTH:
    PAPER |= {
        f"{network}.kernel_init": "torch_linear",
        f"{network}.optimizer.kind": "momentum",
        f"{network}.optimizer.momentum": 0.9,
        f"{network}.optimizer.rate": RATE,
    }
WIDTHS = {
    f"{units} units": {f"{network}.hidden": (units, units) for network in BOTH}
    for units in (5, 10, 20, 40)
}
VARIANTS = {"paper": PAPER, "widths": PAPER}
LOSSES = {
    "GAN's loss": {"loss.kind": "non_saturating", "discriminator.optimizer.rate": RATE / 2},
    "relativistic loss": {"loss.kind": "relativistic"},
}


def get_config(variant="paper"):
    config = choose(VARIANTS, variant)
    if variant == "widths":
        vary(config, WIDTHS)
    vary(config, LOSSES)
    return config
