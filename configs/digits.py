r"""Scikit-learn's handwritten digits, 1797 images of 8 x 8: data that are harder than a curve.

    python -c "import sklearn.datasets as s, numpy as n; x = s.load_digits().data; \
        n.save('digits.npy', x[:, x.std(0) > 0])"
    python -m gan1d.main --config=configs/digits.py:whole
    python -c "import sklearn.datasets as s, sklearn.decomposition as d, numpy as n; \
        n.save('digits8.npy', d.PCA(8, whiten=True).fit_transform(s.load_digits().data))"
    python -m gan1d.main --config=configs/digits.py:components

Variants: `whole`, all pixels but the three that are black in each image, which have no std to be
divided by; `components`, the first eight principal components, which have two thirds of the
variance, each of a std of 1. The files are looked for in the working folder. Both are swept over
the gradient penalty R1, 100 seeds each: ten minutes of two cores for `whole`.
"""

from gan1d import variant as choose

NETWORK = {
    "hidden": (64, 64),
    "activation": "leaky_relu",
    "kernel_init": "he_normal",
    "optimizer.kind": "adam",
    "optimizer.rate": 5e-4,
    "optimizer.b1": 0.5,
}
DIGITS = {
    "target.kind": "data",
    "target.standardise": "on",
    "latent.kind": "normal",
    "latent.dim": 16,
    "training.batch_size": 64,
    "steps": 10000,
    "judging.log_every": 200,
    "judging.generator_seeds": 16,
    "seeds": "0:100",
    "sweep": ("penalty.kind=off,r1",),
} | {
    f"{network}.{field}": value
    for network in ("generator", "discriminator")
    for field, value in NETWORK.items()
}
VARIANTS = {
    "components": DIGITS | {"target.file": "digits8.npy"},
    "whole": DIGITS | {"target.file": "digits.npy"},
}


def get_config(variant="components"):
    return choose(VARIANTS, variant)
