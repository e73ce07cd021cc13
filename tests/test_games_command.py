"""python -m gan1d games: how games ended beside their theory, or one line that says why not."""

import numpy as np
import pytest
import synthetic
from helpers import config_of, run_command

import gan1d
from gan1d import results
from gan1d.commands import games
from gan1d.results import verdicts

PLAYERS = ("generator", "discriminator")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two of the bilinear games, for a while, and what is no game."""
    place = tmp_path_factory.mktemp("results")
    config = config_of("games", "quadratic")
    axis = "training.order=simultaneous,generator_first averages.lookahead=0,5"
    config.update({"steps": 20, "seeds": "0:2", "sweep": (axis,)})
    gan1d.run(config, workdir=place / "games", engine="lanes")
    record = {"config": {}, "complete": True}
    results.write(place / "others", synthetic.dataset(["a"], log_points=2), None, record, {})
    return place


def test_every_game_has_its_distance_eigenvalues_and_radius(folders, capsys):
    assert run_command(games.main, str(folders / "games")) == 0
    _, _, at_once, ahead, _, caption = capsys.readouterr().out.splitlines()
    number, distance, eigenvalues, radius, setting = at_once.strip("| ").split(" | ")
    assert (number.strip(), setting) == ("1", "order simultaneous")
    assert float(distance) == pytest.approx(2**0.5 * 1.04**10, rel=1e-4)
    assert eigenvalues.strip() in ("+1i, -1i", "-1i, +1i")
    assert float(radius) == pytest.approx(1.04**0.5, abs=2e-6)
    # G first, and every five updates half of the way back.
    g_first = np.array([[1, 0], [-0.2, 1]]) @ np.array([[1, 0.2], [0, 1]])
    matrix = (np.eye(2) + np.linalg.matrix_power(g_first, 5)) / 2
    _, distance, _, radius, _ = ahead.strip("| ").split(" | ")
    expected = np.hypot(*np.linalg.matrix_power(matrix, 4) @ [1, -1])
    assert float(distance) == pytest.approx(expected, rel=1e-4)
    expected = np.abs(np.linalg.eigvals(matrix)).max() ** (1 / 5)
    assert float(radius) == pytest.approx(expected, abs=2e-6)
    assert "20 updates; seeds: 2" in caption


def test_a_point_is_judged_by_how_far_it_is():
    """Not by its std, which is 0 as its target's is, or by a structure that it can't have."""
    config = config_of("games", "quadratic")
    axis = " ".join(f"{player}.optimizer.weight_decay=1,0.2,0" for player in PLAYERS)
    config.update({"steps": 60, "sweep": (axis,)})
    config.training.order = "simultaneous"
    runs = gan1d.run(config, engine="lanes")
    distance = runs.settled_w1.values[:, 0]
    assert distance[0] < 1e-4 and 0.1 < distance[1] < 0.9 and 1 < distance[2] < 10
    assert [verdicts.VERDICTS[code] for code in runs.verdict.values[:, 0]] == [
        "success",
        "near",
        "far",
    ]


def test_games_are_drawn_with_their_theory(folders, capsys, monkeypatch):
    whole = []
    monkeypatch.setattr(
        games.drawing, "draw_all", lambda folder, runs, *_: whole.append(runs) or []
    )
    assert run_command(games.main, "--draw", str(folders / "games")) == 0
    (runs,) = whole
    np.testing.assert_array_equal(runs.place.values[0, [0, -1]].min(0) <= [0, 0], True)
    # The losses are psi theta and its negative: psi rises with -theta, theta with psi.
    theta, psi = runs.place.values[0].T
    np.testing.assert_allclose(runs.field.values[0], np.stack([psi, -theta], -1), atol=1e-6)
    steps = 0.2 * games.PARTS
    of_update = runs.update_eigenvalue.values[0, :, :2]
    np.testing.assert_allclose(of_update.real, 1, atol=1e-6)
    np.testing.assert_allclose(np.abs(of_update.imag), steps[:, None] * [1, 1], atol=1e-6)
    np.testing.assert_allclose(
        np.abs(runs.flow_eigenvalue.values[0].imag), np.sin(steps)[:, None] * [1, 1], atol=1e-6
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "usage"), (["none"], "no results here"), (["others"], "others: there is no game in it")],
)
def test_what_is_no_game_is_one_line_and_exit_code_2(folders, capsys, arguments, words):
    arguments = [str(folders / name) for name in arguments]
    assert run_command(games.main, *arguments) == 2
    printed = capsys.readouterr()
    (problem,) = printed.err.splitlines()
    assert words in problem and not printed.out
