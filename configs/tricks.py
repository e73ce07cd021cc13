"""Training tricks, one at a time and in the pairs that papers recommend, against one plain GAN.

    python -m gan1d.main --config=configs/tricks.py:gaussian
    python -m gan1d.main --config=configs/tricks.py:mixture
    python -m gan1d.main --config=configs/tricks.py:ring
    python -m gan1d compare results/tricks

Variants are targets: a `gaussian`, a `mixture` of three modes on the line, and the `ring` of
eight Gaussians in the plane. All tricks see the same data, latents and first weights by seed.
"""

from gan1d import variant, vary

BOTH = ("generator.optimizer", "discriminator.optimizer")


def both(**fields):
    """The same of both networks' optimizers."""
    return {f"{section}.{name}": value for section in BOTH for name, value in fields.items()}


def penalty(kind, weight, **fields):
    return {"penalty.kind": kind, "penalty.weight": weight} | {
        f"penalty.{name}": value for name, value in fields.items()
    }


def dynamics(kind, **fields):
    return {"training.dynamics": kind, "training.order": "simultaneous"} | {
        f"training.{name}": value for name, value in fields.items()
    }


def loss(kind, **fields):
    return {"loss.kind": kind} | {f"loss.{name}": value for name, value in fields.items()}


STEPS_5 = {"training.d_steps": 5}
CLIPPED = {"discriminator.weight_clip": 0.1}
SPECTRAL = {"discriminator.spectral_norm": "on", "discriminator.output_scale": 4.0}
GRADIENT = penalty("gradient", 0.1)  # as in Gulrajani et al.'s own toys
AVERAGED = {"averages.ema": 0.99}
TRICKS = (
    {},
    # Losses.
    loss("saturating"),
    loss("least_squares"),
    loss("hinge"),
    loss("relativistic"),
    loss("relativistic_average"),
    loss("alpha_saturating", alpha_d=0.5),
    loss("f_kl"),
    loss("f_reverse_kl"),
    loss("f_pearson"),
    loss("mmd"),
    loss("energy"),
    {"loss.label_smoothing": 0.1},
    {"loss.flips": 0.05},
    loss("wasserstein") | CLIPPED | STEPS_5,
    loss("wasserstein") | GRADIENT | STEPS_5,
    loss("wasserstein") | SPECTRAL,
    loss("wasserstein") | penalty("fisher", 1e-6) | STEPS_5,
    loss("hinge") | SPECTRAL,
    loss("hinge") | GRADIENT,
    loss("relativistic") | penalty("r1_r2", 0.1),
    # Penalties and norms.
    penalty("r1", 0.1),
    penalty("r2", 0.1),
    penalty("r1_r2", 0.1),
    penalty("r1", 1.0, every=4),
    GRADIENT,
    penalty("zero_centred", 0.1, through="sigmoid"),
    penalty("dragan", 0.1),
    penalty("jensen_shannon", 0.1),
    penalty("jensen_shannon", 2.0, fade_steps=5000.0),
    penalty("lecam", 0.3),
    SPECTRAL,
    {"generator.norm": "batch"},
    {"discriminator.norm": "layer"},
    {"discriminator.dropout": 0.2},
    both(weight_decay=0.01),
    {"tricks.instance_noise": 0.2},
    {"tricks.instance_noise": 0.5, "tricks.noise_fade_steps": 5000.0},
    # Diversity.
    {"tricks.packing": 2},
    {"tricks.packing": 4},
    {"tricks.minibatch": "append"},
    {"tricks.minibatch_std": 4},
    {"diversity.kind": "mode_seeking", "diversity.weight": 0.1},
    {"tricks.top_k": 0.5},
    {"tricks.feature_matching": "mean"},
    {"training.unrolled": 5},
    # Optimisation.
    {"training.order": "simultaneous"},
    STEPS_5,
    {"discriminator.optimizer.rate": 4e-3},
    {"generator.optimizer.rate": 2.5e-4},
    both(b1=0.9),
    both(b1=-0.5),
    both(kind="rmsprop"),
    both(kind="optimistic_adam"),
    dynamics("extragradient"),
    dynamics("extragradient", fresh_halves=True),
    dynamics("consensus", dynamics_weight=1.0),
    dynamics("symplectic", dynamics_weight=0.5),
    {"averages.lookahead": 5.0},
    AVERAGED,
    both(schedule="cosine", decay=0.01, decay_steps=5000.0),
    # Pairs.
    penalty("r1", 0.1) | AVERAGED,
    penalty("r1", 0.1) | {"tricks.packing": 2},
    penalty("r1", 0.1) | both(schedule="cosine", decay=0.01, decay_steps=5000.0),
)

PLAIN = {
    "latent.kind": "normal",
    "training.sort": False,
    "training.batch_size": 64,
    "generator.activation": "relu",
    "generator.kernel_init": "he_normal",
    "discriminator.activation": "leaky_relu",
    "discriminator.kernel_init": "he_normal",
    "steps": 5000,
    "seeds": "0:100",
} | both(kind="adam", rate=1e-3, b1=0.5)
SMALL = {"generator.hidden": (16,), "discriminator.hidden": (16, 16)}
TARGETS = {
    "gaussian": SMALL | {"target.loc": 4.0, "target.scale": 0.5},
    "mixture": SMALL
    | {
        "target.kind": "mixture",
        "target.loc": 0.0,
        "target.scale": 1.0,
        "target.weights": (0.3, 0.4, 0.3),
        "target.means": (-3.0, 0.0, 3.0),
        "target.stds": (0.5, 0.5, 0.5),
    },
    "ring": {
        "target.kind": "ring",
        "target.loc": 0.0,
        "target.scale": 2.0,
        "target.noise": 0.05,
        "latent.dim": 2,
        "generator.hidden": (24, 24),
        "discriminator.hidden": (24, 24),
    },
}


VARIANTS = {name: PLAIN | fields for name, fields in TARGETS.items()}


def get_config(target="gaussian"):
    config = variant(VARIANTS, target)
    vary(config, TRICKS)
    return config
