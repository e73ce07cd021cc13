"""Games of two numbers whose every update is known: a point theta against D(x) = psi x.

    python -m gan1d.main --config=configs/games.py:dirac
    python -m gan1d.main --config=configs/games.py:bilinear
    python -m gan1d.main --config=configs/games.py:quadratic
    python -m gan1d.main --config=configs/games.py:stochastic
    python -m gan1d games results/games-dirac --draw

Variants: `dirac`, the zoo of Mescheder et al. (2018, arXiv 1801.04406) in three orders of steps;
`bilinear`, where the losses are psi theta and its negative, by every dynamics; `quadratic`, where
each player also pulls its own number to 0; `stochastic`, the bilinear game with data around 0. All
begin at theta = 1 and psi = -1, and take 500 steps of 0.2. The data of all but the last are at 0
(as far as float32 can tell), so that seeds would not differ, and there is one.

A point has no width, and W1 is in stds of a target that has hardly any: the thresholds of verdicts
are set so that within 0.01 of it is a success, and within 1 near (but for `stochastic`, whose data
differ). What tells more is `equilibrium_distance`; docs/games.md has it beside theory's. On two
cores each takes 10 to 40 s, most of it compiling.
"""

from gan1d import variant as choose
from gan1d import vary

BOTH = ("generator.optimizer", "discriminator.optimizer")


def both(**fields):
    """The same of both players' optimizers."""
    return {f"{section}.{name}": value for section in BOTH for name, value in fields.items()}


def training(**fields):
    return {f"training.{name}": value for name, value in fields.items()}


def at_once(dynamics="gradient", **fields):
    return training(order="simultaneous", dynamics=dynamics, **fields)


def loss(kind, **fields):
    return {"loss.kind": kind} | fields


def penalty(kind, weight):
    return {"penalty.kind": kind, "penalty.weight": weight}


GAME = {
    "target.loc": 0.0,
    "generator.kind": "point",
    "generator.kernel_init": "ones",
    "generator.kernel_scale": 1.0,
    "discriminator.hidden": (),
    "discriminator.bias": False,
    "discriminator.kernel_init": "ones",
    "discriminator.kernel_scale": -1.0,
    "training.batch_size": 2,
    "steps": 500,
    "seeds": "0:1",
    "judging.log_every": 1,
} | both(kind="sgd", rate=0.2)
SCALE = 1e-30
# Nothing of a point can be too narrow, or be structured; W1 is in stds of the target.
AT_A_POINT = {
    "target.scale": SCALE,
    "judging.success_w1": 0.01 / SCALE,
    "judging.near_w1": 1 / SCALE,
    "judging.collapsed_std": 0.0,
    "judging.structure": 0.0,
}
BILINEAR = GAME | loss("wasserstein")
VARIANTS = {
    "dirac": GAME | AT_A_POINT | {"loss.log_floor": 0.0},
    "bilinear": BILINEAR | AT_A_POINT,
    "quadratic": BILINEAR | AT_A_POINT,
    "stochastic": BILINEAR | {"target.scale": 0.5, "seeds": "0:128", "judging.log_every": 5},
}

G_FIRST = training(order="generator_first")
ORDERS = (training(order="simultaneous"), G_FIRST, G_FIRST | training(d_steps=5))
DIRAC = (
    {},
    loss("saturating"),
    loss("wasserstein") | {"discriminator.weight_clip": 1.0},
    loss("wasserstein") | penalty("gradient", 0.35),
    loss("saturating") | penalty("r1", 0.3),
    loss("saturating") | penalty("r1", 1.0),
    penalty("r1", 0.3),
    loss("hinge"),
    loss("saturating") | training(dynamics="consensus"),
)
METHODS = (
    at_once(),
    G_FIRST,
    at_once("extragradient"),
    at_once("past_extragradient"),
    at_once() | both(kind="optimistic"),
    at_once("consensus"),
    at_once("jacobian"),
    at_once("d_gradient"),
    at_once("symplectic"),
    at_once("competitive", fresh_batches=False),
    at_once("competitive", fresh_batches=False, dynamics_iterations=0),
    at_once() | both(kind="momentum", momentum=-0.5),
    G_FIRST | both(kind="momentum", momentum=-0.5),
    at_once() | {"averages.lookahead": 5.0},
    at_once(unrolled=1),
    at_once(unrolled=5),
)
AXES = {
    "dirac": (DIRAC, ORDERS),
    "bilinear": (METHODS,),
    # Weights that decay are the players' own quadratic terms.
    "quadratic": ([both(weight_decay=m) for m in (0.05, 0.1, 0.2, 0.5, 1.0)], ORDERS[:2]),
    # Of data that differ, extragradient with a batch for each half is another method.
    "stochastic": ((*METHODS, at_once("extragradient", fresh_halves=True)),),
}


def get_config(name="dirac"):
    config = choose(VARIANTS, name)
    for changes in AXES[name]:
        vary(config, changes)
    return config
