"""gan1d: train thousands of toy GANs in one call, and judge training tricks over seeds."""

from typing import Any

__version__ = "0.1.0"


def run(config: Any, **options: Any) -> Any:
    """Train and judge every GAN of a config and return the results; see `gan1d.api.run`."""
    # Imported late, so that figures and results can be used without JAX.
    from gan1d import api

    return api.run(config, **options)
