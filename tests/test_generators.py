"""Generators that are kept: those that were judged, sampled from in memory and by a command."""

import json

import jax
import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import scipy.stats
from flax import linen as nn
from flax.traverse_util import unflatten_dict
from helpers import TINY, run_command

import gan1d
from gan1d import results
from gan1d.commands import samples
from gan1d.config import experiment
from gan1d.gan import generators, perceptrons, randomness
from gan1d.report.runs import SelectionError
from gan1d.results import ResultsError, verdicts
from gan1d.sweep import collect
from gan1d.sweep.cohorts import Sweep

KEPT = TINY | {"generator.activation": "tanh", "judging.generator_seeds": 4}
# What is judged is not simply what is trained, and generators differ in their sizes.
SETTINGS = (
    "generator.hidden=(2,),(3,2),(2,),(3,2) generator.norm=off,off,batch,off "
    "averages.ema=0.0,0.0,0.0,0.9"
)


@pytest.fixture(scope="module", params=["lanes", "xla"])
def runs(request):
    plain = {name: value for name, value in KEPT.items() if name != "generator.hidden"}
    return gan1d.run(plain, sweep=SETTINGS, engine=request.param)


def test_what_is_kept_is_what_was_judged(runs):
    """Of each setting: its average if there is one, with running means, without what pads it."""
    assert runs.generator_weights.dims == ("setting", "generator_seed", "weight")
    assert runs.generator_seed.values.tolist() == [0, 1, 2, 3]
    shown = runs.snapshots.isel(step=-1)
    for label in runs.setting.values:
        for seed in shown.snapshot_seed.values:
            found = gan1d.generator(runs, label, int(seed))
            one = shown.sel(setting=label, snapshot_seed=seed)
            np.testing.assert_allclose(found(one.latent.values), one.samples, rtol=1e-5, atol=1e-6)
            assert (
                found.verdict == verdicts.VERDICTS[int(runs.verdict.sel(setting=label, seed=seed))]
            )


@pytest.mark.parametrize("norm, virtual", [("off", "off"), ("off", "on"), ("layer", "off")])
def test_weights_are_in_the_order_that_jax_has_for_them(norm, virtual):
    fields = {"generator.hidden": (3, 2), "generator.norm": norm}
    (made,) = experiment.resolve(fields | {"tricks.virtual_batch_norm": virtual}).settings
    params, kept = perceptrons.init_generator(made, randomness.run_key(1))
    whole = {"params": params} | kept
    expected, _ = jax.flatten_util.ravel_pytree(whole)
    row = generators.flat(jax.tree.map(lambda leaf: leaf[None], whole))
    np.testing.assert_array_equal(row[0], expected)
    assert generators.size(made) == len(expected)
    padded = np.append(row[0], np.float32([np.nan]))
    assert jax.tree.all(jax.tree.map(np.array_equal, generators.variables(made, padded), whole))


@pytest.mark.parametrize("kind", ["uniform", "normal", "stratified"])
def test_latents_are_independent_draws_of_what_was_trained_on(kind):
    config = TINY | {"latent.kind": kind, "steps": 1, "seeds": "0:1"}
    found = gan1d.generator(gan1d.run(config))
    latent = found.latents(20_000)[:, 0]
    law = scipy.stats.norm() if kind == "normal" else scipy.stats.uniform(-8, 16)
    assert scipy.stats.kstest(latent, law.cdf).pvalue > 1e-3
    assert abs(scipy.stats.spearmanr(latent[1:], latent[:-1]).statistic) < 0.03
    np.testing.assert_array_equal(found.sample(10, seed=3), found.sample(10, seed=3))
    assert (found.sample(10, seed=3) != found.sample(10, seed=4)).all()
    with pytest.raises(ValueError, match=r"give \[N, 1\]"):
        found(np.zeros((3, 2)))


def test_what_is_kept_outlives_folders_blocks_and_merges(tmp_path):
    """Of a block with some runs that are kept and some that are not."""
    kept = {**KEPT, "judging.generator_seeds": 3}
    alone = gan1d.run(kept)
    folder = tmp_path / "kept"
    gan1d.run(kept, workdir=folder, block_size=4)
    np.testing.assert_array_equal(gan1d.load(folder).generator_weights, alone.generator_weights)
    found = gan1d.generator(folder, seed=2).sample(5)
    np.testing.assert_array_equal(found, gan1d.generator(alone, seed=2).sample(5))


def test_memory_bounds_how_many_are_kept(monkeypatch):
    made = experiment.resolve(KEPT)
    size = generators.size(made.settings[0])
    monkeypatch.setattr(collect, "GENERATOR_BYTES", 4 * size * 2)
    assert Sweep(made).shape.generator_seeds == 2
    monkeypatch.setattr(collect, "GENERATOR_BYTES", 4 * size - 1)
    assert results.GENERATORS not in Sweep(made).shape.variables.runs


def test_none_are_kept_where_none_are_asked_for():
    runs = gan1d.run(TINY | {"judging.generator_seeds": 0})
    assert results.GENERATORS not in runs and "weight" not in runs.sizes
    with pytest.raises(ResultsError, match=r"judging\.generator_seeds"):
        gan1d.generator(runs)


def test_the_best_run_is_a_success_with_the_lowest_w1(runs):
    """Whatever diverged ones and lower ones that are none have."""
    whole, _ = results.parts(runs)
    whole = whole.copy(deep=True)
    w1, verdict = np.ones_like(whole.settled_w1), np.full_like(whole.verdict, 1)
    w1[0, 0], w1[1, 1], w1[2, 2], w1[3, 3] = 0.1, 0.2, 0.3, 0.0
    verdict[1, 1] = verdict[2, 2] = verdict[3, 3] = verdicts.VERDICTS.index("success")
    whole["settled_w1"] = whole.settled_w1.dims, w1
    whole["verdict"] = whole.verdict.dims, verdict
    whole.diverged_at[3, 3] = 7
    labels = whole.setting.values
    best = gan1d.generator(whole)
    assert (best.label, best.seed) == (labels[1], 1)
    assert gan1d.generator(whole, labels[0]).seed == 0 and gan1d.generator(whole, seed=2).seed == 2
    with pytest.raises(ResultsError, match="it diverged at update 7; choose another run"):
        gan1d.generator(whole, 4, 3)
    with pytest.raises(SelectionError, match="of seeds 0 to 3"):
        gan1d.generator(whole, 4, 5)
    with pytest.raises(SelectionError, match="setting=9: there are: 1 '"):
        gan1d.generator(whole, 9)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A folder of results whose data are gone."""
    folder = tmp_path_factory.mktemp("learned")
    rows = np.random.default_rng(0).normal([10, 5000], [1, 70], (60, 2))
    pd.DataFrame(rows, columns=["bmi", "s5"]).to_csv(folder / "d.csv", index=False)
    target = {"kind": "data", "file": str(folder / "d.csv"), "standardise": "on"}
    config = {**TINY, "target": target, "latent.kind": "normal", "latent.dim": 2}
    gan1d.run(config, sweep=("target.held_out=0.2,0.5",), workdir=folder / "results")
    (folder / "d.csv").unlink()
    return folder / "results"


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".npy"])
def test_new_rows_are_in_the_units_of_the_file_they_were_learned_from(learned, ending, tmp_path):
    path = tmp_path / f"new{ending}"
    assert run_command(samples.main, str(learned), f"--to={path}", "--rows=300", "--seed=1") == 0
    read = {".csv": pd.read_csv, ".tsv": pd.read_table, ".parquet": pd.read_parquet}
    found = pd.DataFrame(np.load(path)) if ending == ".npy" else read[ending](path)
    assert found.shape == (300, 2)
    assert ending == ".npy" or list(found.columns) == ["bmi", "s5"]
    runs = gan1d.load(learned)
    best = gan1d.generator(runs, seed=1)
    assert best.unit[1] > 30 and abs(best.centre[1] - 5000) < 50
    one = runs.sel(setting=best.label, seed=1)
    spread = found.std().values / best.unit  # in the units that were trained in
    np.testing.assert_allclose(spread.mean(), one.generated_std[-1], rtol=0.3)


def test_settings_have_units_of_their_own(learned):
    """The rows that train, and with them the units, differ where another share is held out."""
    first, second = (gan1d.generator(learned, label, 0) for label in (1, 2))
    assert (first.unit != second.unit).all() and (first.centre != second.centre).all()


def test_units_are_those_of_the_settings_own_weights(tmp_path):
    """All else that settings ask of their data being the same."""
    rows = np.random.default_rng(0).normal(10, 1, (60, 2))
    frame = pd.DataFrame({"a": rows[:, 0], "b": rows[:, 1], "v": 1.0, "w": np.linspace(0, 5, 60)})
    frame.sort_values("a").to_csv(tmp_path / "d.csv", index=False)
    target = {"kind": "data", "file": str(tmp_path / "d.csv"), "standardise": "on"}
    target |= {"columns": ("a", "b")}
    config = {**TINY, "target": target, "latent.kind": "normal", "latent.dim": 2}
    runs = gan1d.run(config, sweep={"target.weight": ["w", "v"]})
    weighted, even = (gan1d.generator(runs, number, 0) for number in (1, 2))
    expected = json.loads(runs.attrs["provenance"])["data"]
    assert weighted.centre.tolist() == expected[0]["less"] != expected[1]["less"]
    assert even.centre.tolist() == expected[1]["less"]


def test_weights_are_read_and_used_without_gan1d(learned, tmp_path):
    path = tmp_path / "generator.safetensors"
    assert run_command(samples.main, str(learned), f"--weights={path}", "--setting=1") == 0

    class Plain(nn.Module):
        @nn.compact
        def __call__(self, z):
            hidden = nn.softplus(nn.Dense(2, name="hidden_0")(z))
            return nn.Dense(2, name="output")(hidden)

    variables = unflatten_dict(safetensors.numpy.load_file(path), sep="/")
    found = gan1d.generator(learned, 1)
    latent = found.latents(10)
    made = np.asarray(Plain().apply(variables, latent)) * found.unit + found.centre
    np.testing.assert_allclose(made, found(latent), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: python -m gan1d samples"),
        (["--to=new.xlsx"], "to=new.xlsx: give a name that ends in .csv or .tsv"),
        (["--weights=g.npz"], "weights=g.npz: give a name that ends in .safetensors"),
        (["--to=new.csv", "--seed=99"], "seed=99: generators were kept of seeds 0 to 5"),
        (["--to=new.csv", "--setting=none"], "setting=none: there are: 1 "),
    ],
)
def test_mistakes_are_said_in_a_line(learned, arguments, said, capsys):
    assert run_command(samples.main, str(learned), *arguments) == 2
    assert said in capsys.readouterr().err
