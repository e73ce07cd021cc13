"""Where a GAN on two modes ends: do its players rotate, and is G at a minimum or at a saddle?

    python -m gan1d.main --config=configs/atlas/berard.py:small
    python -m gan1d path results/berard-small --seeds=0:50 --draw
    python -m gan1d.main --config=configs/atlas/berard.py:paper

Berard et al. (2020, arXiv 1906.04848; facebookresearch/GAN-optimization-landscape): half N(2, 1)
and half N(-2, 1), of which there are 10000 rows, one hidden layer in both networks, PyTorch's first
weights, SGD, 10000 latents, and a batch for each half of extragradient. What differs: their
README's command (`--deterministic`) takes all rows in every step, with the saturating loss that is
their code's default. Here are its batches of 100, as without that option, but drawn by chance, and
100000 of them where it passes over all rows so often; and the non-saturating loss, their
`--model=nsgan`.

Variants: `paper`, hours of two cores; `small`, 20 hidden units instead of 100, 20000 updates, and
latents that are new ones each time, of 10 dimensions instead of 100, so that a Jacobian has
302 x 302 numbers.
"""

from gan1d import variant as choose
from gan1d import vary

RATES = {"generator": 1e-2, "discriminator": 1e-1}
PAPER = {
    "target.kind": "mixture",
    "target.loc": 0.0,
    "target.scale": 1.0,
    "target.means": (-2.0, 2.0),
    "target.stds": (1.0, 1.0),
    "latent.kind": "normal",
    "latent.dim": 100,
    "loss.kind": "non_saturating",
    "loss.log_floor": 0.0,
    "training.data_rows": 10000,
    "training.data_set": "same",
    "training.finite_latents": True,
    "training.sort": False,
    "training.batch_size": 100,
    "steps": 100000,
    "judging.log_every": 1000,
    "judging.generator_seeds": 0,
    "seeds": "0:100",
}
for network, rate in RATES.items():
    PAPER |= {
        f"{network}.hidden": (100,),
        f"{network}.activation": "relu",
        f"{network}.kernel_init": "torch_linear",
        f"{network}.optimizer.kind": "sgd",
        f"{network}.optimizer.rate": rate,
    }
VARIANTS = {
    "small": PAPER
    | {f"{network}.hidden": (20,) for network in RATES}
    | {"latent.dim": 10, "training.finite_latents": False}
    | {"steps": 20000, "judging.log_every": 200},
    "paper": PAPER,
}
METHODS = (
    {"training.order": "simultaneous"},
    {"training.order": "alternating"},
    {
        "training.order": "simultaneous",
        "training.dynamics": "extragradient",
        "training.fresh_halves": True,
    },
)


def get_config(variant="small"):
    config = choose(VARIANTS, variant)
    vary(config, METHODS)
    return config
