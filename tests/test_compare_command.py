"""python -m gan1d compare and effects: tables of results, or one line that says why not."""

import pytest
import synthetic
from helpers import run_command

from gan1d import results
from gan1d.commands import compare, effects
from gan1d.report import comparisons
from gan1d.report import effects as of_effects

RECORD = {"config": {}, "complete": True}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A sweep whose settings are a product, one whose aren't, one setting, nothing finished."""
    place = tmp_path_factory.mktemp("results")
    made = {
        "product": synthetic.dataset(**synthetic.tricks_sweep(), seeds=6, log_points=4),
        "list": synthetic.dataset(seeds=6, log_points=4),
        "one": synthetic.dataset(["a"], swept={"rate": [0.1]}, log_points=2),
        "nothing": synthetic.dataset(["a", "b"], unfinished=16, swept={"rate": [0.1, 0.2]}),
    }
    for name, runs in made.items():
        results.write(place / name, runs, None, RECORD, {})
    return place


@pytest.mark.parametrize(
    ("asked", "against"),
    [
        ([], "plain"),
        (["--against=2"], "feature matching paired"),
        (["--against=replace + input noise 0.001 + "], synthetic.tricks_sweep()["settings"][9]),
        (["--against=minibatch replace"], "minibatch replace"),
    ],
)
def test_settings_are_compared_with_the_one_that_is_meant(folders, asked, against, capsys):
    assert run_command(compare.main, str(folders / "product"), *asked) == 0
    told = capsys.readouterr().out
    assert told.strip() == comparisons.table(results.load(folders / "product"), against)


def test_effects_are_those_of_the_sweep(folders, capsys):
    assert run_command(effects.main, str(folders / "product")) == 0
    told = capsys.readouterr().out
    assert told.strip() == of_effects.table(results.load(folders / "product"))


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        (compare, [], "usage"),
        (compare, ["none"], "no results here"),
        (compare, ["one"], "one: it has one setting"),
        (compare, ["nothing"], "no seed that 'a' and another setting have finished"),
        (compare, ["product", "--against=noise"], "against=noise: several are meant: 3 "),
        (compare, ["product", "--against=13"], "against=13: there are: 1 'plain'"),
        (effects, [], "usage"),
        (effects, ["none"], "no results here"),
        (effects, ["one"], "one: the settings are no product"),
        (effects, ["list"], "list: the settings are no product"),
        (effects, ["nothing"], "nothing: there is no seed that all settings have finished"),
    ],
)
def test_what_can_not_be_compared_is_one_line(
    folders, command, arguments, words, monkeypatch, capsys
):
    monkeypatch.chdir(folders)
    assert run_command(command.main, *arguments) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert words in line and not printed.out
