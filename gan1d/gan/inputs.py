"""What an update is fed: all of its randomness, drawn before it, and noise on what networks see.

The only randomness of training is in `draw`; an update is a deterministic function of arrays. A
run's keys come from its seed alone: key(seed), then a named stream, then the number of the update.
So the same seed sees the same data and latents in every setting (common random numbers), and a run
never depends on which other runs share its call.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from gan1d.gan import latents, penalties, randomness, targets
from gan1d.gan.dynamics import DYNAMICS
from gan1d.gan.numerics import faded
from gan1d.gan.players import Masks, Probes, Rows
from gan1d.gan.spec import OFF, above_0, choice, field, number, pytree
from gan1d.system.lazy import Array, jax, jnp, jsp

if TYPE_CHECKING:
    from gan1d.gan.setting import Setting

T = TypeVar("T")

ALTERNATING, G_FIRST, SIMULTANEOUS = ORDERS = ("alternating", "generator_first", "simultaneous")
DATA_SET_SEED = 20260101  # of the finite data set that all seeds share
MOST_STRATA = 64
IN_STRATUM = 1 - 2.0**-16  # the last uniform of a stratum that no rounding takes to the next one
WEIGHTED = tuple(kind for kind, dynamics in DYNAMICS.items() if dynamics.weighted)


@pytree
class TrainingFields:
    """One update: d_steps steps of D and g_steps of G, each on its own batch."""

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
    data_rows: int = field(
        0,
        "rows of a finite data set that a family has given, to be drawn from with replacement; "
        "0: every row is a new one",
        low=0,
        high=2**22,  # half as many as there are uniforms to draw them by
        unit="rows",
        label="data rows",
        neutral=0,
    )
    data_set: str = choice(
        "own",
        "whether each seed has a data set of its own, or all seeds have the same",
        ("own", "same"),
        label="data set",
        only=("data_rows", above_0),
    )
    finite_latents: bool = field(
        False,
        "latents, too, are drawn from a finite set, of as many as there are rows",
        label="finite latents",
        only=("data_rows", above_0),
    )
    full_batch: bool = field(
        False,
        "each step has all rows of the data set, each beside the same one of finite latents",
        label="full batch",
        only=("data_rows", above_0),
    )
    strata: int = field(
        0,
        "rows are spread over so many equal parts of a family, its modes if there are as many: row "
        "k is of part k modulo their number; 0: rows are independent",
        low=0,
        high=MOST_STRATA,
        unit="parts",
        label="strata",
        neutral=0,
    )
    order: str = choice(
        "alternating",
        "D's steps and then G's, with the new D; or G's and then D's; or both at once",
        ORDERS,
        label="order",
    )
    dynamics: str = choice(
        "gradient",
        "how gradients become directions: as they are; those where a step would lead, or where the "
        "step before would; bent by both players' Hessians; or expecting the other's step",
        DYNAMICS,
        label="dynamics",
    )
    fresh_halves: bool = field(
        False,
        "extragradient: its second half has data, latents and noise of its own",
        label="fresh halves",
        only=("dynamics", "extragradient"),
    )
    dynamics_weight: float = number(
        1.0,
        "gamma of consensus, jacobian and d_gradient, lambda of symplectic",
        low=0,
        unit="ratio",
        label="dynamics weight",
        only=("dynamics", WEIGHTED),
    )
    dynamics_iterations: int = field(
        8,
        "competitive: conjugate gradient iterations that solve for the step (0: linearised)",
        low=0,
        high=100,
        unit="iterations",
        label="iterations",
        only=("dynamics", "competitive"),
    )
    unrolled: int = field(
        0,
        "G plays against D after so many more of its steps on G's rows, which are then undone "
        "(Metz et al. 2017, arXiv 1611.02163)",
        low=0,
        high=100,
        unit="steps",
        label="unrolled steps",
        neutral=0,
    )
    unrolled_through: str = choice(
        "on",
        "whether G's gradient goes through those steps",
        (OFF, "on"),
        label="through them",
        only=("unrolled", above_0),
    )


class InstanceNoise(NamedTuple):
    """Noise on D's inputs, already scaled."""

    real: Array | None  # [d_steps, B, X]
    fake_d: Array | None  # [d_steps, B, X], generated rows in D's steps
    fake_g: Array | None  # [g_steps, B, X], generated rows in G's steps


NO_NOISE = InstanceNoise(None, None, None)


class Batch(NamedTuple):
    """All randomness of one update. Of a batch D sees B rows, or packs of them."""

    real: Array  # [d_steps, B, X]
    latent_d: Array  # [d_steps, B, L]
    latent_g: Array  # [g_steps, B, L]
    instance_noise: InstanceNoise | None  # None where the setting has none
    flipped: Array | None = None  # [d_steps, packs] whether they change labels; likewise
    probes: Probes | None = None  # [d_steps, packs, ...] for D's penalty; likewise
    masks_d: Masks | None = None  # [d_steps, packs, F] of D's hidden layers in its own steps
    masks_g: Masks | None = None  # [g_steps, packs, F] and in G's
    others: Array | None = None  # [g_steps, B, L] latents that G's are told apart from
    number: Array | None = None  # [] of the update, where something changes with it
    later: "Batch | None" = None  # of the steps' second halves; None: they have the same

    @property
    def noise(self) -> InstanceNoise:
        """What is added to D's inputs, None where nothing is."""
        return self.instance_noise or NO_NOISE

    def d_rows(self) -> Rows:
        """What D's steps are made from, `[d_steps, ...]` each."""
        steps = self.real.shape[0]
        return Rows(
            real=self.real,
            latent=self.latent_d,
            real_noise=self.noise.real,
            fake_noise=self.noise.fake_d,
            flipped=self.flipped,
            probes=self.probes,
            masks=self.masks_d,
            others=None if self.others is None else _repeated(self.others, steps),
            number=self._numbers(steps),
            later=None if self.later is None else self.later.d_rows(),
        )

    def g_rows(self) -> Rows:
        """What G's steps are made from, `[g_steps, ...]` each; what is D's is that of its last."""
        steps = self.latent_g.shape[0]
        return Rows(
            real=_repeated(self.real, steps),
            latent=self.latent_g,
            real_noise=_repeated(self.noise.real, steps),
            fake_noise=self.noise.fake_g,
            flipped=_repeated(self.flipped, steps),
            probes=_repeated(self.probes, steps),
            masks=self.masks_g,
            others=self.others,
            number=self._numbers(steps),
            later=None if self.later is None else self.later.g_rows(),
        )

    def _numbers(self, steps: int) -> Array | None:
        return None if self.number is None else jnp.broadcast_to(self.number, (steps,))


def _repeated(drawn: T, steps: int) -> T:
    """The last of some steps' arrays for each of so many."""
    return jax.tree.map(lambda a: jnp.broadcast_to(a[-1:], (steps, *a.shape[1:])), drawn)


def draw(setting: "Setting", key: Array, step: Array | int) -> Batch:
    """All randomness of update number `step` (from 0) of the run with this key.

    A noise whose scale is None is not drawn, which changes nothing against a scale of 0 but time.
    """
    batch = _draw(setting, key, step, key)
    if not setting.training.fresh_halves:
        return batch
    later = _draw(setting, randomness.stream(key, "second_half"), step, key)
    return batch._replace(later=later)


def data_set(setting: "Setting", key: Array, numbers: Array) -> Array:
    """Rows `[..., X]` of the finite data set of the run with this key, by their numbers `[...]`.

    A row's uniforms are those of a key of its own: so no data set is kept anywhere.
    """
    u = _of_set(setting, key, "data_set", numbers, targets.uniforms(setting.target))
    return targets.sample(setting.target, _stratified(setting, u, numbers))


def latent_set(setting: "Setting", key: Array, numbers: Array) -> Array:
    """Latents `[..., L]` of the run's finite set of them, likewise."""
    u = _of_set(setting, key, "latent_set", numbers, setting.latent.dim)
    return latents.draw(setting.latent, u.reshape(-1, setting.latent.dim)).reshape(u.shape)


def _of_set(setting: "Setting", key: Array, name: str, numbers: Array, count: int) -> Array:
    """The uniforms `[..., count]` that the members of a finite set with these numbers have."""
    own = setting.training.data_set == "own"
    set_key = randomness.stream(key if own else randomness.run_key(DATA_SET_SEED), name)

    def of_member(number: Array) -> Array:
        return randomness.uniforms(jax.random.fold_in(set_key, number), (count,))

    drawn = jax.vmap(of_member)(numbers.reshape(-1).astype(jnp.uint32))
    return drawn.reshape(*numbers.shape, count)


def _stratified(setting: "Setting", u: Array, numbers: Array) -> Array:
    """Uniforms `[..., U]` of rows with these numbers `[...]`, the first in the row's stratum."""
    strata = setting.training.strata
    if not strata:
        return u
    stratum = numbers - strata * jnp.floor(numbers / strata)
    first = (stratum + jnp.minimum(u[..., 0], IN_STRATUM)) / strata
    return jnp.concatenate([first[..., None], u[..., 1:]], axis=-1)


def _draw(setting: "Setting", key: Array, step: Array | int, run_key: Array) -> Batch:
    """As `draw`, from the streams of a key; the run's own tells its data set."""
    training = setting.training
    d_rows = (training.d_steps, training.batch_size)
    g_rows = (training.g_steps, training.batch_size)
    d_packs, g_packs = ((steps, rows // setting.tricks.packing) for steps, rows in (d_rows, g_rows))

    number = jnp.asarray(step, jnp.float32)
    numbered = penalties.has_factor(setting.penalty) or setting.tricks.top_k is not None

    def u(name: str, shape: tuple[int, ...]) -> Array:
        return randomness.uniforms(jax.random.fold_in(randomness.stream(key, name), step), shape)

    def arrange(values: Array) -> Array:
        # Only 1-D values have an order; those of more dimensions keep theirs.
        return jnp.sort(values, axis=1) if training.sort and values.shape[-1] == 1 else values

    def in_order(rows: tuple[int, int]) -> Array:
        return jnp.broadcast_to(jnp.arange(rows[1], dtype=jnp.float32), rows)

    def chosen(name: str, rows: tuple[int, int]) -> Array:
        if training.full_batch:
            return in_order(rows)
        count = training.data_rows
        return jnp.minimum(jnp.floor(u(name, rows) * count), count - 1)

    def new_latents(name: str, rows: tuple[int, int]) -> Array:
        if training.finite_latents:
            return latent_set(setting, run_key, chosen(name, rows))
        values = u(name, (*rows, setting.latent.dim))
        return jax.vmap(lambda batch: latents.draw(setting.latent, batch))(values)

    def latent(name: str, rows: tuple[int, int]) -> Array:
        values = new_latents(name, rows)
        # Stratified ones come in order, but for jitter wider than their spacing, which no source
        # sorts: and a sort takes longer than all else that is drawn.
        return values if setting.latent.kind == "stratified" else arrange(values)

    def data(rows: tuple[int, int]) -> Array:
        if training.data_rows:
            return arrange(data_set(setting, run_key, chosen("data", rows)))
        values = u("data", (*rows, targets.uniforms(setting.target)))
        return arrange(targets.sample(setting.target, _stratified(setting, values, in_order(rows))))

    if training.fresh_batches:
        real = data(d_rows)
        latent_d, latent_g = latent("latent_d", d_rows), latent("latent_g", g_rows)
    else:
        one = (1, training.batch_size)
        real = jnp.repeat(data(one), training.d_steps, axis=0)
        shared = latent("latent_d", one)
        latent_d, latent_g = (jnp.repeat(shared, rows[0], axis=0) for rows in (d_rows, g_rows))

    def with_noise(values: Array, name: str) -> Array:
        scale = setting.tricks.input_noise
        if scale is None:
            return values
        steps, rows, columns = values.shape
        return values + scale * jax.vmap(sorted_normals)(u(name, (steps, rows + 1, columns)))

    def masks(name: str, packs: tuple[int, int]) -> Masks | None:
        rate = setting.discriminator.dropout
        if rate is None:
            return None
        return tuple(
            jnp.where(u(f"{name}_{i}", (*packs, units)) < rate, 0.0, 1 / (1 - rate))
            for i, units in enumerate(setting.discriminator.hidden)
        )

    others = None
    if setting.diversity.kind != OFF:
        # In no order: so a row and the other one of its pair are independent.
        others = new_latents("latent_other", g_rows)
    flips = setting.loss.flips
    return Batch(
        real=with_noise(real, "data_noise"),
        latent_d=with_noise(latent_d, "latent_d_noise"),
        latent_g=with_noise(latent_g, "latent_g_noise"),
        instance_noise=_instance_noise(setting, u, d_rows, g_rows, number),
        flipped=None if flips is None else u("label_flips", d_packs) < flips,
        probes=penalties.draw(setting, u, d_packs),
        masks_d=masks("dropout_d", d_packs),
        masks_g=masks("dropout_g", g_packs),
        others=others,
        number=number if numbered else None,
    )


def _instance_noise(
    setting: "Setting",
    u: Callable[[str, tuple[int, ...]], Array],
    d_rows: tuple[int, int],
    g_rows: tuple[int, int],
    number: Array,
) -> InstanceNoise | None:
    tricks, dim = setting.tricks, targets.dim(setting.target)
    if tricks.instance_noise is None:
        return None
    scale: Array | float = tricks.instance_noise
    if tricks.noise_fade_steps is not None:
        scale = scale * faded(
            tricks.noise_fade_shape, tricks.noise_fade, tricks.noise_fade_steps, number
        )
    return InstanceNoise(
        real=scale * jsp.ndtri(u("real_noise", (*d_rows, dim))),
        fake_d=scale * jsp.ndtri(u("fake_d_noise", (*d_rows, dim))),
        fake_g=scale * jsp.ndtri(u("fake_g_noise", (*g_rows, dim))),
    )


def sorted_normals(u: Array) -> Array:
    """B standard normals in ascending order, from uniforms `[B + 1, D]`; returns `[B, D]`.

    The order statistics of B uniforms are distributed as the partial sums of B + 1 exponentials
    over their total (Devroye 1986, section V.3.1): exact, and cheaper than a sort.
    """
    sums = jnp.cumsum(-jnp.log(u), axis=0)
    return jsp.ndtri(jnp.clip(sums[:-1] / sums[-1:], 1e-7, 1 - 1e-7))
