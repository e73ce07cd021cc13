"""Every config that is shipped can be loaded and trained."""

import importlib.util
from pathlib import Path

import pytest

from gan1d import experiment, machine, sweep

FOLDER = Path(__file__).parents[1] / "configs"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_config_resolves_and_trains_a_few_steps(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert f"python -m gan1d.main --config=configs/{path.name}" in module.__doc__
    config = module.get_config()
    assert len(experiment.resolve(config, path.stem).seeds) >= 100
    config.seeds = "0:1"
    config.steps = 3
    machine.enable_compilation_cache()
    made = experiment.resolve(config, path.stem)
    runs = sweep.run(made, sweep.layout(made, 2, 16)).runs
    assert (runs.finished == 1).all()
    assert (runs.diverged_at == -1).all()
