"""The f-GANs of Nowozin et al. 2016 (arXiv 1606.00709): D's loss is minus a divergence's bound.

D's raw output v is made the variational function g_f(v) (table 2): D minimises -g_f(v(x)) +
f*(g_f(v(G(z)))), simplified here so that nothing overflows on the way. G minimises the bound
itself, as in equation 4, or, with loss.f_generator=alternative, -g_f(v(G(z))), section 3.2. An
output enters an exponential within +-20, and has no gradient beyond. The bound named GAN there is
`saturating`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from gan1d.gan.losses.loss import Loss
from gan1d.system.lazy import Array, jax, jnp

if TYPE_CHECKING:
    from gan1d.gan.losses import LossFields

BOUND, ALTERNATIVE = F_GENERATORS = ("bound", "alternative")
LARGEST = 20.0  # an output in an exponential


def _exp(x: Array) -> Array:
    return jnp.exp(jnp.clip(x, -LARGEST, LARGEST))


def _divergence(
    name: str,
    of_real: Callable[[Array], Array],
    of_fake: Callable[[Array], Array],
    ratio: Callable[[Array], Array],
    rest: float = 0.0,
) -> Loss:
    """A divergence's pair of losses.

    Args:
      name: the divergence's.
      of_real: -g_f(v).
      of_fake: f*(g_f(v)).
      ratio: log(p / q), the target's density over the generator's, by the optimal v.
      rest: that v where they are equal.
    """

    def g(loss: "LossFields", real: Array, fake: Array) -> Array:
        return of_real(fake) if loss.f_generator == ALTERNATIVE else -of_fake(fake)

    def read(loss: "LossFields", output: Array) -> Array:
        return jax.nn.sigmoid(ratio(output))

    return Loss(
        f"f-GAN of the {name}: Nowozin et al. 2016 (arXiv 1606.00709)",
        d=lambda loss, real, fake: of_real(real) + of_fake(fake),
        g=g,
        rest=lambda loss: rest,
        read=read,
        estimate=read,
    )


KL = _divergence("KL divergence", lambda v: -v, lambda v: _exp(v - 1), lambda v: v - 1, rest=1.0)
REVERSE_KL = _divergence("reverse KL divergence", lambda v: _exp(-v), lambda v: v - 1, lambda v: v)
PEARSON = _divergence(
    "Pearson divergence",
    lambda v: -v,
    lambda v: 0.25 * v**2 + v,
    # Below -2 there is no such ratio.
    lambda v: jnp.log(jnp.maximum(1 + 0.5 * v, 1e-30)),
)
SQUARED_HELLINGER = _divergence(
    "squared Hellinger distance",
    lambda v: _exp(-v) - 1,
    lambda v: _exp(v) - 1,
    lambda v: 2 * v,
)
JENSEN_SHANNON = _divergence(
    "Jensen-Shannon divergence",
    lambda v: jax.nn.softplus(-v) - np.log(2),
    lambda v: jax.nn.softplus(v) - np.log(2),
    lambda v: v,
)
