"""What a metric is, and what it is a function of."""

import dataclasses
import functools
from collections.abc import Callable, Hashable
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from gan1d.gan import losses, perceptrons
from gan1d.gan.perceptrons import Variables
from gan1d.gan.players import Players
from gan1d.gan.setting import Setting

T = TypeVar("T")


class Reference(NamedTuple):
    """What judging needs of a target, computed once a run."""

    law: Any  # what samples are compared with: line.Edges or plane.Cloud
    real: Array  # [batches, B, X] rows of the target, each batch spread over the whole of it
    x: Array  # [G, X] where D is drawn


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """A GAN at one log point.

    What several metrics need is computed once: here, or by any function that is marked `shared`.
    """

    setting: Setting
    variables: Players[Variables]
    reference: Reference
    samples: Array  # [N, X] generated on an even grid of latents
    _shared: dict[Hashable, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def ordered(self) -> Array:
        """The samples `[N, X]`, each coordinate sorted on its own."""
        return jnp.sort(self.samples, axis=0)

    @functools.cached_property
    def outputs(self) -> Array:
        """D's raw outputs `[batches, B]` on rows of the target, in batches as it is trained on."""
        setting, variables = self.setting, self.variables.d
        return jax.vmap(lambda x: perceptrons.discriminate(setting, variables, x).value)(
            self.reference.real
        )

    @functools.cached_property
    def probabilities(self) -> Array:
        """The same, read as the loss reads them: 1/2 where D can't tell."""
        return losses.probability(self.setting.loss, self.outputs)


def shared(function: Callable[[Judged], T]) -> Callable[[Judged], T]:
    """A function of what is judged whose value several metrics use: it is computed once."""

    @functools.wraps(function)
    def once(judged: Judged) -> T:
        if function not in judged._shared:
            judged._shared[function] = function(judged)
        return judged._shared[function]

    return once


def _always(setting: Setting) -> bool:
    del setting
    return True


class Metric(NamedTuple):
    """A measure of a GAN at a log point, and all that results and figures say of it."""

    function: Callable[[Judged], Array]
    long_name: str
    unit: str = ""  # "" where it has none
    better: Literal["lower", "higher", ""] = ""  # "" where neither is
    dims: tuple[str, ...] = ()  # of the function's value; "dim" is the data's coordinates
    # Whether a setting has it: by what is not swept as a number, as that isn't known then.
    applies: Callable[[Setting], bool] = _always
