"""Every config that is shipped, in each of its variants, can be loaded and trained."""

import dataclasses
import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from gan1d.config import experiment
from gan1d.config.fields import ConfigError
from gan1d.gan import randomness, train
from gan1d.sweep import loop
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices, choose

pytestmark = pytest.mark.usefixtures("compiled_once")

FOLDER = Path(__file__).parents[1] / "configs"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULES = {path.stem: load(path) for path in sorted(FOLDER.glob("*.py"))}
CASES = [
    (name, variant)
    for name, module in MODULES.items()
    for variant in getattr(module, "VARIANTS", [None])
]


def a_few_steps(made, index):
    """One of a sweep's settings, trained for two updates on two seeds and at most 32 rows."""
    rows = min(made.base["training.batch_size"], 32)  # more only take longer to compile
    judging = dataclasses.replace(made.schedule.judging, log_every=2, snapshot_seeds=1)
    return dataclasses.replace(
        made,
        base=made.base | {"training.batch_size": rows},
        points=made.points[index : index + 1],
        labels=made.labels[index : index + 1],
        seeds=made.seeds[:2],
        schedule=dataclasses.replace(made.schedule, steps=2, judging=judging),
    )


@pytest.mark.parametrize("name, variant", CASES)
def test_a_config_resolves_and_trains_a_few_steps(name, variant):
    """Its first setting in earnest, by lanes; of the others, one of each structure is traced."""
    module = MODULES[name]
    command = f"python -m gan1d.main --config=configs/{name}.py"
    assert f"{command}:{variant}" in module.__doc__ if variant else command in module.__doc__
    made = experiment.resolve(module.get_config(variant) if variant else module.get_config(), name)
    assert len(made.seeds) >= 100
    first, *others = Sweep(made).cohorts
    few = a_few_steps(made, int(first.setting_indices[0]))
    runs = loop.run(choose(Sweep(few), Choices(devices=1, engine="lanes"))).runs
    assert (runs.finished == 1).all()
    if variant != "2016-12" and variant != "2016":  # whose logs may well be of 0
        assert np.isfinite(runs.w1).all()
    key = randomness.run_key(0)
    for other in others:
        jax.eval_shape(lambda own: train.advance(own, *started(own, key), 0), other.example())


def started(setting, key):
    return train.start(setting, key)[0], train.draw(setting, key, 0)


@pytest.mark.parametrize(
    "name", [name for name, module in MODULES.items() if "VARIANTS" in vars(module)]
)
def test_an_unknown_variant_lists_those_that_there_are(name):
    with pytest.raises(ConfigError, match=", ".join(MODULES[name].VARIANTS)):
        MODULES[name].get_config("no-such")
