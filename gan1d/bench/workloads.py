"""What is measured: the GANs of configs/, which are not part of the package, by their fields.

Pretraining is left out, since it is no update.
"""

import dataclasses
from typing import NamedTuple

from gan1d.config import experiment
from gan1d.config.experiment import Experiment
from gan1d.gan.setting import Setting
from gan1d.sweep.cohorts import Sweep

Fields = dict[str, object]  # of a config, by their full names


class Workload(NamedTuple):
    """One GAN, with the length that its source trains it for."""

    title: str
    fields: Fields
    lanes_steps: int  # updates a measurement: 1024 runs take the lanes engine a second or two
    other_steps: int  # the same for everything else


def _both(**fields: object) -> Fields:
    """The same optimizer for both networks."""
    return {
        f"{network}.optimizer.{field}": value
        for network in ("generator", "discriminator")
        for field, value in fields.items()
    }


_AYLIEN = {"steps": 5000, "judging.log_every": 100, "judging.view": (-8.0, 8.0)} | _both(
    kind="adam_tf1"
)
_AYLIEN_2016 = {
    "discriminator.activation": "tanh",
    "loss.output": "sigmoid",
    "loss.log_floor": 0.0,
    "tricks.minibatch_self_distance": 1.0,
    "training.batch_size": 12,
    "steps": 1200,
    "judging.log_every": 10,
    "judging.view": (-8.0, 8.0),
} | _both(kind="sgd", rate=0.005, decay=0.95, decay_steps=150.0)
_NEURAL_PERSPECTIVE = {
    "target.loc": 0.0,
    "target.scale": 1.0,
    "latent.low": -3.0,
    "latent.high": 3.0,
    "generator.hidden": (10, 10),
    "generator.activation": "tanh",
    "generator.output_activation": "tanh",
    "generator.output_scale": 5.0,
    "discriminator.hidden": (10, 10),
    "discriminator.activation": "tanh",
    "discriminator.output_activation": "tanh",
    "loss.output": "probability",
    "loss.clip": 0.01,
    "loss.log_floor": 0.0,
    "training.batch_size": 200,
    "steps": 10_000,
    "judging.log_every": 500,
    "judging.view": (-5.0, 5.0),
} | _both(kind="momentum", momentum=0.6, rate=0.001, decay=0.95, decay_steps=2500.0)
_QUADRATIC = {
    "target.kind": "quadratic",
    "target.loc": 0.0,
    "target.scale": 1.0,
    "target.noise": 0.0,
    "latent.kind": "uniform",
    "latent.dim": 2,
    "latent.low": -1.0,
    "latent.high": 1.0,
    "generator.hidden": (16, 16),
    "generator.activation": "leaky_relu",
    "generator.kernel_init": "glorot_uniform",
    "discriminator.hidden": (16, 16, 2),
    "discriminator.activation": "leaky_relu",
    "discriminator.last_activation": "linear",
    "discriminator.kernel_init": "glorot_uniform",
    "loss.log_floor": 0.0,
    "training.batch_size": 256,
    "steps": 100_001,
    "judging.log_every": 1000,
    "judging.features": True,
} | _both(kind="rmsprop", rate=0.001, epsilon=1e-10, rms_initial=1.0)

WORKLOADS = {
    "aylien-2016": Workload("AYLIEN 2016: SGD, batch 12", _AYLIEN_2016, 1000, 100),
    "aylien-2017": Workload("AYLIEN 2017: Adam, batch 8", _AYLIEN, 2000, 200),
    "aylien-2017-minibatch": Workload(
        "AYLIEN 2017 with minibatch discrimination",
        _AYLIEN | {"tricks.minibatch": "replace"},
        1000,
        100,
    ),
    "neural_perspective": Workload(
        "Neural Perspective: momentum, batch 200", _NEURAL_PERSPECTIVE, 50, 20
    ),
    "quadratic": Workload("Quadratic, 2-D: RMSProp, batch 256", _QUADRATIC, 50, 10),
}


class Part(Experiment):
    """The first updates of a training, looked at no more often than most of the whole one is.

    The looks at settled generators would crowd in so few updates.
    """

    def log_steps(self) -> list[int]:
        """Every `log_every` updates, and the last one."""
        steps = self.schedule.steps
        return [*range(0, steps, self.schedule.judging.log_every), steps]


def declared(workload: Workload, **changes: object) -> Experiment:
    """A workload as a sweep of one setting, with other `steps` or `seeds` than its source's."""
    return experiment.resolve(workload.fields | changes, "bench")


def part(workload: Workload, steps: int, runs: int) -> Part:
    """So many updates of so many runs of it."""
    made = declared(workload, steps=steps, seeds=f"0:{runs}")
    return Part(**{each.name: getattr(made, each.name) for each in dataclasses.fields(made)})


def setting(workload: Workload) -> Setting:
    """The workload's GAN, without noise that is never drawn."""
    (cohort,) = Sweep(declared(workload)).cohorts
    return cohort.example()
