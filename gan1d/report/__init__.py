"""What results say: statistics, tables, comparisons, exports, figures, a page; needs no JAX."""

import importlib.util
import os

# A notebook's shell hands down a backend that may not be installed here, over which matplotlib
# can't even be imported; figures that are written to files need none.
_BACKEND, _MODULE = os.environ.get("MPLBACKEND", ""), "module://"
if _BACKEND.startswith(_MODULE):
    _package = _BACKEND.removeprefix(_MODULE).partition(".")[0]
    if not _package or importlib.util.find_spec(_package) is None:
        del os.environ["MPLBACKEND"]
