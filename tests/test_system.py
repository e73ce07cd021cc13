"""The machine underneath: where compiled programs are kept, and what JAX is told."""

import os
import signal

import jax
import pytest

from gan1d.config.experiment import resolve
from gan1d.gan import randomness
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices, choose
from gan1d.system import backend, hardware, signals, switches


@pytest.fixture
def cache_in(monkeypatch):
    """Let the user's caches be somewhere, and enable that of programs."""
    own = jax.config.values["jax_compilation_cache_dir"]

    def enabled(folder):
        monkeypatch.setattr(backend.platformdirs, "user_cache_dir", lambda _: str(folder))
        jax.config.update("jax_compilation_cache_dir", None)
        return backend.enable_compilation_cache()

    yield enabled
    jax.config.update("jax_compilation_cache_dir", own)


def test_a_cache_of_programs_is_its_users_alone(cache_in, tmp_path):
    """Whatever the umask: what is in it is run."""
    umask = os.umask(0)
    folder = cache_in(tmp_path)
    os.umask(umask)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o770)
    assert cache_in(tmp_path) is None


@pytest.mark.parametrize("folder", ["~", "/proc/gan1d"])
def test_where_no_cache_can_be_there_is_none(folder, cache_in, tmp_path, monkeypatch):
    """Of a user without a home, "~" would be a folder in that one works in."""
    monkeypatch.chdir(tmp_path)
    assert cache_in(folder) is None and not list(tmp_path.iterdir())


SWITCHES = {
    "enable_x64": True,
    "threefry_partitionable": False,
    "default_prng_impl": "rbg",
    "default_matmul_precision": "bfloat16",
    "softmax_custom_jvp": True,
    "numpy_dtype_promotion": "strict",
    "debug_nans": True,
    "debug_infs": True,
    "disable_jit": True,
}


def test_what_a_shell_or_notebook_has_set_in_jax_changes_nothing(monkeypatch):
    """Draws of other seeds, numbers of 64 bits: as if nobody had set anything."""
    assert SWITCHES.keys() == switches.PINNED.keys()

    def drawn():
        with switches.pinned():
            return randomness.uniforms(randomness.run_key(0), (3,)) + 1

    expected = drawn()
    for name, value in SWITCHES.items():
        before = jax.config.values[f"jax_{name}"]
        jax.config.update(f"jax_{name}", value)
        try:
            numbers = drawn()
        finally:
            jax.config.update(f"jax_{name}", before)
        assert numbers.dtype == expected.dtype and (numbers == expected).all(), name


def test_matrices_are_multiplied_in_full_float32_wherever_that_is_not_the_default():
    """GPUs would take TF32, and be off by 1e-2 after 60 updates."""
    ones = jax.numpy.ones((2, 2))
    with switches.pinned():
        lowered = jax.jit(lambda a, b: a @ b).lower(ones, ones).as_text()
    assert "precision = [HIGHEST, HIGHEST]" in lowered


def test_other_switches_are_part_of_what_a_sweeps_numbers_depend_on(monkeypatch):
    """Shards by -ffast-math and without are refused to each other."""
    layouts = [choose(Sweep(resolve({"seeds": "0:4"})), Choices()) for _ in range(2)]
    before = layouts[0].identity
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    told = before.differences(layouts[1].identity)
    assert "switches.XLA_FLAGS=" in told and "fast_math=true' now" in told


def test_a_kind_of_device_that_is_not_here_is_refused_by_its_name(monkeypatch):
    """Not by a bare AssertionError, as JAX has it."""

    def none():
        raise AssertionError

    monkeypatch.setattr(backend.jax, "devices", none)
    with pytest.raises(ValueError, match=r"JAX_PLATFORMS=.*unset it"):
        backend.devices()


@pytest.mark.parametrize(
    ("groups", "file"),
    [
        ("", "memory.max"),  # a container's own, of version 2
        ("", "memory/memory.limit_in_bytes"),  # and of version 1
        ("0::/slurm/job_7/step_0", "slurm/job_7/memory.max"),
        ("5:cpu,cpuacct:/a\n9:memory:/slurm/job_7", "memory/slurm/job_7/memory.limit_in_bytes"),
    ],
)
def test_the_memory_is_what_the_innermost_limit_leaves(groups, file, tmp_path, monkeypatch):
    """A job of Slurm's lies groups below the top, whose limit was the only one seen."""
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    monkeypatch.setattr(hardware, "OWN_CGROUPS", tmp_path / "own")
    (tmp_path / "own").write_text(groups)
    assert hardware.memory() > 2**20
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(f"{2**20}\n")
    (tmp_path / file).with_name("cpu.max").write_text("max 100000")
    assert hardware.memory() == 2**20


def test_a_handler_of_signals_that_is_not_pythons_does_not_end_a_sweep(monkeypatch):
    """Of one that C code has set Python knows nothing, and can't set it again."""
    held = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    set_handler = signal.signal
    monkeypatch.setattr(signals.signal, "signal", lambda *given: set_handler(*given) and None)
    with signals.noted():
        pass
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    for number, handler in held.items():
        signal.signal(number, handler)
