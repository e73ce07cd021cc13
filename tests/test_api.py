"""A sweep in one call, as from a notebook."""

import signal
import subprocess
import sys

import pytest

import gan1d
from gan1d import results
from gan1d.config.experiment import ConfigError
from gan1d.sweep import loop
from gan1d.system import progress, signals

pytestmark = pytest.mark.usefixtures("compiled_once")

TINY = {
    "steps": 10,
    "seeds": "0:3",
    "judging.log_every": 5,
    "generator.hidden": (2,),
    "discriminator": {"hidden": (2,), "optimizer": {"kind": "sgd"}},
    "sweep": ["target.loc=0,4"],
}


def test_one_call_gives_a_dataset_and_leaves_a_folder_if_asked(tmp_path):
    runs = gan1d.run(TINY, block_size=8)
    assert runs.w1.dims == ("setting", "seed", "step")
    assert runs.target_loc.values.tolist() == [0, 4]
    assert (runs.finished == 1).all()

    folder = tmp_path / "kept"
    kept = gan1d.run(TINY, block_size=8, workdir=folder)
    assert kept.w1.equals(runs.w1)
    assert results.load(folder).w1.equals(runs.w1)
    assert (folder / "figures" / "densities.png").exists()

    with pytest.raises(ConfigError, match="another sweep"):
        gan1d.run(TINY | {"steps": 11}, workdir=folder)


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


def test_a_signal_stops_a_sweep_between_chunks_wherever_it_arrives(tmp_path, monkeypatch):
    """Also where Python drops exceptions, as in the garbage collector's callbacks."""
    blocks = []

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
        gan1d.run(TINY, devices=1, block_size=2, workdir=tmp_path)
    assert not (tmp_path / "runs.nc").exists()
    monkeypatch.undo()
    # The same call goes on from the blocks that are there.
    trained = []
    train = loop._train_block
    monkeypatch.setattr(loop, "_train_block", lambda *given: trained.append(1) or train(*given))
    runs = gan1d.run(TINY, devices=1, block_size=2, workdir=tmp_path)
    assert 0 < len(trained) < 3
    assert runs.equals(gan1d.run(TINY, devices=1, block_size=2))


def test_results_and_figures_need_no_jax():
    program = (
        "import sys; sys.modules['jax'] = None; import gan1d, gan1d.report.figures, gan1d.results"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
