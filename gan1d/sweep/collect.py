"""What results keep of a block of runs, and how blocks are put together to a sweep's results."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from absl import logging
from jax import Array

from gan1d import results
from gan1d.config.experiment import Experiment
from gan1d.config.fields import ConfigError, specs, value_text
from gan1d.engines.describe import describe
from gan1d.engines.programs import LogPoints, Start
from gan1d.gan import feature_motion, generators, judging, metrics, pretrain, targets
from gan1d.gan.losses import LOSSES, LossFields
from gan1d.gan.setting import Setting
from gan1d.gan.spec import OFF

SNAPSHOT_BYTES = 2**27  # that the snapshots of a whole sweep may take
GENERATOR_BYTES = 2**27  # and its generators
PICTURE = "snapshots/"  # what the names of a block's snapshots begin with
OF_RUNS = ("setting", "seed", "snapshot_seed", "generator_seed")  # dimensions
_NEVER = np.iinfo(np.int32).max

# What is kept of the runs of a block, by name: arrays `[R, ...]`, or `[K, ...]` of snapshots and
# generators, of the block's first runs.
Arrays = dict[str, np.ndarray]
# A finished block: index of the setting `[R]`, index of the seed `[R]`, what is kept of the runs.
Entry = tuple[np.ndarray, np.ndarray, Arrays]


class Variables(NamedTuple):
    """The variables that a sweep's results have."""

    runs: dict[str, results.Variable]
    targets: dict[str, results.Variable]
    snapshots: dict[str, results.Variable]


class Shape(NamedTuple):
    """What a sweep's results will hold."""

    variables: Variables
    sizes: dict[str, int]  # the length of every dimension

    @property
    def snapshot_seeds(self) -> int:
        """How many seeds snapshots are kept of, the first ones."""
        return self.sizes["snapshot_seed"]

    @property
    def generator_seeds(self) -> int:
        """How many seeds generators are kept of, the first ones."""
        return self.sizes["generator_seed"]

    def of_block(self, runs: int, pictured: int, kept: int) -> Arrays:
        """Room for a block of so many runs, filled with what stands for "no value".

        Pictures are of the first of them, as many as are `pictured`, and `kept` are generators.
        """
        variables = {
            name: _of(variable, "kept" if name == results.GENERATORS else "run")
            for name, variable in self.variables.runs.items()
        }
        variables |= {
            PICTURE + name: _of(variable, "picture")
            for name, variable in self.variables.snapshots.items()
        }
        rows = {"run": runs, "picture": pictured, "kept": kept}
        return results.allocate(variables, self.sizes | rows)


def _of(variable: results.Variable, row: str) -> results.Variable:
    """A variable of a sweep as one of a block's rows."""
    rest = [dim for dim in variable.dims if dim not in OF_RUNS]
    return variable._replace(dims=(row, *rest))


def shape_of(experiment: Experiment, settings: Sequence[Setting]) -> Shape:
    """What the results of a sweep with these settings will hold.

    Raises:
      ConfigError: a variable, of a metric of one's own, has a name that means something else.
    """
    variables = variables_of(experiment, settings)
    taken = {results.coordinate(field): f"the field {field}" for field in experiment.swept}
    taken |= {name: "xarray's or pandas' own" for name in variables.runs if results.hidden(name)}
    clashes = taken.keys() & variables.runs.keys()
    if clashes:
        raise ConfigError(
            [f"metric {name!r}: that is {taken[name]}; rename it" for name in sorted(clashes)]
        )
    shape = Shape(variables, sizes(experiment, settings, variables))
    if not shape.generator_seeds:
        del variables.runs[results.GENERATORS]
    asked = experiment.schedule.judging
    for what, found, wanted in (
        ("Snapshots", shape.snapshot_seeds, asked.snapshot_seeds),
        ("Generators", shape.generator_seeds, asked.generator_seeds),
    ):
        wanted = min(wanted, len(experiment.seeds))
        if found < wanted:
            logging.info("%s of %d seeds, not %d, to bound memory.", what, found, wanted)
    return shape


def variables_of(experiment: Experiment, settings: Sequence[Setting]) -> Variables:
    """Those that make sense for at least one setting."""
    features = experiment.schedule.judging.features
    useless = set()
    if not any(setting.pretraining.steps for setting in settings):
        useless |= {"pretraining_loss", "d_initial", "d_pretrained"}
    if not features:
        useless |= {"centroid_distance"}
    if not (features and all(map(feature_motion.is_picture, settings))):
        useless |= {"features"}
    dim = targets.dim(settings[0].target)
    measures: dict[str, metrics.Metric] = {}
    for setting in settings:
        measures |= metrics.of(setting)
    runs = {name: _variable(metric) for name, metric in measures.items()}
    nulls = {
        f"{name}_null": results.null_variable(name, metric.unit, metric.better)
        for name, metric in measures.items()
        if metric.of_samples_alone and not metric.dims
    }
    if "modes" not in measures:
        useless |= {"mode_rows"}
    if "mode_mass" not in measures:
        useless |= {"target_mode_share", "target_mode_std"}
    every = (
        runs | results.run_variables(dim),
        results.target_variables(dim) | nulls | results.LOSS_VARIABLES,
        results.SNAPSHOT_VARIABLES,
    )
    return Variables(
        *(
            {name: variable for name, variable in group.items() if name not in useless}
            for group in every
        )
    )


def _variable(metric: metrics.Metric) -> results.Variable:
    """A metric as results keep it."""
    dims = (*results.CURVE, *metric.dims)
    return results.Variable(dims, metric.long_name, unit=metric.unit, better=metric.better)


def sizes(
    experiment: Experiment, settings: Sequence[Setting], variables: Variables
) -> dict[str, int]:
    """The length of every dimension of a sweep's results."""
    dim = targets.dim(settings[0].target)
    lengths = {
        "setting": len(settings),
        "seed": len(experiment.seeds),
        "step": len(experiment.log_steps()),
        "quantile_level": len(metrics.LEVELS),
        "point": metrics.SNAPSHOT_POINTS,
        "grid": metrics.grid_size(dim),
        "dim": dim,
        "target_mode": max(_kept_modes(setting) for setting in settings),
        "replicate": results.NULL_REPLICATES,
        "part": pretrain.PARTS,
        "latent_axis": max(setting.latent.dim for setting in settings),
        "moment": len(results.MOMENTS),
        "source": len(results.SOURCES),
        "row": max(setting.training.batch_size for setting in settings),
        "feature": 2,
        # Settings of one structure have generators of one size.
        "weight": max(
            map(generators.size, {jax.tree.structure(each): each for each in settings}.values())
        ),
    }
    asked = experiment.schedule.judging
    seed_bytes = results.nbytes(variables.snapshots, lengths | {"snapshot_seed": 1})
    pictured = min(asked.snapshot_seeds, lengths["seed"], SNAPSHOT_BYTES // seed_bytes)
    generator_bytes = 4 * lengths["setting"] * lengths["weight"]
    kept = min(asked.generator_seeds, lengths["seed"], GENERATOR_BYTES // generator_bytes)
    return lengths | {"snapshot_seed": pictured, "generator_seed": kept}


def _kept_modes(setting: Setting) -> int:
    """Of how many modes of its target each one's mass is kept."""
    count = targets.mode_count(setting.target)
    return count if count <= metrics.MOST_MODES else 0


def judged(
    log_steps: Sequence[int],
    block: Arrays,
    start: Start,
    diverged_at: np.ndarray,
    looks: Sequence[LogPoints],
    weights: np.ndarray | None,
) -> Arrays:
    """What is kept of finished runs.

    Args:
      log_steps: all of them.
      block: room for it, `Shape.of_block`; is filled.
      start: what is known before the first update.
      diverged_at: in the end, `[R]`.
      looks: at all log points, in order.
      weights: of the final generators that are kept, `[K, W]`; None of none.
    """
    steps = np.asarray(log_steps)[:, None]
    whole = jax.tree.map(
        lambda *each: np.concatenate(each),
        *(look._replace(quantiles=np.empty(0)) for look in looks),
    )
    # Before the first update there is no loss.
    spans = np.diff(steps, axis=0, prepend=0).astype(np.float32)
    spans[0] = np.nan
    sums = whole.loss_sums
    values = whole.metrics | {"loss_d": sums.d / spans, "loss_g": sums.g / spans}
    # Weights can be finite and yet so large that what is generated is not.
    overflow_at = np.where(whole.finite, _NEVER, steps).min(0)
    ended = np.minimum(np.where(diverged_at < 0, _NEVER, diverged_at), overflow_at)
    for name in values.keys() & block.keys():
        value = np.moveaxis(_masked(values[name], ended <= steps), 0, 1)
        block[name][tuple(map(slice, value.shape))] = value  # settings differ in their modes
    block["quantiles"][:] = _masked(looks[-1].quantiles, ended < _NEVER)
    block["diverged_at"][:] = np.where(ended < _NEVER, ended, np.nan)
    block["finished"][:] = 1
    if weights is not None:
        block[results.GENERATORS][:, : weights.shape[1]] = weights  # settings differ in their sizes
    if start.pretraining_loss is not None:
        block["pretraining_loss"][:] = start.pretraining_loss
    for name, value in start.snapshots.items():
        if PICTURE + name in block:
            block[PICTURE + name][:] = value
    for name, value in whole.snapshots.items():
        if PICTURE + name in block:
            _fill(block[PICTURE + name], name, np.moveaxis(value, 0, 1))
    return block


def _fill(room: np.ndarray, name: str, value: np.ndarray) -> None:
    """Fill in pictures `[K, P, ...]`; settings differ in how many latents and rows there are."""
    if name == "latent":  # the same at all times
        room[..., : value.shape[-1]] = value[:, 0]
    elif name == "features":
        room[..., : value.shape[-2], :] = value
    else:
        room[:] = value


def _masked(values: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Values, NaN where a run is lost; `lost` has their first axes."""
    return np.where(lost.reshape(*lost.shape, *[1] * (values.ndim - lost.ndim)), np.nan, values)


def datasets(
    experiment: Experiment,
    shape: Shape,
    target: Arrays,
    blocks: Iterable[Entry],
) -> tuple[xr.Dataset, xr.Dataset | None]:
    """The sweep as a Dataset of runs and one of snapshots (None where none are kept).

    Args:
      experiment: the sweep.
      shape: what they will hold.
      target: what `describe_targets` gives.
      blocks: those that are finished; runs that are in none are marked as not finished.
    """
    arrays = results.allocate(shape.variables.runs, shape.sizes)
    snapshots = (
        results.allocate(shape.variables.snapshots, shape.sizes) if shape.snapshot_seeds else {}
    )
    for setting, seed, block in blocks:
        for name, value in block.items():
            row, column = setting[: len(value)], seed[: len(value)]
            if not name.startswith(PICTURE):
                arrays[name][row, column] = value
            elif snapshots:
                whole = snapshots[name.removeprefix(PICTURE)]
                # All seeds of a setting share their pictures' latents.
                whole[row if name == PICTURE + "latent" else (row, column)] = value
    axes = results.Axes(
        experiment.labels,
        experiment.seeds,
        experiment.log_steps(),
        metrics.LEVELS,
        experiment.seeds[: shape.generator_seeds],
    )
    runs = results.dataset(
        results.Values(shape.variables.runs, arrays),
        results.Values(shape.variables.targets, target | rest(experiment.settings)),
        axes,
        results.Sweep(
            experiment.name,
            experiment.config(),
            _swept(experiment),
            judging.settled_from(experiment.schedule.steps),
            experiment.fixed,
        ),
    )
    runs = results.judged(runs)
    if not snapshots:
        return runs, None
    pictured = axes._replace(seed=experiment.seeds[: shape.snapshot_seeds])
    return runs, results.snapshot_dataset(
        results.Values(shape.variables.snapshots, snapshots), pictured
    )


def _swept(experiment: Experiment) -> dict[str, results.Swept]:
    """Each swept field: its value in each setting, and what it is."""
    columns = zip(*experiment.points, strict=True) if experiment.swept else ()
    return {
        name: results.Swept(
            [value if isinstance(value, int | float) else value_text(value) for value in column],
            specs()[name][0].doc,
            specs()[name][0].unit,
        )
        for name, column in zip(experiment.swept, columns, strict=True)
    }


def rest(settings: Sequence[Setting]) -> Arrays:
    """What is to be known of each setting's losses, by the names of results' variables."""
    at_rest: dict[LossFields, tuple[float, float]] = {}
    structures: dict[object, list[LossFields]] = {}  # one call for all that differ in numbers only
    for loss in dict.fromkeys(setting.loss for setting in settings):
        structures.setdefault(jax.tree.structure(loss), []).append(loss)
    for alike in structures.values():
        numbers = jax.tree.map(lambda *each: np.asarray(each, np.float32), *alike)
        d, g = map(np.asarray, jax.vmap(_losses_at_rest)(numbers))
        at_rest |= dict(zip(alike, zip(d, g, strict=True), strict=True))
    d, g = np.array([at_rest[setting.loss] for setting in settings], np.float32).T
    matches = np.array([setting.tricks.feature_matching != OFF for setting in settings])
    is_read = [LOSSES[setting.loss.kind].read is not None for setting in settings]
    return {
        "loss_d_rest": d,
        "loss_g_rest": np.where(matches, np.float32(np.nan), g),
        "g_matches_features": matches.astype(np.int8),
        "d_is_probability": np.array(is_read, np.int8),
    }


def _losses_at_rest(loss: LossFields) -> tuple[Array, Array]:
    """The losses of D and of G where D can't tell real from generated; NaN if that is nowhere."""
    formula = LOSSES[loss.kind]
    if formula.rest is None:
        return jnp.full((), jnp.nan), jnp.full((), jnp.nan)
    output = jnp.reshape(jnp.asarray(formula.rest(loss), jnp.float32), (1,))
    return formula.d(loss, output, output).mean(), formula.g(loss, output, output).mean()


def describe_targets(
    experiment: Experiment, settings: Sequence[Setting], *, on_lanes: bool
) -> Arrays:
    """The variables of every setting's target, found out by native code or by XLA.

    Raises:
      ConfigError: runs could not be judged, as float32 can't hold a target's standard deviation.
    """
    described = describe(
        settings, experiment.schedule.judging, results.NULL_REPLICATES, on_lanes=on_lanes
    )
    for label, std in zip(experiment.labels, described["target_std"], strict=True):
        if not (np.isfinite(std) and std > 0):
            raise ConfigError([f"target: its standard deviation is {std} (in the setting {label})"])
    points = experiment.schedule.judging.points
    rows = [_mode_rows(targets.mode_count(each.target), points) for each in settings]
    return described | {"mode_rows": np.array(rows, np.int32)}


def _mode_rows(modes: int, points: int) -> int:
    """By how many samples a target's modes are judged."""
    if modes > 1:
        return metrics.MODE_ROWS
    return points if modes else 0
