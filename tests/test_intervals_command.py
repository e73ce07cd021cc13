"""python -m gan1d intervals: shares of starts, each dynamics against the best D, and refusals."""

import re

import numpy as np
import pytest
from helpers import run_command

from gan1d.commands import intervals as command
from gan1d.gan import intervals

ARGUMENTS = ("--seeds=10:30", "--steps=300", "--d_steps=1")


def cells(line):
    return [cell.strip() for cell in line.strip("| ").split(" | ")]


@pytest.fixture(scope="module")
def found():
    """The same games, without the command."""
    data, seeds = np.float32([-1, 1]), np.arange(10, 30)
    games = [
        intervals.trajectories(data, seeds, 0.1, steps, looks=100, every=3) for steps in (None, 0)
    ]
    return games, [intervals.total_variations(data, each.means) for each in games]


def test_shares_and_differences_are_those_of_the_games(found, capsys):
    assert run_command(command.main, *ARGUMENTS) == 0
    _, _, best, at_once, in_turn, _, caption, _, header, _, against, _ = (
        capsys.readouterr().out.splitlines()
    )
    assert [cells(line)[-1] for line in (best, at_once, in_turn)] == [
        "the best D",
        "at once",
        "in turn",
    ]
    (_, game), far = found
    settled = [np.median(each[:, -11:], axis=1) for each in far]
    met = [each <= 0.05 for each in settled]
    assert 0 < met[1].sum() < met[0].sum()
    for line, values, each in zip((best, at_once), settled, met, strict=True):
        shares = cells(line)
        assert shares[0].startswith(f"{100 * each.mean():.1f} [")
        assert shares[5].startswith(f"{np.median(values):.3g} [")
    sides = np.asarray(game.means)[:, -1] > 0
    assert cells(at_once)[2].startswith(f"{100 * (sides[:, 0] == sides[:, 1]).mean():.1f} [")
    alive = np.asarray(game.d.left < game.d.right)[:, -1].any(1)
    assert cells(at_once)[4].startswith(f"{100 * (~alive).mean():.1f} [")
    assert cells(best)[3:5] == ["-", "-"]
    assert caption == (
        "data at -1 and 1; D of two intervals, union; rate 0.1; 300 updates; seeds: 10:30"
    )
    only = (met[1] & ~met[0]).sum(), (~met[1] & met[0]).sum()
    assert "only it:only the best D" in header
    assert cells(against)[0] == "{}:{}".format(*only)
    points = re.match(r"[+-]\d+\.\d", cells(against)[1]).group()
    assert float(points) == pytest.approx(5.0 * (only[0] - only[1]))


def test_it_is_drawn_where_it_is_asked_for(tmp_path, capsys):
    path = tmp_path / "intervals.svg"
    assert run_command(command.main, *ARGUMENTS, "--mass=signed", f"--plot={path}") == 0
    out = capsys.readouterr().out
    assert "D of two intervals, signed" in out and out.endswith(f"{path}\n")
    drawn = path.read_text()
    assert all(name in drawn for name in ("the best D", "at once", "in turn", "total variation"))


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("results", "results: no such argument"),
        ("--data=1", "data=1: two means are needed"),
        ("--data=a,b", "data=a,b: two means are needed"),
        ("--data=1,1", "data=1,1: two modes are needed"),
        ("--data=nan,1", "data=nan,1: two modes are needed"),
        ("--d_steps=0", "d_steps=0: different whole numbers"),
        ("--d_steps=5,5", "d_steps=5,5: different whole numbers"),
        ("--d_steps=x", "d_steps=x: different whole numbers"),
        ("--steps=150", "steps=150: a multiple of 100"),
        ("--steps=0", "steps=0: a multiple of 100"),
        ("--seeds=5:5", "seeds=5:5: "),
        ("--plot=a.gif", "plot=a.gif: give a name that ends in .png or .pdf or .svg"),
    ],
)
def test_what_can_not_be_played_is_one_line_and_exit_code_2(argument, words, capsys):
    assert run_command(command.main, argument) == 2
    printed = capsys.readouterr()
    (problem,) = printed.err.splitlines()
    assert words in problem and not printed.out
