"""Your own table of numbers: small networks on standardised columns, the gradient penalty R1.

    python -m gan1d.main --config=configs/data.py --config.target.file=iris.csv

The file is a .csv, .tsv, .parquet, .npy or .nc; `--config.target.columns="('a','b')"` chooses some
of its columns, up to 64. 100 GANs of 3000 updates; docs/data.md says what they are judged by.
"""

from gan1d import default_config

NETWORK = {
    "hidden": (16, 16),
    "kernel_init": "he_normal",
    "optimizer.kind": "adam",
    "optimizer.rate": 1e-3,
    "optimizer.b1": 0.5,
}
SETTING = {
    "target.kind": "data",
    "target.standardise": "on",
    "latent.kind": "normal",
    "latent.dim": 4,
    "penalty.kind": "r1",
    "training.batch_size": 32,
    "steps": 3000,
    "seeds": "0:100",
    **{
        f"{name}.{field}": value
        for name in ("generator", "discriminator")
        for field, value in NETWORK.items()
    },
}


def get_config():
    config = default_config()
    config.update_from_flattened_dict(SETTING)
    return config
