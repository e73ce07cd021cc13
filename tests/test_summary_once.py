"""The summary of a sweep is the longest of what is derived from results: it is computed once."""

import pytest
from helpers import run_main

from gan1d.report import figures, tables

CONFIG = """
from helpers import TINY

from gan1d.config.experiment import default_config

def get_config():
    config = default_config()
    config.update_from_flattened_dict(TINY)
    config.sweep = ("target.loc=1,2,3", "latent.jitter=0.01,0.02")
    return config
"""


@pytest.mark.usefixtures("compiled_once")
def test_the_main_job_computes_its_summary_once(tmp_path, monkeypatch, capsys):
    calls = []
    summary = tables.summary
    monkeypatch.setattr(tables, "summary", lambda runs: calls.append(runs) or summary(runs))
    (tmp_path / "tiny.py").write_text(CONFIG)
    workdir = tmp_path / "results"
    arguments = [f"--config={tmp_path / 'tiny.py'}", f"--workdir={workdir}", "--devices=1"]
    assert run_main(*arguments) == 0
    assert len(calls) == 1 and calls[0].sizes["setting"] == 6
    drawn = {path.stem for path in (workdir / "figures").iterdir()}
    # Of what a sweep shows those that apply: on the line, of two swept fields.
    assert drawn == set(figures.SHOWN) - {"samples", "columns"}
    assert "| target loc 1" in capsys.readouterr().out
