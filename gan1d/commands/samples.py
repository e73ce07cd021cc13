"""Draws new samples from a generator that a sweep has trained.

    python -m gan1d samples results/NAME --to=samples.csv
    python -m gan1d samples results/NAME --rows=10000 --setting=SETTING --seed=3 --to=samples.npy
    python -m gan1d samples results/NAME --weights=generator.safetensors

Without --setting and --seed it is the generator of the best run: a success, if there is one, with
the lowest settled W1. Samples of data are in the units of their file. `--weights` writes the
generator itself, arrays by the names that flax has for them, to be read without gan1d.
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from absl import flags

from gan1d.commands import chosen, shell
from gan1d.report import exports
from gan1d.report.runs import SelectionError
from gan1d.results import ResultsError, files

_ROWS = flags.DEFINE_integer("rows", 1000, "How many samples.", lower_bound=1, upper_bound=2**24)
_LATENT_SEED = flags.DEFINE_integer(
    "latent_seed", 0, "Of the latents; another one gives other samples.", lower_bound=0
)
_WEIGHTS = flags.DEFINE_string("weights", None, "A .safetensors file to write the weights to.")
for _name in ("setting", "seed", "to"):
    flags.declare_key_flag(_name)


def main(argv: list[str]) -> int:
    """Write what is asked for; returns the exit code."""
    if len(argv) != 2 or not (chosen.TO.value or _WEIGHTS.value):
        return shell.refuse("usage: python -m gan1d samples results/NAME --to=FILE; see --help")
    for option, value, endings in (
        ("to", chosen.TO.value, (*exports.ENDINGS, ".npy")),
        ("weights", _WEIGHTS.value, (".safetensors",)),
    ):
        if value and Path(value).suffix not in endings:
            known = " or ".join(endings)
            return shell.refuse(f"{option}={value}: give a name that ends in {known}")
    from gan1d.sweep import generators  # JAX takes seconds to import
    from gan1d.system import backend

    backend.devices()
    try:
        found = generators.generator(argv[1], chosen.SETTING.value, chosen.SEED.value)
    except (ResultsError, SelectionError) as error:
        return shell.refuse(str(error))
    print(f"{found.label}, seed {found.seed}: {found.verdict}")
    if chosen.TO.value:
        write_samples(
            found.sample(_ROWS.value, _LATENT_SEED.value), found.columns, Path(chosen.TO.value)
        )
        print(f"{chosen.TO.value}: {_ROWS.value} rows of {', '.join(found.columns)}")
    if _WEIGHTS.value:
        write_weights(found.variables, Path(_WEIGHTS.value))
        print(f"{_WEIGHTS.value}: the generator's weights")
    return 0


def write_samples(rows: np.ndarray, columns: tuple[str, ...], path: Path) -> None:
    """Write rows `[N, X]` as the file's name ends.

    Raises:
      ResultsError: what writes Parquet is not installed.
      WriteError: the file can't be written.
    """
    if path.suffix == ".npy":
        files.replace(path, lambda temporary: temporary.write_bytes(_as_npy(rows)))
    else:
        exports.export(pd.DataFrame(rows, columns=list(columns)), path)


def _as_npy(rows: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, rows)
    return content.getvalue()


def write_weights(variables: dict[str, object], path: Path) -> None:
    """Write a generator's variables, by names such as params/hidden_0/kernel.

    `flax.traverse_util.unflatten_dict(safetensors.numpy.load_file(path), sep="/")` reads them.

    Raises:
      WriteError: the file can't be written.
    """
    import safetensors.numpy
    from flax.traverse_util import flatten_dict

    arrays = {name: np.ascontiguousarray(a) for name, a in flatten_dict(variables, sep="/").items()}
    content = safetensors.numpy.save(arrays)
    files.replace(path, lambda temporary: temporary.write_bytes(content))


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
