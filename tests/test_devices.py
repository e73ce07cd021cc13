"""Several devices in one process: runs are shared out among them, and never talk."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import setting
from jax.sharding import AxisType, Mesh, PartitionSpec

from gan1d import machine
from gan1d.engines import xla
from gan1d.schedule import Judging, Schedule

# What XLA calls what passes numbers between devices.
COLLECTIVES = re.compile(
    r"\b(all-reduce|all-gather|all-to-all|reduce-scatter|collective-\w+|partition-id|send|recv)"
    r"(-start)?\("
)
# Means over rows and kept averages, as whatever could be taken over runs as well.
TRICKS = {
    "tricks.minibatch": "append",
    "tricks.feature_matching": "mean",
    "tricks.historical_averaging": "on",
    "training.batch_size": 4,
    "generator.hidden": (2,),
    "discriminator.hidden": (3, 2),
}


@pytest.fixture
def compiled(monkeypatch):
    """The texts of the programs that are compiled."""
    texts = []
    compile_one = jax.stages.Lowered.compile

    def noted(self, *args, **options):
        made = compile_one(self, *args, **options)
        texts.append(made.as_text())
        return made

    monkeypatch.setattr(jax.stages.Lowered, "compile", noted)
    return texts


def test_no_program_passes_anything_between_devices(compiled):
    """On one machine that is what makes devices independent, and a sweep able to be cut."""
    two = machine.devices(2)
    schedule = Schedule(steps=4, judging=Judging(log_every=2, points=101))
    xla.compile_programs(setting(**TRICKS), schedule, 4, two)
    assert len(compiled) == 4  # start, updates, scores, pictures
    for text in compiled:
        assert "num_partitions=2" in text.splitlines()[0]
        assert not COLLECTIVES.search(text), COLLECTIVES.search(text)


def test_a_program_that_does_would_be_noticed(compiled):
    mesh = Mesh(np.asarray(machine.devices(2)), ("runs",), axis_types=(AxisType.Auto,))
    runs = PartitionSpec("runs")
    for function in (
        lambda x: x - jax.lax.pmean(x, "runs"),
        lambda x: jax.lax.ppermute(x, "runs", [(0, 1), (1, 0)]),
        lambda x: jax.lax.all_gather(x, "runs").sum(0),
    ):
        mapped = jax.shard_map(function, mesh=mesh, in_specs=runs, out_specs=runs)
        jax.jit(mapped).lower(jnp.ones(4)).compile()
    assert len(compiled) == 3 and all(map(COLLECTIVES.search, compiled))
