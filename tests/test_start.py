"""How a command starts: what it needs not is not imported, and nothing is found out twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import run_main

from gan1d.gan import spec
from gan1d.results import blocks, files

HEAVY = ("jax", "flax", "optax", "xarray", "pandas", "scipy", "matplotlib", "bokeh")
# What of these is imported once a program has ended, in whatever way.
PROGRAM = """
import atexit, json, sys
heavy, code = json.loads(sys.argv.pop(1)), sys.argv.pop(1)
atexit.register(lambda: print("imported:", *(name for name in heavy if name in sys.modules)))
exec(code)
"""
MAIN = "from gan1d import main; main.COMMAND.start()"
LAUNCH = "from launch import local; local.COMMAND.start()"
TINY = """
from beside import STEPS
from gan1d.config.experiment import default_config

def get_config():
    config = default_config()
    config.steps = STEPS
    config.seeds = "0:6"
    config.generator.hidden = config.discriminator.hidden = (2,)
    config.judging.log_every = 5
    config.sweep = ("target.loc=0,4",)
    return config
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a config beside another module, and one to call from."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "tiny.py").write_text(TINY)
    (tmp_path / "own" / "beside.py").write_text("STEPS = 10\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    yield tmp_path
    sys.modules.pop("beside", None)


def started(code, *arguments):
    """The exit code of a new process, what it prints, and what heavy modules it has imported."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(HEAVY), code, *arguments]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
    printed, _, imported = done.stdout.rpartition("imported:")
    return done.returncode, printed + done.stderr, imported.split()


def test_the_package_is_imported_without_jax():
    assert started("import gan1d; gan1d.run")[2] != []  # so this tells
    assert started("import gan1d") == (0, "", [])
    assert started("import gan1d; gan1d.default_config()") == (0, "", [])


def test_help_needs_no_jax():
    code, printed, imported = started(MAIN, "--help")
    assert code == 0 and "tricks.instance_noise=0: " in printed
    assert "<auto|lanes|xla>" in printed and imported == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--no_such_flag"], "no_such_flag"),
        (["--engine=none"], "engine=none"),
        (["--config.stepz=1"], "stepz"),
        (["--config.target.scale=-1"], "target.scale=-1"),
        (["--seeds=0:0"], "holds no seed"),
        (["--sweep=tricks.minibach=off"], "tricks.minibatch"),
        (["--sweep=tricks.minibatch=replace", "--config.discriminator.hidden=()"], "hidden layers"),
        (["--shard=2/2"], "shard=2/2"),
        (["--partial", "--overwrite"], "partial"),
    ],
)
def test_a_refusal_needs_no_jax(place, arguments, words):
    config = f"--config={place}/own/tiny.py"
    code, printed, imported = started(MAIN, config, *arguments)
    assert code == 2 and words in printed and imported == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--help"], "--shards"), (["go"], "give run, status, merge"), (["--seeds=0:0"], "no seed")],
)
def test_nor_does_a_launcher(place, arguments, words):
    _, printed, imported = started(LAUNCH, *arguments, f"--config={place}/own/tiny.py")
    assert words in printed and not {"jax", "flax", "optax", "matplotlib"} & set(imported)


def test_what_is_there_already_is_shown_without_jax(place):
    own = [f"--config={place}/own/tiny.py", "--nofigures", "--devices=2"]
    assert run_main(*own) == 0
    code, printed, imported = started(MAIN, *own)
    assert code == 0 and "holds this sweep already" in printed
    assert "xarray" in imported and "jax" not in imported


def test_a_config_file_imports_what_lies_beside_it_from_any_working_folder(place, capfd):
    for given in (["--config=../own/tiny.py"], ["--config", f"{place}/own/tiny.py"]):
        assert run_main(*given, "--dry_run") == 0
        assert "runs x 10 updates" in capfd.readouterr().out
        sys.modules.pop("beside")
    assert str(place / "own") not in sys.path


OWN_LOSS = """
import gan1d
from gan1d.config.experiment import default_config
import beside

@gan1d.register.loss("linear", slope=gan1d.register.number(1.0, "slope"))
def linear(loss, real, fake):
    return beside.slope(loss) * (fake - real), -fake

def get_config():
    config = default_config()
    config.steps, config.seeds, config.judging.log_every = 10, "0:4", 5
    config.generator.hidden = config.discriminator.hidden = (2,)
    return config
"""


def test_a_loss_of_ones_own_is_chosen_shown_and_part_of_the_sweep(place):
    """In processes of their own, as a launcher starts them."""
    (place / "own" / "lossy.py").write_text(OWN_LOSS)
    helper = place / "own" / "beside.py"
    helper.write_text("def slope(loss):\n    return loss.slope\n")
    own = ["--config=../own/lossy.py", "--config.loss.kind=linear", "--config.loss.slope=0.5"]
    own += ["--nofigures", "--devices=1", "--block_size=2"]
    code, printed, _ = started(MAIN, "--config=../own/lossy.py", "--help")
    assert code == 0 and "loss.slope=1: slope" in printed
    code, printed, _ = started(MAIN, *own)
    assert code == 0, printed
    helper.write_text(helper.read_text() + "# changed\n")
    code, printed, _ = started(MAIN, *own)
    assert code == 2 and "registered.beside.py=" in printed
    record = files.read_json(place / "elsewhere" / "results" / "lossy" / "config.json")
    assert record["registered"].keys() == {"beside.py", "lossy.py"}
    assert record["config"]["loss"]["slope"] == 0.5


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("more", [[], ["--partial"], ["--shard=0/2"], ["--dry_run"]])
def test_settings_are_built_and_the_plan_is_read_once_a_start(place, monkeypatch, more):
    own = ["--config=../own/tiny.py", "--nofigures", "--devices=2", "--block_size=4"]
    assert run_main(*own, "--shard=1/2") == 0  # so there is something to go on from
    built, read = [], []
    builder, read_json = spec.builder, files.read_json

    def counted(*given):
        build = builder(*given)
        return lambda point: built.append(point) or build(point)

    def read_and_noted(path):
        read.append(path.name)
        return read_json(path)

    monkeypatch.setattr(spec, "builder", counted)
    monkeypatch.setattr(files, "read_json", read_and_noted)
    assert run_main(*own, *more) == 0
    assert sorted(point for point in built if point) == [(0.0,), (4.0,)]
    assert read.count(blocks.PLAN) == 1
