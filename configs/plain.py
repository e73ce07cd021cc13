"""AYLIEN's GAN of June 2017 without tricks: the base that other sweeps vary.

    python -m gan1d.main --config=configs/plain.py

128 GANs of 5000 updates, 8 s on 2 cores once compiled. Expect 1% successes: most seeds end far
from the target.
"""

from gan1d import default_config


def get_config():
    return default_config()
