"""A sweep in one call, as from a notebook."""

import ast
import importlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gan1d
from gan1d import results
from gan1d.config.experiment import ConfigError
from gan1d.report import figures
from gan1d.sweep import loop
from gan1d.system import progress, signals

pytestmark = pytest.mark.usefixtures("compiled_once")

TINY = {
    "steps": 10,
    "seeds": "0:3",
    "judging.log_every": 5,
    "generator.hidden": (2,),
    "discriminator": {"hidden": (2,), "optimizer": {"kind": "sgd"}},
}
SWEEP = {"target.loc": [0, 4]}


def test_one_call_gives_a_tree_and_leaves_a_folder_if_asked(tmp_path):
    runs = gan1d.run(TINY, seeds=3, sweep=SWEEP, block_size=8)
    assert runs.w1.dims == ("setting", "seed", "step")
    assert runs.target_loc.values.tolist() == [0, 4]
    assert runs.seed.values.tolist() == [0, 1, 2]
    assert (runs.finished == 1).all()
    record = json.loads(runs.attrs["provenance"])
    assert record["complete"] and record["block_size"] == 8
    assert record["config"] == json.loads(runs.attrs["config"])

    folder = tmp_path / "kept"
    kept = gan1d.run(TINY, seeds=range(3), sweep=SWEEP, block_size=8, workdir=folder)
    assert kept.w1.equals(runs.w1)
    assert kept.snapshots.samples.equals(runs.snapshots.samples)
    assert gan1d.load(folder).identical(kept)
    assert json.loads(kept.attrs["provenance"]).keys() == record.keys()
    assert (folder / "figures" / "densities.png").exists()

    again = gan1d.run(TINY, seeds=[0, 1, 2], sweep=SWEEP, block_size=8, workdir=folder)
    assert again.identical(kept)
    with pytest.raises(ConfigError, match="another sweep"):
        gan1d.run(TINY | {"steps": 11}, seeds=3, sweep=SWEEP, workdir=folder)
    with pytest.raises(ConfigError, match="partial: there is nothing left"):
        gan1d.run(TINY, partial=True, overwrite=True, workdir=folder)


@pytest.mark.parametrize("engine", ["LANES", "foo", None])
def test_an_engine_that_there_is_not_is_refused(engine):
    with pytest.raises(ConfigError, match=f"engine={engine!r}: choose one of auto, lanes, xla"):
        gan1d.run(TINY, engine=engine)


def test_type_checkers_see_what_there_is():
    (block,) = (
        node
        for node in ast.parse(Path(gan1d.__file__).read_text()).body
        if isinstance(node, ast.If)
    )
    seen = {name.name: line.module for line in block.body for name in line.names}
    assert sorted(seen) == gan1d.__all__ and set(seen) <= set(dir(gan1d))
    for name, module in seen.items():
        if name == "report":  # the package, which is called as the function is
            assert callable(gan1d.report)
            continue
        try:
            shown = importlib.import_module(f"{module}.{name}")
        except ImportError:
            shown = getattr(importlib.import_module(module), name)
        assert getattr(gan1d, name) is shown, name


def test_a_signal_waits_until_results_are_written():
    # A shell that starts the tests in the background has them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    written = []
    with pytest.raises(signals.Stopped), signals.noted():
        signal.raise_signal(signal.SIGTERM)
        written.append("results")
    assert written == ["results"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("kept", [False, True])
def test_a_signal_stops_a_sweep_between_chunks_wherever_it_arrives(kept, tmp_path, monkeypatch):
    """Also where Python drops exceptions, as in the garbage collector's callbacks."""
    blocks = []
    own = {"seeds": 3, "sweep": SWEEP, "devices": 1, "block_size": 2}
    own |= {"workdir": tmp_path} if kept else {}
    with pytest.raises(results.ResultsError, match="no "):
        gan1d.run(TINY, **own, partial=True)

    class Signal(progress.Silent):
        def __call__(self, status):
            if status.runs_done > len(blocks):
                blocks.append(status.runs_done)

                class Dropping:
                    def __del__(self):
                        signal.raise_signal(signal.SIGINT)

                Dropping()

    monkeypatch.setattr(progress, "reporter", lambda updates: Signal())
    with pytest.raises(signals.Stopped):
        gan1d.run(TINY, **own)
    assert not (tmp_path / "runs.nc").exists()
    monkeypatch.undo()
    monkeypatch.setattr(figures, "SHOWN", ())
    # What there is can be had, and the same call goes on from there.
    trained = []
    train = loop._train_block
    monkeypatch.setattr(loop, "_train_block", lambda *given: trained.append(1) or train(*given))
    part = gan1d.run(TINY, **own, partial=True)
    assert 0 < (part.finished == 1).sum() < 6 and not trained
    runs = gan1d.run(TINY, **own)
    assert 0 < len(trained) < 3
    whole = gan1d.run(TINY, **own | {"workdir": None})
    assert runs.w1.equals(whole.w1) and runs.snapshots.equals(whole.snapshots)
    assert part.w1.where(part.finished == 1).equals(runs.w1.where(part.finished == 1))
    if not kept:
        assert len(trained) > 3  # all over again: of a sweep that ended nothing is kept


def test_results_and_figures_need_no_jax():
    program = (
        "import sys; sys.modules['jax'] = None; import gan1d, gan1d.report.figures, gan1d.results"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
