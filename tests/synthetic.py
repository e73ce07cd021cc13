"""Made-up results with every outcome in them, following the schema of runs.nc."""

import json

import numpy as np
import scipy.stats
import xarray as xr

from gan1d import stats

LEVELS = np.linspace(0, 1, 101)
NORMALS = scipy.stats.norm.ppf(np.clip(LEVELS, 0.002, 0.998))
MEAN, STD = 4.0, 1.25  # of the target
JUDGING = {"collapsed_std": 0.25, "success_w1": 0.25}
DIMS = ("setting", "seed")


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
    outcome=None,
    unfinished=1,
    log_points=21,
    loss="non_saturating",
) -> xr.Dataset:
    """Results of `settings` x `seeds` runs.

    Args:
      settings: labels.
      seeds: how many.
      swept: values `[setting]` of each swept field.
      outcome: one or `[seed]`; without it, outcomes are drawn with rates that differ by setting.
      unfinished: how many runs, counted from the last one, the sweep did not come to.
      log_points: the number of log points, 250 updates apart.
      loss: the config's loss.
    """
    rng = np.random.default_rng(0)
    labels, swept = list(settings), swept or {}
    shape = (len(labels), seeds)
    step = 250 * np.arange(log_points)

    success = np.linspace(0.1, 0.9, shape[0])[:, None]
    rates = np.concatenate([success, (1 - success) * [0.5, 0.35, 0.15]], axis=1)
    intended = np.stack([rng.choice(4, size=seeds, p=p) for p in rates])
    if outcome is not None:
        intended = np.broadcast_to(outcome, shape)
    finished = (np.arange(intended.size) < intended.size - unfinished).reshape(shape)
    diverged = intended == stats.DIVERGED
    diverged_at = np.where(diverged & finished, rng.integers(1, step[-1], shape), -1)

    ratio = np.where(intended == stats.COLLAPSED, 0.02, rng.uniform(0.85, 1.1, shape))
    shift = np.where(intended == stats.SUCCESS, 0.05, 0.6) * rng.choice([-1, 1], shape)
    shift = STD * (shift + 0.03 * rng.standard_normal(shape))
    target = MEAN + STD * NORMALS
    bend = 0.02 * rng.standard_normal((*shape, LEVELS.size))
    quantiles = MEAN + shift[..., None] + STD * ratio[..., None] * np.sort(NORMALS + bend, axis=-1)
    final_w1 = np.abs(quantiles - target).mean(-1)

    training = np.exp(-step / 1000)
    wobble = np.exp(0.1 * rng.standard_normal((*shape, log_points)) * training)
    w1 = (final_w1[..., None] + 4 * training) * wobble
    series = {
        "w1": w1,
        "ks": 1 - np.exp(-w1),
        "mean": (MEAN + shift)[..., None] * (1 - training),
        "std": (STD * ratio)[..., None] * (1 - training) + 0.1 * training,
        "loss_d": 2 * np.log(2) - training + 0.05 * rng.standard_normal(w1.shape),
        "loss_g": np.log(2) + training + 0.05 * rng.standard_normal(w1.shape),
        "d_flatness": 0.5 * training + 0 * w1,
    }
    matching = np.array(swept.get("tricks.feature_matching", ["off"] * shape[0])) != "off"
    series["loss_g"][matching] *= 0.01
    lost = ~finished[..., None] | ((diverged_at >= 0)[..., None] & (step >= diverged_at[..., None]))
    series = {name: np.where(lost, np.nan, values) for name, values in series.items()}
    for name in ("loss_d", "loss_g"):
        series[name][..., 0] = np.nan
    quantiles = np.where(lost[..., -1:], np.nan, quantiles)

    x = np.linspace(MEAN - 4 * STD, MEAN + 4 * STD, 201)
    code = stats.classify(
        final_w1=series["w1"][..., -1],
        final_std=series["std"][..., -1],
        target_std=np.full((shape[0], 1), STD),
        diverged_at=diverged_at,
        finished=finished,
        **JUDGING,
    )
    real = np.sort(MEAN + STD * rng.standard_normal((200, 1000)), axis=-1)
    null = np.abs(real - np.quantile(target, (np.arange(1000) + 0.5) / 1000)).mean(-1)
    config = {"judging": JUDGING, "loss": {"kind": loss}, "tricks": {"feature_matching": "off"}}
    flags = {
        "flag_values": [-1, 0, 1, 2, 3],
        "flag_meanings": "unfinished success off_target collapsed diverged",
    }

    def of_target(values):
        return np.broadcast_to(np.float32(values), (shape[0], *np.shape(values))).copy()

    return xr.Dataset(
        {name: ((*DIMS, "step"), np.float32(values)) for name, values in series.items()}
        | {
            "diverged_at": (DIMS, np.int32(diverged_at)),
            "finished": (DIMS, np.int8(finished)),
            "outcome": (DIMS, code, flags),
            "quantiles": ((*DIMS, "level"), np.float32(quantiles)),
            "target_quantiles": (("setting", "level"), of_target(target)),
            "target_mean": ("setting", of_target(MEAN)),
            "target_std": ("setting", of_target(STD)),
            "x": (("setting", "grid"), of_target(x)),
            "target_density": (("setting", "grid"), of_target(scipy.stats.norm.pdf(x, MEAN, STD))),
            "w1_null": (("setting", "replicate"), of_target(null)),
        },
        coords={"setting": labels, "seed": np.arange(seeds), "step": step, "level": LEVELS}
        | {field: ("setting", values) for field, values in swept.items()},
        attrs={
            "title": "synthetic",
            "swept": json.dumps(list(swept)),
            "config": json.dumps(config),
        },
    )


def snapshots(ds: xr.Dataset, seeds=2, points=64) -> xr.Dataset:
    """Snapshots of the first seeds of `ds`."""
    ds = ds.isel(seed=slice(seeds))
    latent = np.linspace(-1, 1, points)
    spread = ds["std"].values[..., None] * np.sqrt(3)
    samples = ds["mean"].values[..., None] + spread * latent
    d = 0.5 + 0.3 * np.sin(ds.x.values)[:, None, None, :] + 0 * ds.w1.values[..., None]
    latents = np.tile(latent[:, None], (ds.sizes["setting"], 1, 1))
    dims = ("setting", "snapshot_seed", "step")
    return xr.Dataset(
        {
            "samples": ((*dims, "point", "dim"), np.float32(samples)[..., None]),
            "latent": (("setting", "point", "latent_dim"), np.float32(latents)),
            "d": ((*dims, "grid"), np.float32(d)),
        },
        coords={
            "setting": ds.setting.values,
            "snapshot_seed": ds.seed.values,
            "step": ds.step.values,
        },
    )
