"""Games of two numbers: a generator that is a point theta against D(x) = psi x.

Dirac's GAN (Mescheder et al. 2018, arXiv 1801.04406) and the bilinear game. Their equilibrium is
where theta is the target's mean and psi is 0.
"""

import jax.numpy as jnp
from jax import Array

from gan1d.gan import perceptrons, targets
from gan1d.gan.metrics.metric import Judged, Metric, shared
from gan1d.gan.setting import Setting
from gan1d.gan.targets import data


def is_game(setting: Setting) -> bool:
    """Whether a point on the line plays against a D that is linear in one row, without a bias.

    For a family's mean, which is known without its rows.
    """
    d = setting.discriminator
    return (
        setting.generator.kind == "point"
        and targets.dim(setting.target) == 1
        and setting.target.kind != data.KIND
        and not (d.hidden or d.bias)
        and d.output_activation == "linear"
        and not perceptrons.compares_rows(setting)
    )


@shared
def _slope(judged: Judged) -> Array:
    """Psi, `[]`: D at 1, as it is 0 at 0."""
    rows = jnp.ones((1, 1))
    return perceptrons.discriminate(judged.setting, judged.variables.d, rows).value[0]


def _distance(judged: Judged) -> Array:
    """The Euclidean distance, without squares that overflow or vanish."""
    theta = jnp.abs(judged.samples[0, 0] - targets.mean(judged.setting.target))
    psi = jnp.abs(_slope(judged))
    longer, shorter = jnp.maximum(theta, psi), jnp.minimum(theta, psi)
    return longer * jnp.sqrt(1 + (shorter / jnp.where(longer > 0, longer, 1.0)) ** 2)


METRICS: dict[str, Metric] = {
    "d_slope": Metric(_slope, "slope of a linear D", unit="1 / data units", applies=is_game),
    "equilibrium_distance": Metric(
        _distance,
        "distance of a point generator and D's slope from their equilibrium",
        better="lower",
        applies=is_game,
    ),
}
