"""Setting: one point of a sweep, a value for every field of one GAN.

A Setting is a pytree whose leaves are the traced numbers; its tree structure holds everything that
changes the traced program. So settings whose tree structures are equal share one compilation, and
`vmap` maps over the numbers. No other module lists the fields again.
"""

from gan1d.gan import latents, losses, networks, optimizers, targets, tricks
from gan1d.gan.spec import choice, field, number, pytree, section

# What `Spec.only` says of several fields.
MIXTURE = ("kind", "mixture")
CROSS_ENTROPY = ("kind", "non_saturating", "saturating")
ADAM = ("kind", "adam", "adam_tf1")
SWITCH = ("off", "on")
MINIBATCH = ("minibatch", "append", "replace")


@pytree
class Target:
    """The distribution to be learned."""

    kind: str = choice("gaussian", "family", targets.FAMILIES, label="target")
    loc: float = number(4.0, "location", unit="data units", label="target loc")
    scale: float = number(
        0.5, "scale", low=0, open_low=True, unit="data units", label="target scale"
    )
    weights: tuple[float, ...] = number(
        (0.5, 0.5),
        "mixture: weights, normalised",
        low=0,
        open_low=True,
        unit="ratio",
        label="weights",
        only=MIXTURE,
    )
    means: tuple[float, ...] = number(
        (-2.0, 2.0),
        "mixture: means, before loc and scale",
        unit="target scales",
        label="means",
        only=MIXTURE,
    )
    stds: tuple[float, ...] = number(
        (0.5, 0.5),
        "mixture: standard deviations",
        low=0,
        open_low=True,
        unit="target scales",
        label="stds",
        only=MIXTURE,
    )
    noise: float = number(
        0.02,
        "2-D: std of the normal noise around the curve or the modes, before scale",
        low=0,
        unit="target scales",
        label="target noise",
        only=("kind", *targets.PLANE),
    )
    modes: int = field(
        8,
        "ring: modes; grid: modes along a side",
        low=1,
        high=64,
        unit="modes",
        label="modes",
        only=("kind", "ring", "grid"),
    )


@pytree
class Latent:
    """What the generator is fed."""

    kind: str = choice("stratified", "distribution", latents.KINDS, label="latent")
    dim: int = field(
        1, "dimension (stratified: 1)", low=1, high=1024, unit="dimensions", label="latent dim"
    )
    low: float = number(
        -8.0,
        "stratified, uniform: lower end",
        unit="latent units",
        label="latent low",
        only=("kind", "stratified", "uniform"),
    )
    high: float = number(
        8.0,
        "stratified, uniform: upper end",
        unit="latent units",
        label="latent high",
        only=("kind", "stratified", "uniform"),
    )
    jitter: float = number(
        0.01,
        "stratified: width of each point's uniform jitter",
        low=0,
        unit="latent units",
        label="latent jitter",
        only=("kind", "stratified"),
    )


@pytree
class Optimizer:
    """How one network's gradients become steps."""

    kind: str = choice("adam", "method", optimizers.OPTIMIZERS, label="optimizer")
    rate: float = number(1e-3, "learning rate", low=0, unit="per step", label="rate")
    decay: float = number(
        1.0,
        "factor on the rate every decay_steps steps",
        low=0,
        open_low=True,
        unit="ratio",
        label="rate decay",
    )
    decay_steps: float = number(
        1000.0, "steps of this network between decays", low=1, unit="steps", label="decay steps"
    )
    momentum: float = number(
        0.9,
        "momentum: coefficient",
        low=0,
        high=1,
        unit="ratio",
        label="momentum",
        only=("kind", "momentum"),
    )
    b1: float = number(
        0.9,
        "adam: decay of the first moment",
        low=0,
        high=0.999999,
        unit="ratio",
        label="b1",
        only=ADAM,
    )
    b2: float = number(
        0.999,
        "adam: decay of the second moment",
        low=0,
        high=0.999999,
        unit="ratio",
        label="b2",
        only=ADAM,
    )
    epsilon: float = number(
        1e-8,
        "adam, rmsprop: keeps the divisor from 0",
        low=0,
        unit="gradient units",
        label="epsilon",
        only=(*ADAM, "rmsprop"),
    )
    rms_decay: float = number(
        0.9,
        "rmsprop: decay of the mean square",
        low=0,
        high=1,
        unit="ratio",
        label="rms",
        only=("kind", "rmsprop"),
    )
    rms_initial: float = number(
        0.0,
        "rmsprop: first value of the mean square (TensorFlow 1: 1)",
        low=0,
        unit="gradient units squared",
        label="rms start",
        only=("kind", "rmsprop"),
    )


@pytree
class Generator:
    """The generator."""

    hidden: tuple[int, ...] = field(
        (4,), "units of each hidden layer", low=1, high=4096, unit="units", label="G hidden"
    )
    activation: str = choice(
        "softplus", "hidden activation", networks.ACTIVATIONS, label="G activation"
    )
    output_activation: str = choice(
        "linear", "activation of the output", networks.ACTIVATIONS, label="G output"
    )
    output_scale: float = number(
        1.0, "factor on the output", low=0, open_low=True, unit="ratio", label="G output scale"
    )
    kernel_init: str = choice("normal", "weights", networks.INITIALIZERS, label="G init")
    kernel_scale: float = number(
        1.0, "factor on the initial weights", low=0, unit="ratio", label="G init scale"
    )
    optimizer: Optimizer = section(Optimizer())


@pytree
class Discriminator:
    """The discriminator."""

    hidden: tuple[int, ...] = field(
        (8, 8, 8), "units of each hidden layer", low=1, high=4096, unit="units", label="D hidden"
    )
    activation: str = choice(
        "relu", "hidden activation", networks.ACTIVATIONS, label="D activation"
    )
    last_activation: str = choice(
        "same",
        "activation of the last hidden layer",
        ("same", *networks.ACTIVATIONS),
        label="D last activation",
    )
    output_activation: str = choice(
        "linear", "activation of the output", networks.ACTIVATIONS, label="D output"
    )
    kernel_init: str = choice("normal", "weights", networks.INITIALIZERS, label="D init")
    kernel_scale: float = number(
        1.0, "factor on the initial weights", low=0, unit="ratio", label="D init scale"
    )
    optimizer: Optimizer = section(Optimizer())


@pytree
class Loss:
    """The adversarial loss."""

    kind: str = choice("non_saturating", "formula", losses.LOSSES, label="loss")
    log_floor: float = number(
        1e-5,
        "smallest probability a log sees (0: none)",
        low=0,
        high=0.5,
        unit="probability",
        label="log floor",
        only=CROSS_ENTROPY,
    )
    output: str = choice(
        "logit",
        "what D's output is: a logit; one whose sigmoid's log is taken as it stands, as the posts' "
        "code does, so that log 0 diverges; or the probability itself, clipped",
        losses.OUTPUTS,
        label="D's output is",
        only=CROSS_ENTROPY,
    )
    clip: float = number(
        0.01,
        "output=probability: distance that it keeps from 0 and 1",
        low=0,
        high=0.49,
        unit="probability",
        label="clip",
        only=("output", "probability"),
    )
    label_smoothing: float = number(
        0.0,
        "one-sided: D's target for real rows is 1 - this",
        low=0,
        high=0.9,
        unit="probability",
        label="label smoothing",
        neutral=0.0,
    )


@pytree
class Tricks:
    """What changes training and is not a loss."""

    minibatch: str = choice(
        "off",
        "minibatch discrimination: after D's last hidden layer, or in its place",
        ("off", "append", "replace"),
        label="minibatch",
        neutral="off",
    )
    minibatch_kernels: int = field(
        5, "minibatch: kernels", low=1, high=1024, unit="kernels", label="kernels", only=MINIBATCH
    )
    minibatch_dim: int = field(
        3,
        "minibatch: dimension of a kernel",
        low=1,
        high=1024,
        unit="dimensions",
        label="kernel dim",
        only=MINIBATCH,
    )
    minibatch_init_scale: float = number(
        0.02,
        "minibatch: std of the initial projection",
        low=0,
        unit="ratio",
        label="projection scale",
        only=MINIBATCH,
    )
    minibatch_self_distance: float = number(
        0.0,
        "minibatch: added to a row's distance to itself",
        low=0,
        unit="distance",
        label="self distance",
        only=MINIBATCH,
    )
    minibatch_rows: int = field(
        0,
        "minibatch: rows that each row is compared with, itself included (0: all)",
        low=0,
        high=65536,
        unit="rows",
        label="rows compared",
        only=MINIBATCH,
    )
    feature_matching: str = choice(
        "off",
        "G matches D's last hidden features instead of its own loss",
        ("off", *tricks.FEATURE_MATCHING),
        label="feature matching",
        neutral="off",
    )
    feature_matching_trains: str = choice(
        "g",
        "feature matching: what G's optimizer moves, G or G and D's hidden layers",
        ("g", "g_and_features"),
        label="D's features trained",
        neutral="g",
        only=("feature_matching", *tricks.FEATURE_MATCHING),
    )
    virtual_batch_norm: str = choice(
        "off",
        "G's hidden layers are normalised by a batch of latents that is drawn once",
        SWITCH,
        label="virtual batch norm",
        neutral="off",
    )
    historical_averaging: str = choice(
        "off",
        "both networks are pulled towards the mean of their past weights",
        SWITCH,
        label="historical averaging",
        neutral="off",
    )
    historical_weight: float = number(
        1.0,
        "historical averaging: weight of the squared distance",
        low=0,
        unit="ratio",
        label="history weight",
        only=("historical_averaging", "on"),
    )
    input_noise: float = number(
        0.0,
        "std of sorted normal noise on the data and on G's latents",
        low=0,
        unit="data units",
        label="input noise",
        neutral=0.0,
    )
    instance_noise: float = number(
        0.0,
        "std of normal noise on D's inputs, real and generated",
        low=0,
        unit="data units",
        label="instance noise",
        neutral=0.0,
    )


@pytree
class Pretraining:
    """D's regression on the target's density before the GAN starts."""

    steps: int = field(
        0, "steps", low=0, high=100_000, unit="steps", label="pretraining", neutral=0
    )
    low: float = number(
        -5.0, "lower end of the points' uniform distribution", unit="data units", label="pre low"
    )
    high: float = number(
        5.0, "upper end of the points' uniform distribution", unit="data units", label="pre high"
    )


@pytree
class Training:
    """One update: d_steps steps of D, then g_steps steps of G, each on its own batch."""

    batch_size: int = field(
        8, "rows of real and of generated data", low=1, high=65536, unit="rows", label="batch"
    )
    d_steps: int = field(
        1, "steps of D in an update", low=1, high=100, unit="steps", label="D steps"
    )
    g_steps: int = field(
        1, "steps of G in an update", low=1, high=100, unit="steps", label="G steps"
    )
    sort: bool = field(
        True, "sort the 1-D data of each batch, and latents but stratified ones", label="sort"
    )
    fresh_batches: bool = field(
        True,
        "each step has data and latents of its own; else all of an update share one batch",
        label="fresh",
    )


@pytree
class Setting:
    """A value for every field; the default is AYLIEN's GAN of June 2017."""

    target: Target = section(Target())
    latent: Latent = section(Latent())
    generator: Generator = section(Generator())
    discriminator: Discriminator = section(Discriminator())
    loss: Loss = section(Loss())
    tricks: Tricks = section(Tricks())
    pretraining: Pretraining = section(Pretraining())
    training: Training = section(Training())
