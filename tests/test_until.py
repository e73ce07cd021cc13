"""Sweeps that end when the answer is known: to how much, at how many seeds, and how honestly."""

import claims
import numpy as np
import pytest
import scipy.stats
import synthetic
from helpers import TINY, run_command, run_main

from gan1d import results
from gan1d.bench import racing
from gan1d.config.experiment import resolve
from gan1d.report import effects, precision, statistics
from gan1d.sweep import api, until
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices
from gan1d.system.progress import Silent

SWEEP = ("loss.kind=non_saturating,hinge", "generator.optimizer.rate=0.001,0.01")
# Of "first; second; third" range of 512 seeds: how many tell the main job's effects to 5 points.
MAIN_JOB = {"main": [256, 256, 256], "main-uniform": [288, 352, 320]}


def raced(met, points, most):
    """The main effects of two factors, on as many seeds as tell them to so many points."""
    levels = {"one": np.array([0, 0, 1, 1]), "other": np.array([0, 1, 0, 1])}
    seeds = precision.BATCH
    while True:
        found = statistics.effects(met[:, :seeds], levels)[:2]
        half_width = max(each.high - each.low for each in found) / 2
        if 100 * half_width <= points or seeds == most:
            return seeds, found
        seeds = precision.seeds_for(points, seeds, half_width, most)


@pytest.mark.parametrize(
    "rates", [(0.5, 0.5, 0.5, 0.5), (0.05, 0.5, 0.02, 0.6), (0.9, 0.95, 0.97, 0.99)]
)
def test_intervals_hold_where_their_width_has_ended_a_sweep(rates):
    """Seeds that all settings share a part of; of one true effect 95% of the intervals have it."""
    rng, rates = np.random.default_rng(0), np.array(rates)
    effect = (rates[2] + rates[3] - rates[0] - rates[1]) / 2
    limits = scipy.stats.norm.ppf(rates)[:, None]
    covered, used = [], []
    for _ in range(400):
        luck = 0.7 * rng.normal(size=(1, 512)) + np.sqrt(0.51) * rng.normal(size=(4, 512))
        seeds, found = raced((luck < limits).astype(float), 8, 512)
        covered.append(found[0].low <= effect <= found[0].high)
        used.append(seeds)
    assert 0.93 <= np.mean(covered) <= 0.99
    assert max(used) < 512


@pytest.mark.parametrize("name", MAIN_JOB)
def test_the_main_jobs_question_is_told_by_half_of_its_seeds(name):
    """With the decisions that all of them lead to, for every effect of five points and more."""
    ranges = [*claims.load(name), claims.third(name)]
    for whole, expected in zip(ranges, MAIN_JOB[name], strict=True):
        seeds, half_width = racing.race(whole, 5)
        assert seeds == expected and half_width <= 0.05
        told, by_all = racing.signs(whole.isel(seed=slice(seeds))), racing.signs(whole)
        main = [e for _, e in effects.find(whole)[0].effects if len(e.levels) == 1]
        large = [abs(effect.estimate) >= 0.05 for effect in main]
        assert any(large)
        np.testing.assert_array_equal(told[large], by_all[large])
        assert (by_all[large] == np.sign([e.estimate for e in main])[large]).all()


def test_ranges_of_a_sweep_are_raced_beside_all_of_their_seeds(tmp_path, capsys):
    swept = {"loss.kind": ["a", "a", "b", "b"], "x.rate": [1.0, 2.0] * 2}
    ds = synthetic.dataset(list("abcd"), seeds=120, swept=swept, unfinished=0, log_points=2)
    results.write(tmp_path / "whole", ds, None, {"config": {}, "complete": True}, {})
    assert run_command(racing.main, "--ranges=2", "--points=40", str(tmp_path / "whole")) == 0
    _, _, first, second, _, used = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in first.split("|")[1:3]] == ["0 to 59", "32"]
    raced = racing.signs(results.load(tmp_path / "whole").isel(seed=slice(60, 92)))
    assert second.split("|")[4].strip() == f"{np.count_nonzero(raced)} of 2"
    assert used == f"runs used: {4 * 2 * 32} of 480"


def test_seeds_for_is_the_need_in_whole_batches_and_within_bounds():
    assert precision.seeds_for(5, 64, 0.10, 1000) == 256  # four times, and no more at once
    assert precision.seeds_for(5, 128, 0.07, 1000) == 288  # 1.05 x 1.96 x 128 = 263.4
    assert precision.seeds_for(5, 128, 0.0501, 1000) == 160  # a batch at least
    assert precision.seeds_for(5, 128, 0.07, 200) == 200


def sweep_of(**fields):
    return Sweep(resolve({**TINY, "sweep": SWEEP, "seeds": "0:200", **fields}))


def trained_until(points, sweep, folder, **options):
    return until.train_until(
        points, sweep, folder, Choices(), report=lambda updates: Silent(), kinds=(), **options
    )


def test_a_sweep_ends_when_its_effects_are_known_and_goes_on_from_there(tmp_path):
    """TINY never succeeds: the width is that of two more seeds that toss coins."""
    published, told = trained_until(5, sweep_of(), tmp_path)
    assert published.runs.sizes["seed"] == 32
    assert "32 of up to 200 seeds are enough" in told
    assert "least known of 2. 672 of 800 runs were not needed" in told
    again, _ = trained_until(5, sweep_of(), tmp_path)
    np.testing.assert_array_equal(again.runs.w1, published.runs.w1)
    more, _ = trained_until(2, sweep_of(), tmp_path)
    found = precision.asked(more.runs)
    assert 32 < more.runs.sizes["seed"] < 200 and found.half_width <= 0.02
    count = more.runs.sizes["seed"]
    one = api.train_and_publish(
        sweep_of(seeds=f"0:{count}"),
        tmp_path / "one",
        Choices(),
        report=lambda updates: Silent(),
        kinds=(),
    )
    np.testing.assert_array_equal(more.runs.w1, one.runs.w1)
    assert results.load_record(tmp_path)["config"]["seeds"] == f"0:{count}"


def test_a_sweep_that_is_not_known_so_well_says_so(tmp_path):
    published, told = trained_until(0.5, sweep_of(seeds="5:45"), tmp_path)
    assert published.runs.seed.values.tolist() == list(range(5, 45))
    assert told.startswith("All 40 seeds are trained, and ")
    assert "not to the 0.5 that were asked for: give more --seeds, or more --until." in told


@pytest.mark.parametrize(
    ("sweep", "what"),
    [
        ((), "the rate of success"),
        (("loss.kind=non_saturating,hinge,least_squares",), "loss=hinge"),
    ],
)
def test_what_is_asked_of_one_setting_and_of_one_factor(sweep, what, tmp_path):
    published, _ = trained_until(50, sweep_of(sweep=sweep), tmp_path)
    assert precision.asked(published.runs).what == what


def test_settings_that_are_no_product_are_compared_with_the_first(tmp_path):
    """Half of the combinations of three factors, in which any two are crossed."""
    half = "loss.kind=non_saturating,non_saturating,hinge,hinge training.sort=true,false,true,false"
    sweep = (f"{half} target.loc=1,2,2,1",)
    published, _ = trained_until(50, sweep_of(sweep=sweep), tmp_path)
    found = precision.asked(published.runs)
    assert " against " in found.what and found.intervals == 3


def test_the_flag_says_what_was_saved_and_refuses_what_it_cannot_do(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.py").write_text(
        "from gan1d.config.experiment import default_config\n\n\n"
        "def get_config():\n    config = default_config()\n"
        f"    config.update_from_flattened_dict({TINY!r})\n"
        "    config.seeds = '0:100'\n    return config\n"
    )
    given = ["--config=tiny.py", "--nofigures", "--workdir=out"]
    assert run_main(*given, "--until=10") == 0
    assert "32 of up to 100 seeds are enough: the rate of success" in capfd.readouterr().out
    assert run_main("--config=tiny.py", "--nofigures", "--workdir=new", "--reuse=out") == 0
    assert results.load(tmp_path / "new").sizes["seed"] == 100
    for flag in ("--shard=0/2", "--partial", "--reuse=out"):
        assert run_main(*given, "--until=10", flag) == 2
        assert "until: not with" in capfd.readouterr().err
