"""The same small, strict machine for every test, wherever the tests run."""

import atexit
import gc
import os
import shutil
import tempfile

import xla_flags

# Nothing is read from, or left in, the user's caches. The processes of one session share theirs, so
# that what several tests need is compiled once.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _caches = tempfile.mkdtemp(prefix="gan1d-tests-")
    atexit.register(shutil.rmtree, _caches, ignore_errors=True)
    os.environ["XDG_CACHE_HOME"] = _caches
os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# Most tests compile far more than they compute.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ["XLA_FLAGS"] = xla_flags.hurried(os.environ.get("XLA_FLAGS", ""))

import hypothesis
import jax
import pytest

from gan1d import engines
from gan1d.gan import pytrees
from gan1d.report import drawing
from gan1d.system import backend

del pytrees  # which tells JAX what settings are

# JAX makes many objects where it traces, few of them garbage in cycles: to look for it as often as
# Python does by itself takes a fifth of the time.
gc.set_threshold(50_000, 20, 20)

# [B, 1] against [B] must not quietly become [B, B].
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)
backend.enable_compilation_cache()
# The figures of tests are drawn before another process would have started.
drawing.ITEMS_A_PROCESS = 1000
# Starting JAX fixes the number of devices, whichever test comes first.
jax.devices()

hypothesis.settings.register_profile(
    "repeatable", deadline=None, derandomize=True, database=None, max_examples=25
)
# For `pytest tests/test_fuzz.py --hypothesis-profile=thorough`: other examples each time.
hypothesis.settings.register_profile(
    "thorough",
    deadline=None,
    database=None,
    max_examples=10_000,
    print_blob=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture
def compiled_once(monkeypatch):
    """Sweeps of one structure compile once in a module; for tests of other things than that."""
    import helpers  # after pytest has made its assertions talk

    monkeypatch.setattr(engines, "compile_programs", helpers.compile_once)


# Of few tests that take long.
LONG = ("test_resume.py", "test_bench.py", "test_train.py", "test_sweep.py", "test_reference.py")


def pytest_collection_modifyitems(items):
    """Long files first, so that in the end no process waits long for another one."""
    items.sort(key=lambda item: item.path.name not in LONG)
