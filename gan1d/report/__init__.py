"""What results come to: statistics, tables, figures and the page; from results alone, without JAX.

Called, as in gan1d.report(runs), it gives the page, as `notebook.report` says: a package hides any
function of its name.
"""

import importlib.util
import os
import sys
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan1d.report.notebook import Inline, Results


class _Called(types.ModuleType):
    def __call__(self, runs: "Results") -> "Inline":
        from gan1d.report import notebook

        return notebook.report(runs)


sys.modules[__name__].__class__ = _Called

# A notebook's shell hands down a backend that may not be installed here, over which matplotlib
# can't even be imported; figures that are written to files need none.
_BACKEND, _MODULE = os.environ.get("MPLBACKEND", ""), "module://"
if _BACKEND.startswith(_MODULE):
    _package = _BACKEND.removeprefix(_MODULE).partition(".")[0]
    if not _package or importlib.util.find_spec(_package) is None:
        del os.environ["MPLBACKEND"]
