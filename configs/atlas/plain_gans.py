"""Why one paper's plain GAN finds six modes of a ring and another's one: a factor at a time.

    python -m gan1d.main --config=configs/atlas/plain_gans.py
    python -m gan1d effects results/plain_gans

The baselines of PacGAN's table (Lin et al. 2018, arXiv 1712.04086) and of VEEGAN's and GDPP's
(Srivastava et al. 2017; Elfeki et al. 2019, arXiv 1812.00068) are both plain GANs, on the same two
targets. They differ in G's batch normalization, the latents, the units, the first weights, and
Adam. Here are all 32 combinations, in networks of 64 units in two hidden layers, trained for 10000
updates with 100 rows, on the ring of eight. PacGAN's D has maxout units of five pieces; here they
are two. GDPP's latents have 256 dimensions; here they have 16. VEEGAN's set-up is known in part
only, so it is GDPP's code that stands for it.
"""

from gan1d import variant, vary

BOTH = ("generator", "discriminator")
PLAIN = {
    "target.kind": "ring",
    "target.loc": 0.0,
    "target.scale": 1.0,
    "target.noise": 0.01,
    "latent.kind": "normal",
    "generator.hidden": (64, 64),
    "discriminator.hidden": (64, 64),
    "generator.optimizer.kind": "adam",
    "discriminator.optimizer.kind": "adam",
    "loss.kind": "non_saturating",
    "loss.log_floor": 0.0,
    "training.order": "simultaneous",
    "training.fresh_batches": False,
    "training.batch_size": 100,
    "steps": 10000,
    "judging.log_every": 250,
    "judging.generator_seeds": 0,
    "seeds": "0:100",
}


def first_weights(kind, scale):
    """The same of both networks."""
    each = {"kernel_init": kind, "kernel_scale": scale}
    return {f"{network}.{name}": value for network in BOTH for name, value in each.items()}


def adam(g_rate, d_rate, b1):
    rates = {"generator.optimizer.rate": g_rate, "discriminator.optimizer.rate": d_rate}
    return rates | {f"{network}.optimizer.b1": b1 for network in BOTH}


# Of each pair PacGAN's comes first.
UNITS = (
    {
        "generator.activation": "relu",
        "discriminator.activation": "linear",
        "discriminator.maxout": 2,
    },
    {"generator.activation": "tanh", "discriminator.activation": "tanh", "discriminator.maxout": 1},
)
FACTORS = (
    ({"generator.norm": "batch"}, {"generator.norm": "off"}),
    ({"latent.dim": 2}, {"latent.dim": 16}),
    UNITS,
    (first_weights("normal", 0.02), first_weights("orthogonal", 1.4)),
    (adam(1e-4, 1e-4, 0.8), adam(1e-3, 1e-4, 0.5)),
)


def get_config():
    config = variant({"ring": PLAIN}, "ring")
    for factor in FACTORS:
        vary(config, factor)
    return config
