"""Alpha-GANs on a ring: do losses below alpha_D = 1 find all eight modes more often?

    python -m gan1d.main --config=configs/atlas/alpha_gan.py:small
    python -m gan1d.main --config=configs/atlas/alpha_gan.py:paper

Welfert et al. (2023, arXiv 2302.14320, 2310.18291; SankarLab/AlphaGan-Papers-Results): saturating
losses with alpha_G = 1 and alpha_D from 0.5 to 1, which is the ordinary GAN; 200 seeds. All seeds
have the same 50000 rows of data and the same 50000 latents; D's step and G's have the same of
both. Theirs counts modes over 25000 samples of these latents: gan1d over 2500 of the normal
distribution.

Variants: `paper`, three weeks of two cores, or some hours of a large GPU; `small`, networks of 64
units in two hidden layers instead of four of 400 and 200, and 20000 updates instead of 156400.
"""

from gan1d import variant as choose

BOTH = ("generator", "discriminator")
PAPER = {
    "target.kind": "ring",
    "target.loc": 0.0,
    "target.scale": 1.0,
    "target.noise": 0.01,
    "latent.kind": "normal",
    "latent.dim": 2,
    "generator.hidden": (400,) * 4,
    "generator.activation": "relu",
    "discriminator.hidden": (200,) * 4,
    "discriminator.activation": "leaky_relu",
    "loss.kind": "alpha_saturating",
    "loss.log_floor": 1e-7,
    "training.batch_size": 128,
    "training.fresh_batches": False,
    "training.data_rows": 50000,
    "training.data_set": "same",
    "training.finite_latents": True,
    "steps": 156400,  # 400 epochs
    "judging.log_every": 3128,
    "judging.generator_seeds": 0,
    "seeds": "0:200",
    "sweep": ("loss.alpha_d=1,0.9,0.8,0.7,0.6,0.5",),
}
for network in BOTH:
    PAPER |= {
        f"{network}.kernel_init": "torch_linear",
        f"{network}.optimizer.kind": "adam",
        f"{network}.optimizer.rate": 1e-4,
        f"{network}.optimizer.b1": 0.9,
        f"{network}.optimizer.b2": 0.999,
    }
VARIANTS = {
    "small": PAPER
    | {"generator.hidden": (64, 64), "discriminator.hidden": (64, 64)}
    | {"steps": 20000, "judging.log_every": 400, "seeds": "0:100"},
    "paper": PAPER,
}


def get_config(variant="small"):
    return choose(VARIANTS, variant)
