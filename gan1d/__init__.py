"""gan1d: train thousands of toy GANs in one call, and judge training tricks over seeds.

What is used from here is imported when it is first asked for: results are read and drawn without
JAX, and mistakes on a command line are found before it is imported.
"""

import importlib

__version__ = "0.1.0"
__all__ = ["default_config", "load", "register", "run", "variant", "vary"]

_HOMES = {
    "default_config": "gan1d.config.experiment",
    "load": "gan1d.results",
    "run": "gan1d.sweep.api",
    "variant": "gan1d.config.experiment",
    "vary": "gan1d.config.experiment",
}


def __getattr__(name: str) -> object:
    """One of the names in `__all__`, from where it lives (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'gan1d' has no attribute {name!r}")
    if name == "register":
        return importlib.import_module("gan1d.gan.register")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
