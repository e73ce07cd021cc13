"""The command line, from end to end, as a user calls it."""

import json
import subprocess
import sys

import pytest
from helpers import run_main

from gan1d import results

CONFIG = """
from gan1d.config.experiment import default_config

def get_config(variant="sgd"):
    config = default_config()
    config.generator.optimizer.kind = variant
    config.generator.hidden = (2,)
    config.discriminator.hidden = (2,)
    config.steps = 20
    config.seeds = "0:3"
    config.judging.log_every = 10
    config.sweep = ("generator.optimizer.rate=0.01,0.02",)
    return config
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("main")
    (folder / "tiny.py").write_text(CONFIG)
    (folder / "broken.py").write_text("from gan1d import experiment\n1 / 0\n")
    (folder / "keyed.py").write_text("def get_config():\n    known = {}\n    return known['x']\n")
    (folder / "empty.py").write_text("STEPS = 5\n")
    (folder / "misspelt.py").write_text(CONFIG.replace("config.steps", "config.stepz"))
    return folder


@pytest.fixture
def call(place, monkeypatch, capfd):
    """Call the command line in this process."""
    monkeypatch.chdir(place)

    def run(*arguments):
        code = run_main("--devices=2", *arguments)
        out, errors = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, out, errors)

    return run


def start(place, *arguments):
    """Call it as users do."""
    command = [sys.executable, "-m", "gan1d.main", "--devices=2", *arguments]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_sweep_from_start_to_end(place, call):
    done = start(place, "--config=tiny.py")
    assert done.returncode == 0, done.stderr
    assert "| G rate 0.02" in done.stdout
    folder = place / "results" / "tiny"
    for name in (
        "runs.nc",
        "config.json",
        "summary.csv",
        "summary.md",
        "report.html",
        "figures/verdicts.png",
    ):
        assert (folder / name).stat().st_size > 0
        assert name in done.stdout
    runs = results.load(folder)
    assert dict(runs.sizes) | {"setting": 2, "seed": 3, "step": 12} == dict(runs.sizes)
    record = json.loads((folder / "config.json").read_text())
    assert record["complete"] is True
    assert record["config"]["generator"]["optimizer"]["kind"] == "sgd"
    assert record["versions"]["jax"]
    assert (folder / "summary.md").read_text().split("\n\n", 1)[1].strip() in done.stdout

    again = call("--config=tiny.py")
    assert again.returncode == 0
    assert "holds this sweep already" in again.stdout

    other = call("--config=tiny.py", "--seeds=5:8", "--config.steps=30")
    assert other.returncode == 2
    assert "steps=20 there, 30 now" in other.stderr
    assert "seeds='0:3' there, '5:8' now" in other.stderr
    assert results.load(folder).equals(runs)

    replaced = call("--config=tiny.py", "--seeds=5:7", "--overwrite", "--nofigures")
    assert replaced.returncode == 0, replaced.stderr
    assert results.load(folder).seed.values.tolist() == [5, 6]
    assert "figures" not in replaced.stdout
    assert not list(folder.glob("figures/*")) and not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["config: give one, FILE.py or a name"]),
        (["--config=absent.py"], ["absent.py", "no such file"]),
        (
            ["--config=tiny.py", "--config.generator.optimizer.rate=0.001"],
            ["generator.optimizer.rate=0.001: it is swept"],
        ),
        (["--config=broken.py"], ["division by zero (ZeroDivisionError in ", "broken.py, line 2)"]),
        (["--config=keyed.py"], ["KeyError in ", "keyed.py, line 3"]),
        (["--config=empty.py"], ["a config file defines get_config()"]),
        (["--config=keyed.py:short"], ["config=keyed.py:short: it has no variants"]),
        (["--config=misspelt.py"], ["stepz", "steps"]),
        (["--config=tiny.py", "--config.training.batchsize=4"], ["training.batch_size"]),
        (["--config=tiny.py", "--config.steps=abc"], ["steps='abc'", "whole number"]),
        (["--config=tiny.py", "--config.target.scale=-1"], ["target.scale=-1", "above 0"]),
        (["--config=tiny.py", "--config.generator.hidden=(2,'a')"], ["generator.hidden"]),
        (["--config=tiny.py", "--sweep=tricks.minibach=off"], ["tricks.minibatch"]),
        (["--config=tiny.py", "--sweep=tricks.minibatch=replace"], ["hidden layers"]),
        (["--config=tiny.py", "--seeds=0:2,1:3"], ["overlap"]),
        (["--config=tiny.py", "--seeds=0:0"], ["holds no seed"]),
        (["--config=tiny.py", "--block_size=3", "--workdir=none"], ["block_size=3"]),
        (["--config=tiny.py", "--shard=0/2", "--block_size=3", "--workdir=none"], ["block_size=3"]),
        (
            ["--config=tiny.py", "--shard=0/99", "--workdir=none/such"],
            ["shards=99: there is only 1 block"],
        ),
        (["--config=tiny.py", "--partial", "--workdir=none/such"], ["no finished blocks here"]),
        (["--config=tiny.py", "--workdir=tiny.py/under"], ["workdir=tiny.py/under"]),
        (["--config=tiny.py", "--no_such_flag"], ["no_such_flag"]),
        (["--config=tiny.py", "stray"], ["stray"]),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(place, call, arguments, words):
    before = sorted(place.rglob("*"))
    done = call(*arguments)
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("gan1d: ")]
    assert len(lines) == 1
    assert [path for path in sorted(place.rglob("*")) if "__pycache__" not in str(path)] == [
        path for path in before if "__pycache__" not in str(path)
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--config.steps=abc", "--config.target.scale=-1", "--config.stepz=1"],
            ["steps='abc'", "target.scale=-1", "stepz"],
        ),
        (
            ["--seeds=x", "--sweep=target.loc=a,b", "--sweep=q=1", "--config.judging.view=(3,1)"],
            ["seeds=x", "target.loc='a'", "target.loc='b'", "q: ", "judging.view=(3,1)"],
        ),
    ],
)
def test_all_problems_are_told_at_once(call, arguments, words):
    done = call("--config=tiny.py", *arguments)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == len(words)
    for word in words:
        assert any(word in line for line in lines)


def test_the_record_says_what_was_run_on_what(call, place):
    given = ["--config.target.loc", "1", "--seeds", "0:2", "--sweep=target.scale=1,2"]
    assert call("--config=tiny.py", "--nofigures", "--workdir=told", *given).returncode == 0
    record = json.loads((place / "told" / "config.json").read_text())
    told = ["--config.target.loc=1", "--seeds=0:2", "--sweep=target.scale=1,2"]
    assert record["overrides"] == told
    assert record["config"]["target"]["loc"] == 1.0
    told = ("command", "started", "finished", "devices", "cohorts", "seconds", "python")
    told += ("platform", "host", "processor", "source")
    assert all(record[name] for name in told) and "git" in record
    assert record["seconds"].keys() >= {"training", "judging", "total"}
    inside = json.loads(results.load(place / "told").attrs["provenance"])
    assert {name: record[name] for name in inside} == inside
    assert inside.keys() >= set(told)


def test_a_dry_run_expands_and_touches_nothing(place, call):
    more = ["--seeds=8", "--sweep=loss.kind=saturating,least_squares"]
    done = call("--config=tiny.py:adam", "--dry_run", *more)
    assert done.returncode == 0, done.stderr
    assert "G rate 0.02 + loss least_squares" in done.stdout
    assert "4 settings x 8 seeds = 32" in done.stdout
    assert "cohorts: 2" in done.stdout
    assert "results/tiny-adam" in done.stdout
    assert not (place / "results" / "tiny-adam").exists()


def test_what_has_no_effect_is_said_and_counted_once(call):
    axis = "--sweep=tricks.minibatch=off,replace tricks.minibatch_kernels=7,7"
    fields = ["--config.discriminator.hidden=(2,2)", "--config.generator.optimizer.b1=0.5"]
    done = call("--config=tiny.py", "--dry_run", *fields, axis)
    assert done.returncode == 0, done.stderr
    assert "generator.optimizer.b1=0.5: no effect unless generator.optimizer.kind is" in done.stderr
    more = "--sweep=tricks.minibatch=off,off,replace tricks.minibatch_kernels=7,8,7"
    done = call("--config=tiny.py", "--dry_run", *fields, more)
    assert "6 points are 4 settings" in done.stderr and "4 settings x 3 seeds" in done.stdout


def test_help_lists_flags_and_fields(place):
    done = start(place, "--help")
    assert "--seeds" in done.stdout
    assert "tricks.instance_noise=0: std of normal noise on D's inputs, real and" in done.stdout


def test_an_unknown_variant_is_one_line_that_lists_the_variants(place, call):
    (place / "variants.py").write_text(
        "from gan1d.experiment import variant\n"
        "VARIANTS = {'short': {'steps': 5}, 'long': {'steps': 50}}\n"
        "def get_config(name='short'):\n"
        "    return variant(VARIANTS, name)\n"
    )
    done = call("--config=variants.py:medium")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == "gan1d: config: no variant 'medium'; there are short, long"
    assert "x 50 updates" in call("--config=variants.py:long", "--dry_run").stdout


def test_one_flag_adds_animations(place, call):
    done = call("--config=tiny.py", "--animation", "--nofigures", "--workdir=moving")
    assert done.returncode == 0, done.stderr
    drawn = {path.suffix for path in (place / "moving" / "figures").iterdir()}
    assert ".gif" in drawn and ".png" not in drawn
    again = call("--config=tiny.py", "--workdir=moving")
    assert "python -m gan1d draw moving" in again.stdout


@pytest.mark.parametrize("given", [["--config=plain"], ["--config", "aylien:2016"], ["plain"]])
def test_shipped_configs_go_by_their_names_from_anywhere(tmp_path, monkeypatch, capsys, given):
    monkeypatch.chdir(tmp_path)
    assert run_main(*given, "--dry_run") == 0
    name = given[-1].removeprefix("--config=").replace(":", "-")
    assert f"results: results/{name}" in capsys.readouterr().out
    # A file of one's own has that name for itself.
    (tmp_path / "plain").write_text("def get_config(): raise ValueError('my own')")
    assert run_main("--config=plain", "--dry_run") == 2
    assert "my own" in capsys.readouterr().err


def test_a_config_that_is_not_there_is_one_line_that_lists_those_that_are(capsys):
    assert run_main("--config=nonsense", "--dry_run") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "nonsense: there is no such file; shipped are aylien, " in line


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["nonsense"], "nonsense: neither a flag nor a config; shipped are aylien, "),
        (["plain", "steps=200"], "steps=200: neither a flag nor a config; overrides are --config."),
        (
            ["plain", "--config=sweep"],
            "plain: neither a flag nor a config; overrides are --config.",
        ),
        ([], "config: give one, FILE.py or a name; shipped are aylien, "),
    ],
)
def test_what_is_no_flag_names_one_config(capsys, given, words):
    assert run_main(*given, "--dry_run") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_launcher_is_a_command_of_two_words():
    command = [sys.executable, "-m", "gan1d", "launch", "local", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "--shards" in done.stdout
