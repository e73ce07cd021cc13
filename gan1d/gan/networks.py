"""What networks are made of: activations, initial weights, and the fields that choose them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gan1d.gan.optimizers import OptimizerFields
from gan1d.gan.spec import OFF, choice, field, number, pytree, section
from gan1d.system.lazy import Array, jax, jnp, nn

KINDS = ("perceptron", "point")  # of generators
NORMS = (OFF, "batch", "layer")
PERCEPTRON = ("kind", "perceptron")  # what `only` says of several fields

SAME = "same"  # as all hidden layers
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: nn.relu(x),
    # TensorFlow 1's default slope, which the tutorials used; today's default elsewhere is 0.01.
    "leaky_relu": lambda x: nn.leaky_relu(x, negative_slope=0.2),
    "tanh": lambda x: jnp.tanh(x),
    "sigmoid": lambda x: nn.sigmoid(x),
    "softplus": lambda x: nn.softplus(x),
    "elu": lambda x: nn.elu(x),
    "gelu": lambda x: nn.gelu(x),
    "silu": lambda x: nn.silu(x),
    "linear": lambda x: x,
}


def _flax(name: str, said: str, *given: float) -> Callable[..., Array]:
    """One of flax's initializers, made when it is used, and what is said of it."""

    def initializer(*arguments: Any, **options: Any) -> Array:
        return getattr(nn.initializers, name)(*given)(*arguments, **options)

    initializer.__doc__ = said
    return initializer


def _orthogonal(key: Array, shape: tuple[int, int], dtype: Any = np.float32) -> Array:
    """A uniformly random matrix whose rows or columns, whichever are fewer, are orthonormal.

    Saxe et al. 2014 (arXiv 1312.6120): by Gram and Schmidt, in place of flax's factorisation, which
    lanes have not.
    """
    long, short = max(shape), min(shape)
    drawn = jax.random.normal(key, (short, long), dtype)

    def with_row(basis: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
        place, values = row
        for _ in range(2):  # the second time takes off what rounding has left
            values = values - (basis @ values) @ basis
        values = values / jnp.sqrt((values**2).sum())
        return basis + place[:, None] * values[None], None

    rows = jnp.eye(short, dtype=dtype), drawn
    basis, _ = jax.lax.scan(with_row, jnp.zeros((short, long), dtype), rows)
    return basis if shape[0] == short else basis.T


def _within_root(key: Array, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """Uniform within 1 / sqrt(fan-in): what PyTorch's nn.Linear starts from."""
    bound = shape[0] ** -0.5
    return jax.random.uniform(key, shape, dtype, -bound, bound)


HE = "He et al. 2015 (arXiv 1502.01852)."
GLOROT = "sqrt(2 / (fan-in + fan-out)): (Xavier) Glorot & Bengio 2010."
LECUN = "1 / sqrt(fan-in): LeCun et al. 1998."
# Unit initializers; a network's kernel_scale multiplies what they draw. Biases start at zero, but
# beside torch_linear, whose biases are drawn as its weights are.
INITIALIZERS: dict[str, Callable[..., Array]] = {
    "normal": _flax("normal", "Normal, of std 1 whatever the layer's size.", 1.0),
    "orthogonal": _orthogonal,
    "torch_linear": _within_root,
    "he_uniform": _flax("he_uniform", f"Uniform, of std sqrt(2 / fan-in): {HE}"),
    "glorot_uniform": _flax(
        "glorot_uniform", f"Uniform, of std {GLOROT} What keras.layers.Dense starts from."
    ),
    "glorot_normal": _flax("glorot_normal", f"Normal, cut at two stds, of std {GLOROT}"),
    "he_normal": _flax("he_normal", f"Normal, cut at two stds, of std sqrt(2 / fan-in): {HE}"),
    "lecun_normal": _flax("lecun_normal", f"Normal, cut at two stds, of std {LECUN}"),
    "ones": _flax("constant", "All are 1, or what kernel_scale makes of it.", 1.0),
}


@pytree
class GeneratorFields:
    """The generator."""

    kind: str = choice(
        "perceptron",
        "a perceptron, or a point that all latents are taken to",
        KINDS,
        label="G kind",
    )
    hidden: tuple[int, ...] = field(
        (4,),
        "units of each hidden layer",
        low=1,
        high=4096,
        unit="units",
        label="G hidden",
        only=PERCEPTRON,
    )
    activation: str = choice(
        "softplus",
        "hidden activation (leaky_relu: of slope 0.2 below 0)",
        ACTIVATIONS,
        label="G activation",
        only=PERCEPTRON,
    )
    last_activation: str = choice(
        SAME,
        "activation of the last hidden layer",
        (SAME, *ACTIVATIONS),
        label="G last activation",
        only=PERCEPTRON,
    )
    output_activation: str = choice(
        "linear",
        "activation of the output",
        ACTIVATIONS,
        label="G output",
        only=PERCEPTRON,
    )
    output_scale: float = number(
        1.0, "factor on the output", low=0, open_low=True, unit="ratio", label="G output scale"
    )
    kernel_init: str = choice("normal", "weights", INITIALIZERS, label="G init")
    kernel_scale: float = number(
        1.0, "factor on the initial weights", unit="ratio", label="G init scale"
    )
    bias: bool = field(True, "its layers have biases", label="G bias", only=PERCEPTRON)
    norm: str = choice(
        OFF,
        "hidden layers are normalised, before their activation, over the batch (Ioffe & Szegedy "
        "2015, arXiv 1502.03167; running means are judged) or over a row (Ba et al. 2016, arXiv "
        "1607.06450)",
        NORMS,
        label="G norm",
        neutral=OFF,
        only=PERCEPTRON,
    )
    optimizer: OptimizerFields = section(OptimizerFields())


@pytree
class DiscriminatorFields:
    """The discriminator."""

    hidden: tuple[int, ...] = field(
        (8, 8, 8), "units of each hidden layer", low=1, high=4096, unit="units", label="D hidden"
    )
    activation: str = choice(
        "relu",
        "hidden activation (leaky_relu: of slope 0.2 below 0)",
        ACTIVATIONS,
        label="D activation",
    )
    maxout: int = field(
        1,
        "linear pieces of a hidden unit, the largest of which is what is activated (Goodfellow et "
        "al. 2013, arXiv 1302.4389; 1: it has but one)",
        low=1,
        high=64,
        unit="pieces",
        label="maxout",
        neutral=1,
    )
    last_activation: str = choice(
        SAME,
        "activation of the last hidden layer",
        (SAME, *ACTIVATIONS),
        label="D last activation",
    )
    output_activation: str = choice(
        "linear", "activation of the output", ACTIVATIONS, label="D output"
    )
    kernel_init: str = choice("normal", "weights", INITIALIZERS, label="D init")
    kernel_scale: float = number(
        1.0, "factor on the initial weights", unit="ratio", label="D init scale"
    )
    bias: bool = field(True, "its layers have biases", label="D bias")
    output_scale: float = number(
        1.0, "factor on the output", low=0, open_low=True, unit="ratio", label="D output scale"
    )
    norm: str = choice(
        OFF,
        "hidden layers are normalised over the batch, real and generated rows apart (Ioffe & "
        "Szegedy 2015, arXiv 1502.03167), or over a row (Ba et al. 2016, arXiv 1607.06450)",
        NORMS,
        label="D norm",
        neutral=OFF,
    )
    spectral_norm: str = choice(
        OFF,
        "weights are divided by their largest singular value, by one power iteration a step of D "
        "(Miyato et al. 2018, arXiv 1802.05957)",
        (OFF, "on"),
        label="spectral norm",
        neutral=OFF,
    )
    dropout: float = number(
        0.0,
        "share of hidden units that are left out in a step, of a real row and of the generated one "
        "in its place alike (Srivastava et al. 2014)",
        low=0,
        high=0.99,
        unit="ratio",
        label="dropout",
        neutral=0.0,
        vanishes=True,
    )
    weight_clip: float = number(
        0.0,
        "all its weights are kept within this distance of 0 (Arjovsky et al. 2017, arXiv "
        "1701.07875; 0: they aren't)",
        low=0,
        unit="weight units",
        label="weight clip",
        neutral=0.0,
        vanishes=True,
    )
    optimizer: OptimizerFields = section(OptimizerFields())


def hidden_activations(network: GeneratorFields | DiscriminatorFields) -> list[str]:
    """Of each hidden layer, of which the last may have one of its own."""
    names = [network.activation] * len(network.hidden)
    if network.last_activation != SAME:
        names[-1] = network.last_activation
    return names
