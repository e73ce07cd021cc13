"""The section of a config that says what is to be learned, and the registries of its families."""

from collections import ChainMap
from typing import Any

from gan1d.gan.spec import OFF, Value, choice, field, filled, number, pytree
from gan1d.gan.targets import counts, data, line, plane

LINE = line.FAMILIES
PLANE = plane.FAMILIES
COUNTS = counts.LAWS
DATA = {data.KIND: "rows of a file, or of an array"}
FAMILIES: ChainMap[str, Any] = ChainMap({}, DATA, COUNTS, LINE, PLANE)
LINE_MIXTURES = tuple(kind for kind, family in LINE.items() if family.widths)
PLANE_MIXTURES = tuple(kind for kind, family in PLANE.items() if family.widths)
# Of each mixture the field that has its components' widths.
MIXTURES = {kind: LINE[kind].widths for kind in LINE_MIXTURES}
MIXTURES |= {kind: PLANE[kind].widths for kind in PLANE_MIXTURES}
OF_DATA = ("kind", data.KIND)
# The heaviest tails that can be judged: 501 even samples have at least half of the law's std.
LEAST_FREEDOM, LEAST_PARETO, MOST_SIGMA = 2.1, 2.2, 1.5


def _is_family(kind: str) -> bool:
    """Any but data."""
    return kind != data.KIND


def _is_noisy(kind: str) -> bool:
    """Any in the plane but mixtures."""
    return kind in PLANE and PLANE[kind].components is None


def _of_widths(field: str) -> list[str]:
    """Mixtures whose widths are this field's."""
    return [kind for kind, widths in MIXTURES.items() if widths == field]


@pytree
class TargetFields:
    """The distribution to be learned."""

    kind: str = choice("gaussian", "family, or data", FAMILIES, label="target")
    loc: Value = number(
        4.0,
        "location; in the plane of both coordinates, or of each",
        unit="data units",
        label="target loc",
        only=("kind", _is_family),
        pairs=True,
    )
    scale: Value = number(
        0.5,
        "scale; in the plane of both coordinates, or of each",
        pairs=True,
        low=0,
        open_low=True,
        unit="data units",
        label="target scale",
        only=("kind", _is_family),
    )
    weights: tuple[float, ...] = number(
        (0.5, 0.5),
        "mixtures: weights, normalised",
        low=0,
        open_low=True,
        unit="ratio",
        label="weights",
        only=("kind", *MIXTURES),
    )
    means: tuple[float, ...] = number(
        (-2.0, 2.0),
        "mixtures on the line: means, before loc and scale",
        unit="target scales",
        label="means",
        only=("kind", *LINE_MIXTURES),
    )
    centres: tuple[tuple[float, float], ...] = number(
        ((-1.0, 0.0), (1.0, 0.0)),
        "mixtures in the plane: centres, pairs of coordinates before loc and scale",
        unit="target scales",
        label="centres",
        only=("kind", *PLANE_MIXTURES),
    )
    stds: tuple[float, ...] = number(
        (0.5, 0.5),
        "mixtures: standard deviations, in the plane of each coordinate",
        low=0,
        open_low=True,
        unit="target scales",
        label="stds",
        only=("kind", *_of_widths("stds")),
    )
    half_widths: tuple[float, ...] = number(
        (0.5, 0.5),
        "uniform_mixture: half-widths, before scale",
        low=0,
        open_low=True,
        unit="target scales",
        label="half-widths",
        only=("kind", *_of_widths("half_widths")),
    )
    covariances: tuple[tuple[float, float, float], ...] = number(
        ((0.25, 0.2, 0.25), (0.25, -0.2, 0.25)),
        "plane_gaussians: of each the variance of x, the covariance, and the variance of y, before "
        "scale",
        unit="squares of target scales",
        label="covariances",
        only=("kind", *_of_widths("covariances")),
    )
    shape: float = field(
        3.0,
        f"gamma and Weibull: k; Pareto: alpha, at least {LEAST_PARETO:g}",
        low=0.5,
        high=100.0,
        unit="ratio",
        label="shape",
        only=("kind", "gamma", "weibull", "pareto"),
    )
    sigma: float = field(
        0.5,
        "lognormal: standard deviation of the logarithm, before loc and scale",
        low=0.01,
        high=MOST_SIGMA,
        unit="ratio",
        label="sigma",
        only=("kind", "lognormal"),
    )
    alpha: float = field(
        2.0,
        "beta: alpha, of the end at 0",
        low=0.5,
        high=100.0,
        unit="ratio",
        label="alpha",
        only=("kind", "beta"),
    )
    beta: float = field(
        5.0,
        "beta: beta, of the end at 1",
        low=0.5,
        high=100.0,
        unit="ratio",
        label="beta",
        only=("kind", "beta"),
    )
    rate: float = field(
        4.0,
        "Poisson: mean, before loc and scale",
        low=0.1,
        high=1000.0,
        unit="counts",
        label="rate",
        only=("kind", "poisson"),
    )
    trials: int = field(
        10,
        "binomial: n",
        low=1,
        high=1000,
        unit="counts",
        label="trials",
        only=("kind", "binomial"),
    )
    successes: float = field(
        3.0,
        "negative binomial: r, of which failures come before",
        low=0.5,
        high=100.0,
        unit="counts",
        label="successes",
        only=("kind", "negative_binomial"),
    )
    probability: float = field(
        0.3,
        "binomial, negative binomial: p, of a success",
        low=0.01,
        high=0.99,
        unit="ratio",
        label="probability",
        only=("kind", "binomial", "negative_binomial"),
    )
    freedom: float = field(
        4.0,
        "Student's t: degrees of freedom; with 1 it is kind cauchy",
        low=LEAST_FREEDOM,
        high=1000.0,
        unit="ratio",
        label="degrees of freedom",
        only=("kind", "student_t"),
    )
    noise: float = number(
        0.02,
        "2-D: std of the normal noise around the curve or the modes, before scale",
        low=0,
        unit="target scales",
        label="target noise",
        only=("kind", _is_noisy),
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
    file: str = field(
        "", "table of numbers: .csv, .tsv, .parquet, .npy or .nc", label="file", only=OF_DATA
    )
    columns: tuple[str, ...] = field(
        (), "columns to be learned, by their names; (): all", label="columns", only=OF_DATA
    )
    weight: str = field(
        "", "column of the rows' weights; none where empty", label="weight", only=OF_DATA
    )
    held_out: float = field(
        0.2,
        f"share of the rows that judge and do not train, {data.MOST_HELD_OUT} rows at most",
        low=0.01,
        high=0.9,
        unit="ratio",
        label="held out",
        only=OF_DATA,
    )
    standardise: str = choice(
        OFF,
        "each column less its mean and over its std, of the rows that train",
        (OFF, "on"),
        label="standardised",
        only=OF_DATA,
    )
    digest: str = field("", "SHA-256 of the file, filled in where empty", only=OF_DATA)
    rows: Any = filled()  # data.Rows of own data, None of families
