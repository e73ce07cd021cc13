"""Mixtures on the line: which modes does a plain GAN find, by its width and Adam's momentum?

    python -m gan1d.main --config=configs/mixtures.py:two
    python -m gan1d.main --config=configs/mixtures.py:unequal
    python -m gan1d.main --config=configs/mixtures.py:five
    python -m gan1d.main --config=configs/mixtures.py:wasserstein

Variants: `two` equal modes, `unequal` ones of 90% and 10%, `five` narrow ones, and the five with a
Wasserstein loss and gradient penalty at three learning rates. 100 seeds take about two CPU minutes
each. A small G leaves modes out, the rare one first.
"""

from gan1d import variant as choose

SETTING = {
    "target.kind": "mixture",
    "target.loc": 0.0,
    "target.scale": 1.0,
    "latent.kind": "uniform",
    "latent.low": -1.0,
    "latent.high": 1.0,
    "generator.activation": "relu",
    "generator.kernel_init": "he_normal",
    "discriminator.hidden": (32, 32),
    "discriminator.activation": "relu",
    "discriminator.kernel_init": "he_normal",
    "generator.optimizer.kind": "adam",
    "generator.optimizer.rate": 0.001,
    "discriminator.optimizer.kind": "adam",
    "discriminator.optimizer.rate": 0.001,
    "training.batch_size": 64,
    "steps": 5000,
    "seeds": "0:100",
    "sweep": (
        "generator.hidden=(4,),(16,),(32,32)",
        "generator.optimizer.b1=0,0.9 discriminator.optimizer.b1=0,0.9",
    ),
}


def _modes(weights, means, stds):
    return {"target.weights": weights, "target.means": means, "target.stds": stds}


FIVE = (0.2,) * 5, (-4.0, -2.0, 0.0, 2.0, 4.0), (0.3,) * 5
VARIANTS = {
    "two": SETTING | _modes((0.5, 0.5), (-2.0, 2.0), (0.5, 0.5)),
    "unequal": SETTING | _modes((0.9, 0.1), (0.0, 4.0), (0.5, 0.5)),
    "five": SETTING | _modes(*FIVE),
    # Gulrajani et al. (2017), with the weight of their own toys.
    "wasserstein": SETTING
    | _modes(*FIVE)
    | {
        "loss.kind": "wasserstein",
        "penalty.kind": "gradient",
        "penalty.weight": 0.1,
        "training.d_steps": 5,
        "training.sort": False,
        "generator.hidden": (32, 32),
        "generator.optimizer.b1": 0.5,
        "discriminator.optimizer.b1": 0.5,
        "sweep": (
            "generator.optimizer.rate=3e-4,1e-3,3e-3 discriminator.optimizer.rate=3e-4,1e-3,3e-3",
        ),
    },
}


def get_config(variant="two"):
    return choose(VARIANTS, variant)
