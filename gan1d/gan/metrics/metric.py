"""What a metric is, and what it is a function of."""

import dataclasses
import functools
from collections.abc import Callable, Hashable
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan1d.gan import latents, losses, perceptrons, targets
from gan1d.gan.perceptrons import Variables
from gan1d.gan.players import Players
from gan1d.gan.setting import Setting

T = TypeVar("T")
MODE_ROWS = 2500  # of a generator, by which its modes are judged where there are several


class Reference(NamedTuple):
    """What judging needs of a target, computed once a run."""

    law: Any  # what samples are compared with: the line's slices or plane.Cloud
    real: Array  # [batches, B, X] rows of the target, each batch spread over the whole of it
    x: Array  # [G, X] where D is drawn
    shares: Array | None = None  # [K] of the target at its modes; None where it has none
    # Latents [M, L] that training sees, where those are a few points, and what the samples that are
    # made of them are compared with; None where they are not.
    trained_latents: Array | None = None
    trained_law: Any = None


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """A GAN at one log point.

    What several metrics need is computed once: here, or by any function that is marked `shared`.
    """

    setting: Setting
    variables: Players[Variables]
    reference: Reference
    samples: Array  # [N, X] generated on an even grid of latents
    # Samples [M, X] that aren't generated, for modes or for what training has not seen.
    more: Array | None = None
    _shared: dict[Hashable, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def mode_rows(self) -> Array:
        """Samples `[2500, X]` on an even grid of more latents: several modes are judged by them."""
        if self.more is not None:
            return self.more
        if targets.mode_count(self.setting.target) < 2:
            return self.samples
        return self.generated(latents.grid(self.setting.latent, MODE_ROWS))

    @property
    def unseen_rows(self) -> Array:
        """Samples that training is told apart from: perfect ones are rows that it has not seen."""
        return self.samples if self.more is None else self.more

    @functools.cached_property
    def trained_rows(self) -> Array:
        """Samples `[M, X]` of the latents that training sees, where those are a few points.

        Raises:
          ValueError: they are not.
        """
        if self.reference.trained_latents is None:
            raise ValueError("training sees all of the latents")
        return self.generated(self.reference.trained_latents)

    def generated(self, latent: Array) -> Array:
        """The samples `[N, X]` that the generator makes of latents `[N, L]`."""
        return perceptrons.generate(self.setting, self.variables.g, latent)

    @functools.cached_property
    def ordered(self) -> Array:
        """The samples `[N, X]`, each coordinate sorted on its own."""
        return jnp.sort(self.samples, axis=0)

    @functools.cached_property
    def outputs(self) -> Array:
        """D's raw outputs `[batches, B]` on rows, or packs, of the target, as it is trained on."""
        setting, variables = self.setting, self.variables.d
        return jax.vmap(lambda x: perceptrons.discriminate(setting, variables, x).value)(
            shown(setting, self.reference.real)
        )

    @functools.cached_property
    def probabilities(self) -> Array:
        """The same, read as the loss reads them: 1/2 where D can't tell."""
        return losses.probability(self.setting.loss, self.outputs)


def shown(setting: Setting, batches: Array) -> Array:
    """Batches of rows of the target `[N, B, X]`, which come in order, as D is shown them."""
    if setting.tricks.packing > 1:
        order = np.random.default_rng(0).permutation(batches.shape[1])
        batches = batches.transpose(1, 0, 2)[order].transpose(1, 0, 2)
    return batches.reshape(batches.shape[0], -1, perceptrons.pack_width(setting))


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
    # Of the function's value; "dim" is the data's coordinates, "target_mode" the target's modes.
    dims: tuple[str, ...] = ()
    # Whether a setting has it: by what is not swept as a number, as that isn't known then.
    applies: Callable[[Setting], bool] = _always
    # Whether it is a function of samples, target and reference alone, and not of networks. Results
    # then have what perfect samples score, as NAME_null, if that is one number.
    of_samples_alone: bool = False


def sees_few_latents(setting: Setting) -> bool:
    """Whether training sees the same few points of the latents' law each time, but for jitter."""
    return setting.latent.kind == "stratified"
