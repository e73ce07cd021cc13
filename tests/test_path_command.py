"""python -m gan1d path: the way to where players ended, and eigenvalues there."""

import jax
import numpy as np
import pytest
from helpers import TINY, run_command, setting
from test_laboratory import BILINEAR, GAMMA, penalized, played

import gan1d
from gan1d import results
from gan1d.commands import path as command
from gan1d.engines import one_run
from gan1d.gan import generators, inputs, laboratory, randomness, train
from gan1d.gan.judging import Judging
from gan1d.report import paths
from gan1d.sweep import retrained
from gan1d.sweep.retrained import Retrained

SWEPT = TINY | {
    "judging.generator_seeds": 4,
    "averages.ema": 0.9,
    "sweep": ("generator.activation=tanh,relu discriminator.optimizer.rate=1e-3,1e-2",),
}
TRAINS = "tricks.feature_matching_trains"
MATCHING = TINY | {"tricks.feature_matching": "mean", TRAINS: "g_and_features"}


@pytest.fixture(scope="module", params=["lanes", "xla"])
def folder(request, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param) / "swept"
    gan1d.run(SWEPT, workdir=place, engine=request.param)
    return place


def test_runs_that_are_trained_again_end_as_the_sweep_has_ended(folder):
    """Not as another seed or setting of it, nor by another engine, nor a log point too early."""
    runs = results.load(folder)
    seeds = (int(runs.seed[2]), int(runs.seed[0]))
    again = retrained.retrained(runs, retrained.sweep_of(runs, seeds))
    assert sorted(run[:2] for run in again) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for run in again:
        own = runs.isel(setting=run.setting_index).sel(seed=seeds[run.seed_index])
        assert np.float32(run.w1) == own.w1.values[-1]
        weights = runs.generator_weights.isel(setting=run.setting_index)
        judged = jax.tree.map(lambda leaf: leaf[None], train.judged(run.last).g)
        found = generators.flat(judged)[0]
        kept = weights.sel(generator_seed=seeds[run.seed_index]).values
        np.testing.assert_array_equal(found, kept[: len(found)])


def test_their_beginning_is_not_overwritten_by_training(folder):
    """Memory that training goes on in is no place for it."""
    runs = results.load(folder)
    for run in retrained.retrained(runs, retrained.sweep_of(runs, (1,))):
        started = one_run.start(run.setting, np.uint32(1), Judging()).run
        jax.tree.map(
            lambda found, expected: np.testing.assert_allclose(found, expected, atol=1e-6),
            run.first,
            started.state.params,
        )
        assert not np.allclose(
            run.first.d["output"]["kernel"], run.last.params.d["output"]["kernel"]
        )


def test_every_setting_has_a_row_and_both_figures_are_drawn(folder, capsys):
    assert run_command(command.main, "--draw", str(folder)) == 0
    lines = capsys.readouterr().out.splitlines()
    count = results.load(folder).sizes["seed"]
    names = [name.strip() for name in lines[0].strip("| ").split("|")]
    assert names[:4] == ["#", "n", "attracted %", "bump"]
    for number, line in enumerate(lines[2:4], 1):
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        assert cells[:2] == [str(number), str(count)]
        assert "nan" not in line
    assert f"as recorded in {2 * count} of {2 * count} runs" in "\n".join(lines)
    for name in command.DRAWN:
        assert (folder / "figures" / f"{name}.png").stat().st_size > 10_000


def test_what_is_measured_is_the_laboratorys_of_a_batch_of_2500_rows(folder):
    """And the runs of the seeds that are asked for are where those seeds are."""
    runs = results.load(folder).sel(seed=[3, 1])
    (run, *_) = kept = retrained.retrained(runs, retrained.sweep_of(runs, (3, 1)))
    found = command._measured(runs, kept).isel(setting=run.setting_index, seed=run.seed_index)
    large = command._with_large_batches(run.setting)
    assert (
        command.ROWS <= large.training.batch_size < command.ROWS + run.setting.training.batch_size
    )
    steps = int(runs.step.values[-1])
    batch = inputs.draw(large, randomness.run_key(int(found.seed)), steps)
    v = laboratory.gradients(run.setting, run.last, batch)
    expected = laboratory.path(v, run.first, run.last.params)
    np.testing.assert_allclose(found.path_angle, expected.angle, atol=1e-4)
    np.testing.assert_allclose(found.t, expected.t, atol=1e-6)
    known = found.game_eigenvalue.values[np.isfinite(found.game_eigenvalue.values)]
    numbers = sum(np.size(leaf) for leaf in jax.tree.leaves(run.last.params))
    assert len(known) == numbers and (np.diff(np.abs(known)) <= 0).all()


def test_a_batch_that_is_the_whole_data_set_stays_it():
    """Of more rows than there are some would be of no set."""
    whole = {"training.data_rows": 8, "training.full_batch": True}
    made = setting(**whole, **{"training.batch_size": 8})
    assert command._with_large_batches(made).training.batch_size == 8
    assert command._with_large_batches(setting()).training.batch_size >= command.ROWS


def test_each_player_has_its_own_block_of_the_jacobian():
    """psi theta and R1: nothing of theta alone, gamma of psi alone."""
    one, state, batch = played(**penalized("r1", GAMMA, **BILINEAR))
    run = Retrained(0, 0, one, state.params, state, 0.0)
    game, of_g, of_d = command._spectra(run, batch)
    np.testing.assert_allclose(of_g, [0], atol=1e-6)
    np.testing.assert_allclose(of_d, [GAMMA], rtol=1e-6)
    np.testing.assert_allclose(np.abs(game), 1, rtol=1e-6)


T = np.linspace(*laboratory.PATH, laboratory.POINTS)
ODD, EVEN = np.clip((1 - T) / 0.05, -1, 1), 0.5 * np.exp(-(((1 - T) / 0.03) ** 2))


@pytest.mark.parametrize(
    ("angle", "attracts", "bump"),
    [
        (ODD, True, 0),
        (-ODD, False, 0),
        (EVEN, False, 0.5),
        (-EVEN, False, 0.5),
        (ODD + EVEN, True, 0.5),
    ],
)
def test_attraction_is_the_odd_part_of_the_angle_and_a_bump_its_even_part(angle, attracts, bump):
    both = np.stack([angle, 0 * angle])  # where there is no gradient there is neither
    assert paths.attracted(T, both).tolist() == [attracts, False]
    np.testing.assert_allclose(paths.bump(T, both), [bump, 0], atol=0.05)


def test_rotation_is_of_the_leading_eigenvalues_and_the_lowest_of_all():
    real = np.linspace(2, 1, paths.LEADING) + 0j
    spectra = np.stack(
        [np.append(real, 0.1 + 0.2j), np.append(1 + 1.5j, real), np.append(real, -1)]
    )
    spectra = np.append(spectra, np.full((3, 2), np.nan), axis=1)  # as others have more
    assert paths.rotates(spectra).tolist() == [False, True, False]
    np.testing.assert_allclose(paths.lowest(spectra), [0.1 / 2, 1 / 2, -1 / 2])


def test_networks_of_many_numbers_have_a_path_and_no_eigenvalues(monkeypatch, folder, capsys):
    monkeypatch.setattr(laboratory, "MOST", 10)
    assert run_command(command.main, "--seeds=0:1", str(folder)) == 0
    row = capsys.readouterr().out.splitlines()[2]
    assert [cell.strip() for cell in row.strip("| ").split(" | ")][5:-1] == ["-"] * 4 + ["-, -, -"]


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    place = tmp_path_factory.mktemp("others")
    gan1d.run(MATCHING | {"seeds": "0:2"}, workdir=place / "matching", engine="lanes")
    return place


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "usage"),
        (["none"], "no results here"),
        (["--seeds=1:9", "matching"], "seeds=1:9: the sweep has 0:2; give some of these"),
        (["--seeds=x", "matching"], "seeds=x: write FIRST:END"),
        (["matching"], f"{TRAINS}=g_and_features (in the setting "),
    ],
)
def test_what_has_no_path_is_one_line_and_exit_code_2(others, capsys, arguments, words):
    flags = [each for each in arguments if each.startswith("--")]
    folders = [str(others / each) for each in arguments if not each.startswith("--")]
    assert run_command(command.main, *flags, *folders) == 2
    printed = capsys.readouterr()
    (problem,) = printed.err.splitlines()
    assert words in problem and not printed.out
