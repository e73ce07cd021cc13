"""Every config that is shipped, in each of its variants, can be loaded and trained."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from gan1d import experiment, keys, layout, metrics, train
from gan1d.fields import ConfigError

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


def a_few_steps(setting, schedule, key):
    """A run's first two updates, then its scores: what the engine compiles, of one GAN."""
    run, _ = train.start(setting, key)
    reference = metrics.reference(setting, schedule.judging)
    run = jax.lax.fori_loop(
        0,
        2,
        lambda step, run: train.advance(setting, run, train.draw(setting, key, step), step),
        run,
    )
    return run, metrics.evaluate(setting, run.state.params, reference)


@pytest.mark.parametrize("name, variant", CASES)
def test_a_config_resolves_and_trains_a_few_steps(name, variant):
    """Its first setting in earnest; of the others, one of each structure is traced."""
    module = MODULES[name]
    command = f"python -m gan1d.main --config=configs/{name}.py"
    assert f"{command}:{variant}" in module.__doc__ if variant else command in module.__doc__
    made = experiment.resolve(module.get_config(variant) if variant else module.get_config(), name)
    assert len(made.seeds) >= 100
    key = keys.run_key(0)
    first, *others = (cohort.example() for cohort in layout.group(made))
    few = jax.jit(a_few_steps, static_argnums=1).lower(first, made.schedule, key)
    # Compiled in a hurry: it runs two steps only.
    hurried = few.compile(compiler_options={"xla_backend_optimization_level": 0})
    run, scores = hurried(first, key)
    if variant != "2016-12" and variant != "2016":  # whose logs may well be of 0
        assert run.diverged_at == -1
    assert np.isfinite(scores["w1"])
    for other in others:
        jax.eval_shape(lambda setting: a_few_steps(setting, made.schedule, key), other)


@pytest.mark.parametrize(
    "name", [name for name, module in MODULES.items() if "VARIANTS" in vars(module)]
)
def test_an_unknown_variant_lists_those_that_there_are(name):
    with pytest.raises(ConfigError, match=", ".join(MODULES[name].VARIANTS)):
        MODULES[name].get_config("no-such")
