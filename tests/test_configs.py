"""Every config that is shipped, in each of its variants, can be loaded and trained."""

import dataclasses
import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from gan1d.config import experiment
from gan1d.config.fields import ConfigError
from gan1d.engines import one_run
from gan1d.gan import metrics, train
from gan1d.sweep import loop
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices, choose

pytestmark = pytest.mark.usefixtures("compiled_once")

MOST = 3  # structures of a variant that others of its file, or other files, have as well
FOLDER = Path(__file__).parents[1] / "configs"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULES = {
    path.relative_to(FOLDER).with_suffix("").as_posix(): load(path)
    for path in sorted(FOLDER.rglob("*.py"))
}
CASES = [
    (name, variant)
    for name, module in MODULES.items()
    for variant in getattr(module, "VARIANTS", [None])
]
FIRST = dict(reversed(CASES))  # variant of each file; that of a paper's own size is not


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


ROWS = np.random.default_rng(0).normal(size=(50, 2))  # of configs that need a file


def resolved(name, variant):
    module = MODULES[name]
    config = module.get_config(variant) if variant else module.get_config()
    if config.target.kind == "data":
        config.target.file = ""
        with config.unlocked():
            config.target.array = ROWS
    return experiment.resolve(config, name)


@pytest.mark.parametrize("name, variant", CASES)
def test_a_config_resolves_and_can_be_trained_and_judged(name, variant):
    """A setting of each structure is traced; of files with very many, in their first variant."""
    command = f"python -m gan1d.main --config=configs/{name}.py"
    assert (f"{command}:{variant}" if variant else command) in MODULES[name].__doc__
    made = resolved(name, variant)
    to_a_point = made.base["target.scale"] == 1e-30  # whatever the seed
    assert len(made.seeds) >= (1 if to_a_point else 100)

    def trained_and_judged(own, seed):
        run, reference, _ = one_run.start(own, seed, made.schedule.judging)
        run = one_run.update(own, seed, run, 0)
        return one_run.score(own, reference, train.judged(run.state), run.loss_sums)

    cohorts = Sweep(made).cohorts
    every = variant == FIRST[name] and not name.startswith("atlas/")
    for cohort in cohorts if every else cohorts[:MOST]:
        own = cohort.example()
        own = one_run.bound(own, metrics.rows(own.target, made.schedule.judging))
        jax.eval_shape(trained_and_judged, own, 0)


@pytest.mark.parametrize("name, variant", FIRST.items())
def test_a_setting_of_each_file_trains_a_few_steps(name, variant):
    few = a_few_steps(resolved(name, variant), 0)
    runs = loop.run(choose(Sweep(few), Choices(devices=1, engine="lanes"))).runs
    assert (runs.finished == 1).all() and np.isfinite(runs.w1).all()


@pytest.mark.parametrize(
    "name", [name for name, module in MODULES.items() if "VARIANTS" in vars(module)]
)
def test_an_unknown_variant_lists_those_that_there_are(name):
    with pytest.raises(ConfigError, match=", ".join(MODULES[name].VARIANTS)):
        MODULES[name].get_config("no-such")
