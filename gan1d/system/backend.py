"""What JAX finds on the machine: its devices; and where compiled programs are kept."""

import logging
from pathlib import Path

import absl.logging
import jax
import platformdirs

from gan1d.system import hardware, private

MOST_DEVICES = 64  # on fewer cores: JAX makes as many CPU devices as it is asked for


def devices(count: int | None = None) -> list[jax.Device]:
    """The devices to spread runs over: all GPUs, else one CPU device a core; at most `count`.

    Call it before the first JAX operation: later the number of CPU devices is fixed.

    Raises:
      ValueError: fewer than `count` devices exist, or none.
    """
    most = max(MOST_DEVICES, hardware.cores())
    if count is not None and not 1 <= count <= most:
        raise ValueError(f"devices={count}: it must be at least 1 and at most {most}")
    # Every start on a machine without a TPU would log that there is none.
    logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)
    try:
        jax.config.update("jax_num_cpu_devices", max(hardware.cores(), count or 1))
    except (
        RuntimeError
    ):  # JAX has started, in a notebook for example: its devices are what there is
        absl.logging.info("JAX is already initialised; using the devices that it has.")
    try:
        available = jax.devices()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0] or "there are none of this kind"
        platforms = jax.config.values["jax_platforms"]
        raise ValueError(f"JAX_PLATFORMS={platforms}: no devices ({reason}); unset it") from None
    if count is not None and count > len(available):
        raise ValueError(
            f"devices={count}: this machine has {len(available)}; give at most that many"
        )
    if count is None and available[0].platform == "cpu":
        count = min(len(available), hardware.cores())
    return available[:count]


def enable_compilation_cache() -> Path | None:
    """Keep compiled programs in the user's cache folder, by version of JAX and processor.

    Returns the folder, or None where it can't be written, or others can write to it, which costs
    time only.
    """
    chosen = jax.config.values["jax_compilation_cache_dir"]
    if chosen:
        return Path(chosen)  # the user's own choice
    kind = hardware.processor().rpartition("(")[2].rstrip(")")
    try:
        folder = Path(platformdirs.user_cache_dir("gan1d")) / f"jax-{jax.__version__}-{kind}"
        if not folder.is_absolute():
            raise FileNotFoundError(f"{folder}: this user has no home")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private.check(folder.stat(), folder)
        (folder / ".writable").touch()
    except (OSError, RuntimeError) as error:  # RuntimeError: no home can be found out
        absl.logging.log_first_n(absl.logging.WARNING, "No compilation cache: %s", 1, error)
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder
