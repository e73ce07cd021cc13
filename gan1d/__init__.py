"""gan1d: train thousands of toy GANs in one call, and judge training tricks over seeds.

What is used from here is imported when it is first asked for: results are read and drawn without
JAX, and mistakes on a command line are found before it is imported.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "compare",
    "default_config",
    "draw",
    "effects",
    "generator",
    "load",
    "register",
    "report",
    "run",
    "summary",
    "variant",
    "vary",
]

if TYPE_CHECKING:  # what type checkers and editors see of the names below
    from gan1d.config.experiment import default_config, variant, vary
    from gan1d.gan import register
    from gan1d.report import draw
    from gan1d.report.notebook import compare, effects, load, report, summary
    from gan1d.sweep.generators import generator
    from gan1d.sweep.notebook import run

_MODULES = {"draw": "gan1d.report.draw", "register": "gan1d.gan.register", "report": "gan1d.report"}
_HOMES = {
    "compare": "gan1d.report.notebook",
    "default_config": "gan1d.config.experiment",
    "effects": "gan1d.report.notebook",
    "generator": "gan1d.sweep.generators",
    "load": "gan1d.report.notebook",
    "run": "gan1d.sweep.notebook",
    "summary": "gan1d.report.notebook",
    "variant": "gan1d.config.experiment",
    "vary": "gan1d.config.experiment",
}


def __getattr__(name: str) -> object:
    """One of the names in `__all__`, from where it lives (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'gan1d' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
