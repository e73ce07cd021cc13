"""Generators that a sweep has trained, from its results, to be sampled from."""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import xarray as xr

from gan1d import results
from gan1d.config import experiment
from gan1d.gan import generators, latents, perceptrons, randomness
from gan1d.gan.players import Variables
from gan1d.gan.setting import Setting
from gan1d.gan.targets import data
from gan1d.report import runs as of_runs
from gan1d.report.runs import SelectionError
from gan1d.results import ResultsError, files, verdicts
from gan1d.system import switches

MOST_AT_A_TIME = 2**16  # latents


@dataclasses.dataclass(frozen=True)
class Generator:
    """A trained generator: what latents it takes, and what it makes of them.

    `variables` are those of a flax module: `params`, under "hidden_0", "hidden_1", ... and
    "output", each with "kernel" and "bias", and what is kept beside them (running means of a norm).
    """

    label: str  # of its setting
    seed: int
    verdict: str
    variables: Variables  # arrays of numpy
    setting: Setting
    columns: tuple[str, ...]  # names of the coordinates of a sample
    centre: np.ndarray  # [X] what standardising has taken away from data, 0 without
    unit: np.ndarray  # [X] what it has divided by, 1 without

    @switches.pinned()
    def latents(self, count: int, seed: int = 0) -> np.ndarray:
        """Independent latents `[count, L]` of the distribution that the generator is judged by.

        That is the one it was trained with; of stratified latents their interval, all of it.
        """
        latent = self.setting.latent
        key = randomness.stream(randomness.run_key(seed), "samples")
        u = randomness.uniforms(key, (count, latent.dim))
        return np.asarray(latents.KINDS[latent.kind].grid(latent, u))

    @switches.pinned()
    def __call__(self, latent: np.ndarray) -> np.ndarray:
        """Samples `[N, X]` of latents `[N, L]`, in the units of the data that it was trained on.

        Raises:
          ValueError: latents have another form.
        """
        latent = np.asarray(latent, np.float32)
        if latent.ndim != 2 or latent.shape[1] != self.setting.latent.dim:
            raise ValueError(f"latents {latent.shape}: give [N, {self.setting.latent.dim}]")
        parts = np.split(latent, range(MOST_AT_A_TIME, len(latent), MOST_AT_A_TIME))
        made = [np.asarray(self._applied(self.variables, part)) for part in parts]
        return np.concatenate(made) * self.unit + self.centre

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Independent samples `[count, X]`; the same seed gives the same ones."""
        return self(self.latents(count, seed))

    @functools.cached_property
    def _applied(self) -> Callable[[Variables, np.ndarray], jax.Array]:
        return jax.jit(functools.partial(perceptrons.generate, self.setting))


def generator(
    runs: xr.DataTree | xr.Dataset | str | Path,
    setting: str | int | None = None,
    seed: int | None = None,
) -> Generator:
    """One of the generators that a sweep has kept, to be sampled from.

    >>> gan1d.generator("results/sweep", "minibatch", seed=3).sample(1000)

    Args:
      runs: results, or the folder they are in.
      setting: its label, a part of it, or its number; None: that of the best run.
      seed: None: the best run's. That is a success, if there is one, with the lowest settled W1.

    Raises:
      ResultsError: generators of this run weren't kept, or there is none as it has diverged.
      SelectionError: there is no such setting or seed.
      ConfigError: the sweep has a function of one's own, which has to be registered again first.
    """
    if isinstance(runs, str | Path):
        runs = results.load(runs)
    elif isinstance(runs, xr.DataTree):
        runs, _ = results.parts(runs)
    if results.GENERATORS not in runs:
        raise ResultsError(
            "no generators were kept: train again with judging.generator_seeds above 0"
        )
    label, number = _chosen(runs, setting, seed)
    run = runs.sel(setting=label, seed=number)
    if not run.finished or not np.isnan(run.diverged_at):
        what = f"it diverged at update {run.diverged_at:.0f}" if run.finished else "not finished"
        raise ResultsError(f"setting={label}, seed={number}: {what}; choose another run")
    of_setting = _setting(runs, label)
    size = generators.size(of_setting)
    weights = run[results.GENERATORS].sel(generator_seed=number).values[:size]
    if len(weights) < size or not np.isfinite(weights).all():
        what = f"{results.GENERATORS!r} does not hold the weights of its generator"
        raise ResultsError(f"setting={label}, seed={number}: {what}; train it again")
    columns, centre, unit = _units(runs, of_setting)
    return Generator(
        label,
        number,
        verdicts.VERDICTS[int(run.verdict)],
        generators.variables(of_setting, weights),
        of_setting,
        columns,
        centre,
        unit,
    )


def _chosen(runs: xr.Dataset, setting: str | int | None, seed: int | None) -> tuple[str, int]:
    """The setting and seed of the run that is meant: of several the best one."""
    seeds = runs.generator_seed.values.tolist()
    if seed is not None and seed not in seeds:
        kept = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
        raise SelectionError(f"seed={seed}: generators were kept of seeds {kept}; give one of them")
    among = runs.sel(seed=seeds if seed is None else [seed])
    if setting is not None:
        among = among.sel(setting=[of_runs.find_setting(runs, str(setting))])
    lost = ~np.isnan(among.diverged_at.values) | (among.finished.values == 0)
    failed = among.verdict.values != verdicts.VERDICTS.index("success")
    order = np.lexsort((among.settled_w1.values.ravel(), failed.ravel(), lost.ravel()))
    row, column = np.unravel_index(order[0], lost.shape)
    return str(among.setting.values[row]), int(among.seed.values[column])


def _setting(runs: xr.Dataset, label: str) -> Setting:
    """The setting of that label; its data are not looked for.

    Raises:
      ResultsError: the config that is recorded has no such setting.
      ConfigError: as `generator`.
    """
    declared = experiment.recorded(json.loads(runs.attrs["config"]))
    settings = dict(zip(declared.labels, declared.built, strict=True))
    if label not in settings:
        raise ResultsError(f"setting={label}: the config of these results has no such setting")
    setting = settings[label]
    if setting.target.kind != data.KIND or setting.target.columns:
        return setting
    names = _described(runs, setting).get("columns", ())
    target = dataclasses.replace(setting.target, columns=tuple(names))
    return dataclasses.replace(setting, target=target)


def _units(runs: xr.Dataset, setting: Setting) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """The names of a sample's coordinates, and what standardising took away and divided by."""
    dim = runs.sizes.get("dim", 1)
    if setting.target.kind != data.KIND:
        names = ("x",) if dim == 1 else tuple(f"x{i}" for i in range(dim))
        return names, np.zeros(dim), np.ones(dim)
    said = _described(runs, setting)
    centre, unit = (said.get(name) for name in ("less", "over"))
    if centre is None or unit is None:
        return setting.target.columns, np.zeros(dim), np.ones(dim)
    return setting.target.columns, np.asarray(centre, float), np.asarray(unit, float)


def _described(runs: xr.Dataset, setting: Setting) -> files.Record:
    """What the record says of a setting's data.

    Raises:
      ResultsError: nothing, or several things.
    """
    known = json.loads(runs.attrs.get("provenance", "{}")).get("data", [])
    wanted = data.told(setting.target)
    found = [said for said in known if wanted.items() <= {"weight": "", **said}.items()]
    if len(found) != 1:
        raise ResultsError("the record does not say which data were learned; sweep them apart")
    return dict(found[0])
