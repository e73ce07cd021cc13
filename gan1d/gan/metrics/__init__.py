"""How close a generator is to its target, and how flat its discriminator: pure and jittable.

`line` judges generators of one coordinate against the target's CDF, `plane` those of two against a
fixed sample, and `modes` those of either whose target is made of normals. A metric is a function of
what is judged together with all that is said of it (`metric.Metric`), under the name of the
results' variable. X below is the target's dimension.
"""

from collections.abc import Callable
from types import ModuleType

import jax
import jax.numpy as jnp
from jax import Array

from gan1d.gan import latents, losses, perceptrons, targets
from gan1d.gan.judging import Judging
from gan1d.gan.losses import LOSSES, LossFields
from gan1d.gan.metrics import held_out, line, modes, perfect, plane
from gan1d.gan.metrics.levels import LEVELS
from gan1d.gan.metrics.metric import (
    MODE_ROWS,
    Judged,
    Metric,
    Reference,
    sees_few_latents,
    shared,
    shown,
)
from gan1d.gan.metrics.modes import MOST_MODES
from gan1d.gan.metrics.perfect import lattice_dims
from gan1d.gan.perceptrons import Variables
from gan1d.gan.players import Params, Players
from gan1d.gan.randomness import stream
from gan1d.gan.setting import Setting
from gan1d.gan.targets import TargetFields, data
from gan1d.gan.targets.data import Rows

__all__ = [
    "LEVELS",
    "METRICS",
    "MODE_ROWS",
    "MOST_MODES",
    "SNAPSHOT_POINTS",
    "Judged",
    "Metric",
    "Reference",
    "describe",
    "discriminator",
    "evaluate",
    "grid_size",
    "lattice_dims",
    "of",
    "perfect_scores",
    "reference",
    "rows",
    "shared",
    "snapshot",
    "stages",
]

D_ROWS = 256  # of the target, on which D's flatness is measured
TRAINED_ROWS = 64  # at least, by which samples of the latents that training sees are judged
SNAPSHOT_POINTS = 256  # generated samples in a snapshot, in the order of their latents


# What applies to targets of any kind. To add one: its function of a Judged, and its entry here.
METRICS: dict[str, Metric] = {
    "d_flatness": Metric(
        lambda judged: jnp.abs(judged.probabilities - 0.5).mean(),
        "density-weighted mean of |D - 1/2|",
        better="lower",
        applies=lambda setting: LOSSES[setting.loss.kind].read is not None,
    ),
}


def of(setting: Setting) -> dict[str, Metric]:
    """The metrics that a setting has, by the names of results' variables."""
    every = _judge(setting.target).METRICS | METRICS
    return {name: metric for name, metric in every.items() if metric.applies(setting)}


def grid_size(dim: int) -> int:
    """G: at how many points D is drawn for data of this dimension."""
    return line.GRID_POINTS if dim == 1 else plane.GRID_SIDE**2


def rows(target: TargetFields, judging: Judging) -> Rows | None:
    """What programs are given of a target that is data; None of families."""
    found = data.rows(target)
    if found is None or targets.dim(target) == 1:
        return found
    return held_out.rows(target, judging.points)


def reference(setting: Setting, judging: Judging) -> Reference:
    """The target's part of judging; nothing of `judging` is traced."""
    judge = _judge(setting.target)
    size = setting.training.batch_size
    law = judge.law(setting.target, judging.points)
    found = Reference(
        law,
        judge.batches(setting.target, -(-D_ROWS // size), size),
        judge.grid(setting.target, judging.view),
        _shares(setting.target),
    )
    if not sees_few_latents(setting):
        return found
    # A few rows of each point of a batch are enough, but in the plane the law is of so many rows.
    rows = judging.points
    if targets.dim(setting.target) == 1:
        rows = size * -(-TRAINED_ROWS // size)
        law = judge.law(setting.target, rows)
    return found._replace(
        trained_latents=latents.trained(setting.latent, size, rows), trained_law=law
    )


def evaluate(setting: Setting, variables: Players[Variables], ref: Reference) -> dict[str, Array]:
    """Judge a generator on a fixed grid of latents, and D on rows of the target.

    Returns:
      The value of each metric of the setting, finite where all samples are, and beside them
      quantiles: of the generated samples at LEVELS, `[101]`; in the plane each coordinate's,
        `[101, 2]`.
      finite: whether all samples are, of all latents that the metrics look at, `[]`.
    """
    judge = _judge(setting.target)
    latent = latents.grid(setting.latent, judge.points(ref.law))
    judged = Judged(setting, variables, ref, perceptrons.generate(setting, variables.g, latent))
    found = {
        "quantiles": judge.quantiles(judged),
        "finite": jnp.isfinite(judged.samples).all(),
    }
    if modes.has_modes(setting):
        found["finite"] &= jnp.isfinite(judged.mode_rows).all()
    if sees_few_latents(setting):
        found["finite"] &= jnp.isfinite(judged.trained_rows).all()
    return {name: metric.function(judged) for name, metric in of(setting).items()} | found


def snapshot(setting: Setting, variables: Players[Variables], ref: Reference) -> dict[str, Array]:
    """What pictures and animations are made of.

    Returns:
      latent: `[256, L]`, the same in every run of a setting.
      samples: `[256, X]`, the generator as a function of its latent.
      d: `[G]`, the discriminator at each row of the reference's x.
    """
    latent = latents.grid(setting.latent, SNAPSHOT_POINTS)
    return {
        "latent": latent,
        "samples": perceptrons.generate(setting, variables.g, latent),
        "d": discriminator(setting, variables.d, ref),
    }


def discriminator(
    setting: Setting,
    variables: Variables,
    ref: Reference,
    read: Callable[[LossFields, Array], Array] = losses.probability,
) -> Array:
    """D `[G]` at each row of the reference's x, its raw output read by a function of `losses`.

    Where D looks at whole batches, each x is shown to it in the company of a stratified real
    sample.
    """
    batch = shown(setting, ref.real[:1])[0]

    def output(point: Array) -> Array:
        first = jnp.concatenate([point, batch[0, len(point) :]])
        rows = jnp.concatenate([first[None], batch[1:]])
        return perceptrons.discriminate(setting, variables, rows).value[0]

    if not perceptrons.compares_rows(setting):
        outputs = perceptrons.discriminate(setting, variables, ref.x).value
    else:
        outputs = jax.lax.map(output, ref.x)  # one by one: a batch each would take much memory
    return read(setting.loss, outputs)


def stages(setting: Setting, ref: Reference, before: Params, after: Params) -> dict[str, Array]:
    """D `[G]` before and after pretraining, unclipped, as it is fitted to the density."""
    stage = {"d_initial": before, "d_pretrained": after}
    return {
        name: discriminator(setting, {"params": d_params}, ref, losses.estimate)
        for name, d_params in stage.items()
    }


def describe(target: TargetFields, judging: Judging) -> dict[str, Array]:
    """A target as results keep it.

    Returns:
      target_quantiles: at LEVELS, `[101]`; in the plane, each coordinate's, `[101, 2]`.
      target_mean: in data units, `[]`; in the plane `[2]`.
      target_std: what a perfect generator's `std` is, `[]`.
      x: where D is drawn, `[201]`; in the plane `[G, 2]`.
      target_density: on the line only: at x, `[201]`.
      target_samples: in the plane only: a stratified sample, `[256, 2]`.
      target_mode_share: of up to 100 modes only: how much of it is at each, `[K]`.
      target_mode_std: likewise: what `std` is at the narrowest one, `[]`.
    """
    judge = _judge(target)
    law, x = judge.law(target, judging.points), judge.grid(target, judging.view)
    described = judge.describe(target, law, x) | {"target_mean": targets.mean(target)}
    if modes.has_masses(target):
        described["target_mode_share"] = modes.shares(target)
        described["target_mode_std"] = modes.least_std(target)
    return described


def perfect_scores(
    target: TargetFields, judging: Judging, dims: int, key: Array
) -> dict[str, Array]:
    """What samples of the target itself score, as many as judge a generator.

    Args:
      target: whose.
      judging: how generators are judged.
      dims: of the lattice that they are judged on, 0 without: `perfect.lattice_dims`.
      key: other samples for each.

    Returns:
      NAME_null: of perfect samples as they would be judged, each metric `[]` that is a function of
        samples alone.
      w1_random: the `w1` of independent samples, `[]`.
    """
    judge, setting = _judge(target), Setting(target=target)
    law = judge.law(target, judging.points)
    nothing, more = jnp.zeros(0), None
    if targets.mode_count(target) > 1:
        more = perfect.samples(target, MODE_ROWS, dims, stream(key, "modes"))
    if plane.is_remembered(setting):
        more = target.rows.held_out
    judged = Judged(
        setting,
        Players({}, {}),
        Reference(law, nothing, nothing, _shares(target)),
        perfect.samples(target, judging.points, dims, key),
        more,
    )
    scores = {
        f"{name}_null": metric.function(judged)
        for name, metric in of(setting).items()
        if metric.of_samples_alone and not metric.dims
    }
    random = perfect.random_samples(target, judging.points, key)
    return scores | {"w1_random": judge.w1(target, random, law)}


def _shares(target: TargetFields) -> Array | None:
    return modes.shares(target) if targets.mode_count(target) else None


def _judge(target: TargetFields) -> ModuleType:
    return line if targets.dim(target) == 1 else plane
