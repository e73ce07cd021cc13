"""Unrolled GANs on a ring: do more unrolled steps of D find more modes?

    python -m gan1d.main --config=configs/atlas/unrolled.py:small
    python -m gan1d.main --config=configs/atlas/unrolled.py:paper

Metz et al. (2017, arXiv 1611.02163), figure 2, as in the code of Nagarajan & Kolter (2017,
locuslab/gradient_regularized_gan), which follows the paper: a ring of radius 2, latents of 256
dimensions, a small D against a larger G, saturating losses, k = 0, 1, 5, 10 unrolled steps. Their D
is shown a quarter of each row. It is the same to let all rows be four times smaller: the ring, and
what G gives.

Variants: `paper`, a day of two cores or half an hour of a large GPU; `small`, 16 latents instead
of 256, 64 units instead of 128 in each layer, and 128 rows instead of 512.
"""

from gan1d import variant as choose

BOTH = ("generator", "discriminator")
PAPER = {
    "target.kind": "ring",
    "target.loc": 0.0,
    "target.scale": 0.5,
    "target.noise": 0.01,
    "latent.kind": "normal",
    "latent.dim": 256,
    "generator.hidden": (128, 128),
    "generator.output_scale": 0.25,
    "discriminator.hidden": (128,),
    "loss.kind": "saturating",
    "loss.log_floor": 0.0,
    "training.batch_size": 512,
    "steps": 25000,
    "judging.log_every": 500,
    "judging.generator_seeds": 0,
    "seeds": "0:100",
    "sweep": ("training.unrolled=0,1,5,10",),
}
for network in BOTH:
    PAPER |= {
        f"{network}.activation": "relu",
        f"{network}.kernel_init": "orthogonal",
        f"{network}.kernel_scale": 0.8,
        f"{network}.optimizer.kind": "adam",
        f"{network}.optimizer.rate": 1e-4,
        f"{network}.optimizer.b1": 0.5,
        f"{network}.optimizer.b2": 0.999,
    }
VARIANTS = {
    "small": PAPER
    | {"latent.dim": 16, "generator.hidden": (64, 64), "discriminator.hidden": (64,)}
    | {"training.batch_size": 128},
    "paper": PAPER,
}


def get_config(variant="small"):
    return choose(VARIANTS, variant)
