"""Made-up results with every verdict in them, following the schema of runs.nc."""

import json

import numpy as np
import scipy.stats
import xarray as xr

from gan1d import results
from gan1d.results import verdicts

LEVELS = np.linspace(0, 1, 101)
NORMALS = scipy.stats.norm.ppf(np.clip(LEVELS, 0.002, 0.998))
MEAN, STD = 4.0, 1.25  # of the target
JUDGING = {"collapsed_std": 0.25, "success_w1": 0.25}
ROWS = 2500  # generated samples that are counted at modes
# Of what is no success, in the order of verdicts; and how far off generators are, in target stds.
FAILURES = [0.15, 0.25, 0.1, 0.1, 0.25, 0.15]
SHIFTS = [0.05, 0.05, 0.6, 1.6, 0.6, 0.6, 0.6]
DIMS = ("setting", "seed")
# The losses of D and of G at D = 1/2; of all others nothing is known, nor is D a probability.
REST = {
    "non_saturating": (2 * np.log(2), np.log(2)),
    "saturating": (2 * np.log(2), -np.log(2)),
}
MOMENTS = ["before D", "after D", "after G"]
SOURCES = ["real", "generated"]
POINTS = 256  # real and generated, in a snapshot
SIDE = 41  # of the grid of a 2-D target
PARTS = 100  # of the pretraining


def tricks_sweep() -> dict:
    """The settings of the main job: arguments for `dataset`."""
    rows = [
        (minibatch, noise, matching)
        for minibatch in ("off", "replace")
        for noise in ("", "input noise 0.001", "instance noise 0.1")
        for matching in ("off", "paired")
    ]
    labels = []
    for minibatch, noise, matching in rows:
        parts = ["minibatch replace" * (minibatch != "off"), noise]
        parts.append("feature matching paired" * (matching != "off"))
        labels.append(" + ".join(part for part in parts if part) or "plain")
    swept = {
        "tricks.minibatch": [row[0] for row in rows],
        "tricks.input_noise": [0.001 * row[1].startswith("input") for row in rows],
        "tricks.instance_noise": [0.1 * row[1].startswith("instance") for row in rows],
        "tricks.feature_matching": [row[2] for row in rows],
    }
    return {"settings": labels, "swept": swept}


def dataset(
    settings=("plain", "minibatch replace", "input noise 0.001"),
    seeds=8,
    *,
    swept=None,
    verdict=None,
    unfinished=1,
    log_points=21,
    loss="non_saturating",
    target="normal",
    pretrained=(),
) -> xr.Dataset:
    """Results of `settings` x `seeds` runs.

    Args:
      settings: labels.
      seeds: how many.
      swept: values `[setting]` of each swept field.
      verdict: one or `[seed]`; without it, verdicts are drawn with rates that differ by setting.
        A curve has no modes: what would have lost some is near.
      unfinished: how many runs, counted from the last one, the sweep did not come to.
      log_points: the number of log points, 250 updates apart.
      loss: the config's loss.
      target: "normal" in 1-D, told apart as two modes; "ring", of eight modes, or "curve" in 2-D.
      pretrained: the labels of the settings that pretrain D.
    """
    rng = np.random.default_rng(0)
    labels, swept = list(settings), swept or {}
    shape = (len(labels), seeds)
    step = 250 * np.arange(log_points)

    success = np.linspace(0.1, 0.9, shape[0])[:, None]
    rates = np.concatenate([success, (1 - success) * FAILURES], axis=1)
    intended = np.stack([rng.choice(len(verdicts.VERDICTS), size=seeds, p=p) for p in rates])
    if verdict is not None:
        intended = np.broadcast_to(verdict, shape)
    if target == "curve":
        intended = np.where(intended == verdicts.MODES_LOST, verdicts.NEAR, intended)
    finished = (np.arange(intended.size) < intended.size - unfinished).reshape(shape)
    diverged = intended == verdicts.DIVERGED
    diverged_at = np.where(diverged & finished, rng.integers(1, step[-1], shape), np.nan)

    ratio = np.where(intended == verdicts.COLLAPSED, 0.02, rng.uniform(0.85, 1.1, shape))
    shift = np.array(SHIFTS)[intended] * rng.choice([-1, 1], shape)
    shift = STD * (shift + 0.03 * rng.standard_normal(shape))
    bend = 0.02 * rng.standard_normal((*shape, LEVELS.size))
    quantiles = MEAN + shift[..., None] + STD * ratio[..., None] * np.sort(NORMALS + bend, axis=-1)
    final_w1 = np.abs(quantiles - (MEAN + STD * NORMALS)).mean(-1)

    training = np.exp(-5 * step / step[-1])
    wobble = np.exp(0.1 * rng.standard_normal((*shape, log_points)) * training)
    w1 = (final_w1[..., None] + 4 * training) * wobble
    series = {
        "w1": w1,
        "generated_mean": (MEAN + shift)[..., None] * (1 - training),
        "generated_std": (STD * ratio)[..., None] * (1 - training) + 0.1 * training,
        "loss_d": 2 * np.log(2) - training + 0.05 * rng.standard_normal(w1.shape),
        "loss_g": np.log(2) + training + 0.05 * rng.standard_normal(w1.shape),
        "d_flatness": 0.5 * training + 0 * w1,
    }
    # From half of the training on, D tells all that a collapsed generator makes.
    dead = (intended == verdicts.COLLAPSED)[..., None] & (step >= step[-1] / 2)
    series["loss_d"], series["loss_g"] = (
        np.where(dead, floor, series[name]) for name, floor in (("loss_d", 0.01), ("loss_g", 9.0))
    )
    matching = np.array(swept.get("tricks.feature_matching", ["off"] * shape[0])) != "off"
    series["loss_g"][matching] *= 0.01
    before_d = np.exp(rng.normal(0, 0.3, w1.shape))
    after_d = before_d * np.exp(rng.normal(0.03, 0.05, w1.shape))
    after_g = after_d * np.exp(rng.normal(-0.05, 0.05, w1.shape))
    centroid_distance = np.stack([before_d, after_d, after_g], axis=-1)

    lost = ~finished[..., None] | (step >= diverged_at[..., None])
    series |= _series_of(target, w1) | _structure_of(target, intended, training)
    if target != "normal":
        mean = series["generated_mean"]
        series["generated_mean"] = np.stack([mean, 2 * mean], axis=-1)
        quantiles = np.stack([quantiles, 2 * quantiles], axis=-1)
    series = {name: _without(lost, values) for name, values in series.items()}
    for name in ("loss_d", "loss_g"):
        series[name][..., 0] = np.nan
    real = np.sort(MEAN + STD * rng.standard_normal((200, 1000)), axis=-1)
    expected = np.quantile(MEAN + STD * NORMALS, (np.arange(1000) + 0.5) / 1000)
    per_run = {
        "diverged_at": diverged_at,
        "finished": np.int8(finished),
    }
    kinds = np.broadcast_to(swept.get("loss.kind", loss), shape[:1])
    rest = np.array([REST.get(kind, (np.nan, np.nan)) for kind in kinds])
    per_setting = {
        "loss_d_rest": np.float32(rest[:, 0]),
        "loss_g_rest": np.float32(np.where(matching, np.nan, rest[:, 1])),
        "g_matches_features": np.int8(matching),
        "d_is_probability": np.int8(np.isfinite(rest[:, 0])),
    }
    per_target = (
        _target(target)
        | _perfect(target, rng)
        | {
            "target_std": ((), STD),
            "w1_null": (("replicate",), np.abs(real - expected).mean(-1)),
        }
    )
    variables = {
        name: (_curve_dims(name, values), np.float32(values)) for name, values in series.items()
    }
    variables |= {name: (DIMS, values) for name, values in per_run.items()}
    variables |= {
        name: (("setting", *dims), np.tile(np.float32(values), (shape[0], *[1] * len(dims))))
        for name, (dims, values) in per_target.items()
    }
    variables |= {name: (("setting",), values) for name, values in per_setting.items()}
    if "mode_rows" in variables:
        variables["mode_rows"] = (("setting",), np.full(shape[0], ROWS, np.int32))
    dims = (*DIMS, "quantile_level", "dim")[: quantiles.ndim]
    variables["quantiles"] = (dims, np.float32(_without(lost[..., -1:], quantiles)))
    distance = np.float32(_without(lost, centroid_distance))
    variables["centroid_distance"] = ((*DIMS, "step", "moment"), distance)
    if pretrained:
        loss_curve = np.exp(-np.arange(PARTS) / 20 + 0.2 * rng.standard_normal((*shape, PARTS)))
        kept = finished & np.isin(labels, pretrained)[:, None]
        values = np.where(kept[..., None], loss_curve + 0.01, np.nan)
        variables["pretraining_loss"] = ((*DIMS, "part"), np.float32(values))
    config = {
        "judging": JUDGING,
        "loss": {"kind": loss, "label_smoothing": 0.0},
        "tricks": {"feature_matching": "off"},
    }
    coords = {
        "setting": labels,
        "seed": np.arange(seeds),
        "step": step,
        "quantile_level": LEVELS,
        "moment": MOMENTS,
    }
    runs = xr.Dataset(
        variables,
        coords=coords
        | {
            results.coordinate(field): ("setting", values, {"field": field})
            for field, values in swept.items()
        },
        attrs={
            "title": "synthetic",
            "schema": results.SCHEMA,
            "swept": json.dumps(list(swept)),
            "config": json.dumps(config),
            "settled_from": int(step[-max(1, log_points // 4)]),
            "fixed": "target gaussian, target loc 4",
        },
    )
    return results.judged(runs)


def _without(lost, values):
    """`values` `[setting, seed, step, ...]`, NaN where a run is lost."""
    return np.where(lost.reshape(lost.shape + (1,) * (values.ndim - lost.ndim)), np.nan, values)


def _curve_dims(name, values):
    return (*DIMS, "step", "target_mode" if name == "mode_mass" else "dim")[: values.ndim]


def _series_of(target, w1):
    """The distances that only some targets have."""
    if target == "normal":
        return {"ks": 1 - np.exp(-w1)}
    return {"energy": w1**2} | ({} if target == "ring" else {"residual": w1})


def _shares(target):
    """What each of a target's modes holds of it."""
    return np.full({"normal": 2, "ring": 8}[target], 1 / {"normal": 2, "ring": 8}[target])


def _structure_of(target, intended, training):
    """What tells the structure of runs that are to have these verdicts `[setting, seed]`."""
    still = np.ones(training.shape)
    good = np.where(intended == verdicts.BLURRED, 0.3, 0.97)[..., None] * still
    if target == "curve":
        return {"precision": good, "coverage": 0.95 * still * np.ones_like(good)}
    shares = _shares(target)
    lost = (intended == verdicts.MODES_LOST)[..., None]
    left = np.where(lost, np.arange(len(shares)) < len(shares) // 2, True)  # [setting, seed, mode]
    mass = 0.97 * left * shares / (left * shares).sum(-1, keepdims=True)
    found = {"high_quality": good, "mode_mass": mass[:, :, None, :] * still[:, None]}
    if target == "ring":
        hit = left.sum(-1, keepdims=True)
        found["modes"] = np.round(1 + (hit - 1) * (1 - training))
    return found


def _perfect(target, rng):
    """What perfect samplers of a target score, and what its modes are."""
    if target == "curve":
        names = ("precision_null", "coverage_null")
        return {name: (("replicate",), rng.uniform(0.9, 1, 200)) for name in names}
    known = {
        "high_quality_null": (("replicate",), rng.uniform(0.98, 1, 200)),
        "target_mode_share": (("target_mode",), _shares(target)),
        "mode_rows": ((), ROWS),
    }
    return known | ({"modes_null": (("replicate",), np.full(200, 8))} if target == "ring" else {})


def real_points(target, points=POINTS, seed=1):
    """Draws `[point, dim]` from a 2-D target."""
    rng = np.random.default_rng(seed)
    if target == "curve":
        x = 100 * (rng.uniform(size=points) - 0.5)
        return np.stack([x, 10 + x**2], axis=-1)
    angle = 2 * np.pi * rng.integers(8, size=points) / 8
    centres = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return MEAN + 2 * centres + 0.1 * rng.standard_normal((points, 2))


def _target(target):
    """What results keep of a target: dimensions (without setting) and values."""
    if target == "normal":
        x = np.linspace(MEAN - 4 * STD, MEAN + 4 * STD, 201)
        return {
            "target_quantiles": (("quantile_level",), MEAN + STD * NORMALS),
            "target_mean": ((), MEAN),
            "x": (("grid",), x),
            "target_density": (("grid",), scipy.stats.norm.pdf(x, MEAN, STD)),
        }
    points = real_points(target, 4096)
    reach = 2.5 * points.std(axis=0)
    axes = (points.mean(axis=0)[:, None] + reach[:, None] * np.linspace(-1, 1, SIDE)).astype(float)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    return {
        "target_quantiles": (("quantile_level", "dim"), np.quantile(points, LEVELS, axis=0)),
        "target_mean": (("dim",), points.mean(axis=0)),
        "x": (("grid", "dim"), grid),
        "target_samples": (("point", "dim"), points[:POINTS]),
    }


def snapshots(ds: xr.Dataset, seeds=2, points=POINTS, latent_dim=None, features=None) -> xr.Dataset:
    """Snapshots of the first seeds of `ds`.

    Args:
      ds: what `dataset` gives.
      seeds: how many.
      points: generated samples; in 2-D there are as many as real ones.
      latent_dim: by default as many as the target has.
      features: whether D's last hidden layer has two units; by default in 2-D.
    """
    ds = ds.isel(seed=slice(seeds))
    plane = "dim" in ds.x.dims
    rng = np.random.default_rng(3)
    shape = ds.w1.shape
    levels = (np.arange(points) + 0.5) / points
    levels = np.stack([levels, (levels * 97) % 1], axis=-1)[:, : latent_dim or 1 + plane]
    latents = np.tile(2 * levels - 1, (ds.sizes["setting"], 1, 1))
    if plane:
        progress = 1 - np.exp(-ds.step.values / 1000)[:, None, None]
        start = ds.target_mean.values[0] * (0.5 + 0.2 * rng.standard_normal((points, 2)))
        end = ds.target_samples.values[0] + 0.02 * ds.x.values[0].std(0) * start / start.std(0)
        samples = np.broadcast_to(start + progress * (end - start), (*shape, points, 2)).copy()
        collapsed = ds.verdict.values == verdicts.COLLAPSED
        samples[collapsed] = samples[collapsed][..., :1, :] + 0.05 * (
            samples[collapsed] - samples[collapsed][..., :1, :]
        )
        unit = (ds.x.values - ds.target_mean.values[:, None]) / ds.x.values.std(1, keepdims=True)
        waves = np.sin(2 * unit).prod(-1)[:, None, None, :]
    else:
        spread = ds.generated_std.values[..., None] * scipy.stats.norm.ppf(levels[:, 0])
        samples = (ds.generated_mean.values[..., None] + spread)[..., None]
        waves = np.sin(ds.x.values)[:, None, None, :]
    fade = np.exp(-ds.step.values / 3000)[:, None]
    d = 0.5 + 0.3 * fade * waves + 0 * ds.generated_std.values[..., None]
    dims = ("setting", "snapshot_seed", "step")
    samples[ds.finished.values == 0] = np.nan
    variables = {
        "samples": ((*dims, "point", "dim"), np.float32(samples)),
        "latent": (("setting", "point", "latent_axis"), np.float32(latents)),
        "d": ((*dims, "grid"), np.float32(d)),
    }
    if "pretraining_loss" in ds:
        initial = 0.5 + 0.4 * np.tanh(rng.standard_normal((*shape[:2], 1)) * waves[:, :, 0])
        variables["d_initial"] = ((*dims[:2], "grid"), np.float32(initial))
        variables["d_pretrained"] = ((*dims[:2], "grid"), np.float32(2 * initial - 1))
    coords = {
        "setting": ds.setting.values,
        "snapshot_seed": ds.seed.values,
        "step": ds.step.values,
    }
    if plane if features is None else features:
        rows = 0.5 * rng.standard_normal((*shape, 1, 2, 64, 2))
        gap = np.array([[-1, 1], [-1.3, 1.2], [-1.3, 0.8]])  # [moment, source]
        rows = rows + gap[:, :, None, None] * np.array([1, 0.5])
        dims = (*dims, "moment", "source", "row", "feature")
        variables["features"] = (dims, np.float32(rows))
        coords |= {"moment": MOMENTS, "source": SOURCES}
    return xr.Dataset(variables, coords=coords)
