"""What the bench counts, what it measures and what it writes; never how long anything takes."""

import json
import subprocess
import sys

import numpy as np
import pytest
from helpers import config_of

from gan1d.bench import contenders, report, workloads
from gan1d.bench.trial import Seconds, Trial
from gan1d.config import experiment
from gan1d.engines import cost

CONFIGS = {
    "aylien-2016": ("aylien", "2016", {}),
    "aylien-2017": ("aylien", "2017", {}),
    "aylien-2017-minibatch": ("aylien", "2017", {"tricks.minibatch": "replace"}),
    "neural_perspective": ("neural_perspective", "gan", {}),
    "quadratic": ("quadratic", "post", {}),
}


@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_a_workload_is_what_its_config_trains_but_for_pretraining(name):
    file, variant, changed = CONFIGS[name]
    config = config_of(file, variant)
    config.sweep = ()
    config.update_from_flattened_dict(changed)
    shipped = experiment.resolve(config)
    measured = workloads.declared(workloads.WORKLOADS[name], seeds="0:200")

    def fields(made):
        return {k: v for k, v in made.base.items() if not k.startswith("pretraining.")}

    assert fields(measured) == fields(shipped)
    assert measured.schedule == shipped.schedule
    assert measured.base["pretraining.steps"] == 0


def test_every_workload_can_be_counted():
    counts = {
        name: cost.of_update(workloads.setting(workload))
        for name, workload in workloads.WORKLOADS.items()
    }
    # D's matrix products alone, batch 8: (1x8 + 8x8 + 8x8 + 8x1) x 2 x 8 forward, on three batches.
    assert counts["aylien-2017"] > 3 * 144 * 2 * 8
    assert counts["aylien-2017-minibatch"] > counts["aylien-2017"]
    assert counts["quadratic"] > counts["neural_perspective"] > counts["aylien-2016"]


def test_a_short_measurement_is_weighted_as_the_whole_training():
    """AYLIEN 2017 has 5000 updates and 56 log points; the initial weights come once."""
    workload = workloads.WORKLOADS["aylien-2017"]
    trial = Trial(runs=10, steps=100, log_points=2, compile_seconds=None, measure=Seconds)
    seconds = Seconds(training=2.0, judging=0.4, rest=3.0)
    rate = contenders.updates_per_second(workload, trial, seconds)
    assert rate == pytest.approx(10 * 5000 / (100.0 + 11.2 + 3.0))


@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_a_measurement_is_looked_at_no_more_often_than_the_whole_training(name):
    """Ten looks at settled generators in the last 5 of 50 updates would cost more than those."""
    workload = workloads.WORKLOADS[name]
    part = workloads.part(workload, workload.lanes_steps, 3)
    looks = part.log_steps()
    assert looks[0] == 0 and looks[-1] == part.schedule.steps == workload.lanes_steps
    apart, every = np.diff(looks), workloads.declared(workload).schedule.judging.log_every
    assert (apart[:-1] == every).all() and 0 < apart[-1] <= every


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "gan1d.bench", "--quick", "--workloads=aylien-2017"]
    # Compiled in a hurry, as conftest.py has it: nothing looks at how long it takes.
    done = subprocess.run([*command, f"--workdir={folder}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_quick_run_writes_every_number(quick):
    folder, _ = quick
    record = json.loads((folder / "bench.json").read_text())
    assert {"versions", "processor"} <= set(record["provenance"])
    (measured,) = record["workloads"].values()
    assert {"jit(vmap(scan))", "xla", "lanes, 1 thread"} <= set(measured["contenders"])
    for cell in measured["contenders"].values():
        assert len(cell["seconds"]) == len(cell["updates_per_second"]) == record["rounds"] == 1
        assert np.isfinite(cell["updates_per_second"]).all()
    assert list(record["scaling"]["seconds"]) == ["64", "256"]
    assert (folder / "bench.png").stat().st_size > 10_000


def test_a_quick_run_prints_tables_of_equal_rows(quick):
    folder, printed = quick
    written = (folder / "bench.md").read_text()
    assert written.strip() in printed
    for table in written.strip().split("\n\n"):
        assert len({line.count("|") for line in table.splitlines()}) == 1
        assert len(table.splitlines()) >= 3


def test_ratios_are_to_the_first_contender():
    def cell(rate, compile_seconds):
        return {"updates_per_second": [rate], "compile_seconds": compile_seconds, "seconds": []}

    slow = {"jit(vmap(scan))": cell(1e5, 3.0), "lanes, 1 thread": cell(1.25e6, 4.0)}
    record = {
        "peak": {"1": [1e11]},
        "workloads": {
            "aylien-2016": {"operations": 8000, "contenders": slow | {"PyTorch": cell(5e2, None)}},
        },
    }
    (first,) = report.throughput(record).splitlines()[2:]
    assert first.split(" | ")[1:] == [
        *("100,000", "1,250,000 (12x)", "500 (0.0050x)", "8,000", "10%", "3.0", "4.0 |")
    ]


def test_costs_of_a_sweeps_settings_are_relative_to_the_first(tmp_path):
    (tmp_path / "pair.py").write_text(
        "from gan1d import default_config\n\n\ndef get_config():\n"
        "    config = default_config()\n    config.sweep = ('penalty.kind=off,r1',)\n"
        "    return config\n"
    )
    command = [sys.executable, "-m", "gan1d.bench.settings", f"--config={tmp_path / 'pair.py'}"]
    done = subprocess.run([*command, "--rounds=1", "--updates=2"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    plain, penalised = ([c.strip() for c in r.split("|")] for r in done.stdout.splitlines()[2:])
    assert plain[1] == "plain" and plain[4] == "1.00" and penalised[1] == "penalty"
    assert float(penalised[2]) > 0 and float(penalised[4]) > 0


@pytest.mark.parametrize("flag", ["--networks=2-128", "--runs=few"])
def test_networks_and_numbers_of_runs_that_are_none_are_named(flag):
    done = subprocess.run(
        [sys.executable, "-m", "gan1d.bench.wide", flag], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"{flag.removeprefix('--')}: give ")


def test_an_unknown_workload_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "gan1d.bench", "--workloads=no-such"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("workloads=no-such: there are aylien-2016")
