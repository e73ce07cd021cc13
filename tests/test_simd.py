"""Compiled programs do what JAX does with the same function, for every run by itself."""

import errno
import functools
import itertools
import os
import types
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jax import lax

from gan1d.simd import (
    Program,
    Unsupported,
    arrays,
    fusion,
    graph,
    jaxpr,
    kept,
    llvm,
    primitives,
    runtime,
)

RUNS = 5  # no multiple of the width of any vector


def numbers(*shape, seed=0):
    """Whole numbers as floats: sums and products of a few are exact, in whatever order."""
    drawn = np.random.default_rng(seed).integers(-4, 5, (RUNS, *shape))
    return drawn.astype(np.float32)


def normals(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=(RUNS, *shape)).astype(np.float32)


def like_one(arrays):
    """The shapes of one run's arrays."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), arrays)


def hurried(function, *arguments):
    """A function's value by XLA, without the optimizations that take it long to compile."""
    compiled = jax.jit(function).lower(*arguments)
    return compiled.compile(compiler_options={"xla_backend_optimization_level": 0})(*arguments)


def assert_agree(ours, theirs, rtol=0.0):
    ours, theirs = jax.tree.leaves(ours), map(np.asarray, jax.tree.leaves(theirs))
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        scale = max(np.abs(b[np.isfinite(b)]).max(initial=0), 1e-30) if rtol else 0
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)


def on_vectors(function, *arrays, width=None):
    """A function of one run's arrays, for arrays of many runs."""
    program = Program(lambda given, c, n: (c, function(*given)), like_one(arrays), (), width)
    return program(arrays, (), 0, 1)[1]


def check(function, *arrays, rtol=0.0):
    """A function does the same on vectors as under vmap."""
    assert_agree(on_vectors(function, *arrays), hurried(jax.vmap(function), *arrays), rtol)


# What moves elements, of x [3, 4].
MOVES = {
    "broadcast": lambda x: [
        jnp.broadcast_to(x, (2, 3, 4)),
        lax.broadcast_in_dim(x, (3, 5, 4), (0, 2)),
    ],
    "reshape": lambda x: [x.reshape(12), x.reshape(2, 1, 6), x.T.reshape(3, 4)],
    "reshape to nothing": lambda x: [x[:1, :1].reshape(()), x[1, 2].reshape(1, 1, 1)],
    "transpose": lambda x: [x.T, x[None].transpose(2, 0, 1)],
    "slice": lambda x: [x[1:, :3], x[::2, 1::2], x[2], x[:, -1]],
    "rev": lambda x: [jnp.flip(x), jnp.flip(x, 1), x[::-1, ::-2]],
    "split": lambda x: jnp.split(x, [1, 3], axis=1),
    "squeeze": lambda x: [jnp.squeeze(x[:, :1], 1), jnp.expand_dims(x, (0, 2))],
    "concatenate": lambda x: [
        jnp.concatenate([x, 2 * x[:1], x[1:]], 0),
        jnp.concatenate([x[:, :0], x, x + 1], 1),
    ],
    "stack": lambda x: [jnp.stack([x, -x], axis) for axis in (0, 1, 2)],
    "tile": lambda x: [jnp.tile(x, 2), jnp.tile(x, (3, 1))],
    "unstack": lambda x: [jax.grad(lambda y: (jnp.stack([y, 2 * y], 2) ** 2).sum())(x)],
    "pad": lambda x: [lax.pad(x, 7.0, ((1, 2, 0), (0, 3, 0)))],
    "pad by less than nothing": lambda x: [
        lax.pad(x, 7.0, ((-1, 1, 0), (2, -3, 0))),
        lax.pad(x, 7.0, ((-1, -1, 0), (-2, -1, 0))),
    ],
    "pad inside": lambda x: [
        lax.pad(x, x[0, 0], ((0, 0, 1), (1, 1, 2))),
        lax.pad(x, 0.0, ((-1, -2, 2), (-2, 0, 1))),
    ],
    "rows by known numbers": lambda x: [
        x[np.array([2, 0, 0])],
        x[np.array([[2, 0], [1, 1]])],
        x[:, 0][np.array([1, 2])],
    ],
    "iota": lambda x: [lax.broadcasted_iota(jnp.int32, (3, 4), a) + x.astype(int) for a in (0, 1)],
}


@pytest.mark.parametrize("name", MOVES)
def test_moving_elements_moves_them_as_jax_does(name):
    """Alone and in between arithmetic, where a move is a way of reading."""

    def function(x):
        moved = MOVES[name](x)
        around = [2 * again for again in MOVES[name](x + 1)]
        return moved, around, [(m * a).sum() for m, a in zip(moved, around, strict=True)]

    check(function, numbers(3, 4))


def test_moves_of_moves_fold_into_one():
    def function(x, y):
        flipped = x.reshape(4, 6)[:, ::-2].T
        both = jnp.concatenate([flipped, y.T[::-1]], 1)
        return both.reshape(3, 2, 4).transpose(2, 0, 1)[1:, :, 0] + y[:3, :].reshape(3, 3)

    check(function, numbers(2, 12), numbers(4, 3))


def test_products_of_all_sizes_around_the_tiles():
    """Full tiles, rests in either direction, single rows and columns; short sums and long ones."""
    sizes = [(m, n, 9) for m in range(1, 12) for n in {1, m, 12 - m}]
    sizes += [(m, n, k) for m, n in ((1, 1), (3, 7), (6, 4)) for k in (1, 2, 8, 10, 17)]
    left, right = numbers(11, 17), numbers(17, 11, seed=1)
    found = on_vectors(lambda a, b: [a[:m, :k] @ b[:k, :n] for m, n, k in sizes], left, right)
    for (m, n, k), product in zip(sizes, found, strict=True):
        wanted = np.einsum("rik,rkj->rij", left[:, :m, :k], right[:, :k, :n])
        np.testing.assert_array_equal(product, wanted, err_msg=f"{m}, {n}, {k}")


@pytest.mark.parametrize(
    "terms",
    [
        "ik,kj->ij",
        "ki,kj->ji",
        "ik,jk->ij",
        "bik,bkj->bij",
        "kib,bjk->bij",
        "ikl,lkj->ij",
        "bi,bi->b",
        "i,j->ij",
        "k,k->",
        "cbik,bcjk->bcij",
        "ik,k->i",
    ],
)
@pytest.mark.parametrize("length", [3, 10])
def test_products_over_any_axes(terms, length):
    lengths = {"k": length, "l": 2, "i": 6, "j": 5, "b": 2, "c": 3}
    left, right = terms.partition("->")[0].split(",")
    a, b = (numbers(*(lengths[axis] for axis in term), seed=len(term)) for term in (left, right))
    check(functools.partial(jnp.einsum, terms), a, b)


def test_products_with_what_is_known():
    table = np.arange(33, dtype=np.float32).reshape(3, 11) % 5
    check(lambda x: [table @ x, x[:3].T @ table, jnp.ones((2, 11)) @ x], numbers(11, 2))


def every_axes(rank):
    axes = range(rank)
    return [a for n in range(1, rank + 1) for a in itertools.combinations(axes, n)]


@pytest.mark.parametrize("reduce", [jnp.sum, jnp.max, jnp.min, jnp.prod])
@pytest.mark.parametrize("shape", [(3, 4, 2), (2, 1, 19), (37,)])
def test_reductions_over_any_axes(reduce, shape):
    """Also of lengths that leave a rest beside the partial sums."""
    x = numbers(*shape)
    if reduce is jnp.prod:
        x = np.clip(x, -1, 2)  # 2^24 at most, which float32 has exactly
        x[:, ..., 20:] = 1
    check(lambda x: [reduce(x, axes) for axes in every_axes(len(shape))], x)


def test_all_and_any_over_any_axes():
    x = numbers(3, 4, 2)
    check(lambda x: [f(x > -3, a) for f in (jnp.all, jnp.any) for a in every_axes(3)], x)


def test_reductions_of_integers():
    """The neutral element of `and` is all ones: more than True."""
    x = numbers(9).astype(np.int32)
    check(lambda x: (x.sum(), x.max(), x.min(), x.prod()), x)
    check(lambda x: (lax.reduce_and(x | 6, (0,)), lax.reduce_or(x, (0,))), x)
    check(lambda x: (x.sum(), jnp.cumsum(x)), x.view(np.uint32))


def test_reductions_do_not_lose_nan():
    x = normals(3, 11)
    x[1, 2, 10], x[2, 0, 0], x[3, 1, 4] = np.nan, np.inf, -np.inf
    check(lambda x: (x.max(1), x.min(1), x.max(), jnp.isfinite(x).all(0)), x)


def test_what_follows_from_sums_sees_them_whole():
    """A normalisation: reductions, what they reduce, and what uses both, in few loops."""

    def function(x):
        centred = x - x.mean(1, keepdims=True)
        spread = jnp.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
        normal = centred / spread
        return normal, normal.max(0) - spread.sum(), x.T + spread[:, 0][None]

    check(function, normals(6, 13), rtol=2e-6)


@pytest.mark.parametrize("reverse", [False, True])
def test_cumulative_sums_along_any_axis(reverse):
    def function(x):
        floats = [lax.cumsum(x, axis, reverse) for axis in range(3)]
        return floats, lax.cumsum(x[0].astype(int), 1, reverse), lax.cumsum(x.T[1], 0, reverse)

    check(function, numbers(3, 4, 2))


def test_sorting_rows_of_any_length():
    """Those that are sorted in registers and those that are not, with ties, infinity and NaN last.

    Lengths up to 40 reach all of the rounds that Batcher's exchanges have up to 64.
    """
    x = normals(40)
    x[1] = np.round(x[1])
    x[2, ::7], x[2, 1::7], x[3, ::5] = np.nan, -np.inf, np.inf
    x[4] = np.arange(40, 0, -1)
    found = on_vectors(lambda x: [jnp.sort(x[: n + 1]) for n in range(40)], x)
    for n, row in enumerate(found, 1):
        np.testing.assert_array_equal(row, np.sort(x[:, :n]), err_msg=f"{n}")


def test_sorting_along_any_axis():
    check(lambda x: [jnp.sort(x, axis) for axis in range(3)], normals(3, 4, 20))


def test_rows_by_numbers_of_each_runs_own():
    """Outside of the table the nearest row is taken, as XLA does."""

    def function(x, i):
        return [
            x[i],
            x[:, 0][i],
            x[i.reshape(3, 2)],
            jnp.take(x, i, 0, mode="clip"),
            jnp.asarray([3.0, 5.0])[i],
        ]

    i = np.random.default_rng(0).integers(-3, 10, (RUNS, 6)).astype(np.int32)
    check(function, numbers(7, 2), i)


def test_choices_of_all_shapes():
    def function(x, y):
        return [
            jnp.where(x > 0, x, y),
            lax.select(x[0, 0] > 0, x, y),
            lax.clamp(-1.0, x, 2.0),
            lax.clamp(x[0, 0], x, y[0, 0]),
            jnp.where(np.arange(12).reshape(3, 4) % 2 == 0, x, 0),
        ]

    check(function, numbers(3, 4), numbers(3, 4, seed=1))


@pytest.mark.parametrize("exponent", [-5, -2, -1, 0, 1, 2, 3, 7])
def test_powers_by_whole_numbers(exponent):
    check(lambda x: lax.integer_pow(x, exponent), np.abs(normals(9)) + 0.5, rtol=1e-6)


# Loops: a short one is unrolled, a long one stays one.
LENGTHS = [1, 4, 150]
each_length = pytest.mark.parametrize("length", LENGTHS)


def small(x):
    return x - 8 * jnp.floor(x / 8)  # keeps whole numbers small, hence exact


@each_length
@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_scans_and_stacks_in_order(length, reverse):
    def function(start, rows, column):
        def step(carry, inputs):
            row, number = inputs
            carry = small(2 * carry + row)
            return carry, (carry * number, row[0] > 0)

        return lax.scan(step, start, (rows, column), reverse=reverse)

    check(function, numbers(3), numbers(length, 3, seed=1), numbers(length, seed=2))


@each_length
def test_a_loop_may_swap_what_it_carries(length):
    """Each must be read before the other is written over it."""

    def function(a, b):
        def step(carry, _):
            a, b, count, flag = carry
            return (b, small(a + b), count + 1, ~flag), None

        return lax.scan(step, (a, b, 0, a[0] > 0), None, length=length)[0]

    check(function, numbers(2), numbers(2, seed=1))


@each_length
def test_a_loop_may_use_what_is_the_same_in_all_its_iterations(length):
    """Given, known, and computed from either: inside of the loop, but once."""

    def function(x, y):
        def step(carry, row):
            known = jnp.floor(jnp.exp(np.arange(4, dtype=np.float32)))
            return small(carry + known + x.T[0] + row), x

        end, stacked = lax.scan(step, y[:4], y[4:].reshape(length, 4))
        return end, stacked[-1], y

    check(function, numbers(4, 2), numbers(4 + 4 * length, seed=1))


@pytest.mark.parametrize("inner", [2, 60])
def test_loops_within_loops(inner):
    def function(x, rows):
        def add(carry, row):
            return small(carry + row * x[0]), carry.sum()

        def step(carry, _):
            carry, sums = lax.scan(add, carry, rows)
            return carry[::-1], sums[-1]

        return lax.scan(step, x, None, length=70)

    check(function, numbers(3), numbers(inner, 3, seed=1))


def test_a_loop_whose_results_are_not_all_used():
    def function(x):
        end, (first, _) = lax.scan(lambda c, _: ((c[1], c[0]), (c[0] + 1, c[1])), (x, -x), None, 99)
        return first[::2], end[1]

    check(function, numbers(3))


# What is carried from step to step.


def steps(step, given, carried, count, first=0):
    """Steps by XLA, in a loop over vmapped steps; the results are those of the last one."""

    def one(given, carried):
        def body(i, state):
            return step(given, state[0], first + i)

        results = jax.eval_shape(step, given, carried, jnp.int32(0))[1]
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), results)
        return lax.fori_loop(0, count, body, (carried, zeros))

    return hurried(jax.vmap(one), given, carried)


def check_steps(step, given, carried, count=3, first=0, width=None):
    program = Program(step, like_one(given), like_one(carried), width)
    assert_agree(program(given, carried, first, count), steps(step, given, carried, count, first))


HAZARDS = {
    "swap": lambda x, a, b: ((b, a), a),
    "swap and change": lambda x, a, b: ((b + x, small(a)), (a, b)),
    "nothing": lambda x, a, b: ((a, b), a + x),
    "the same twice": lambda x, a, b: ((a, a), b),
    "what is given": lambda x, a, b: ((x, b), a),
    "what is known": lambda x, a, b: ((jnp.ones(4), jnp.arange(4.0)), a + b),
    "read after written": lambda x, a, b: ((small(a + x), small(b + a[::-1])), a * 2),
    "read backwards": lambda x, a, b: ((small(a[::-1] + b), a), a.sum()),
    "read by another sum": lambda x, a, b: ((small(a + a.sum()), b), (a * x).sum()),
    "written into pieces": lambda x, a, b: (
        (jnp.concatenate([a[1:], a[:1]]), jnp.concatenate([a[:2], b[2:]])),
        jnp.stack([a, b]),
    ),
    "by a product": lambda x, a, b: ((small(jnp.outer(a, x) @ b), a), b),
    "by a loop": lambda x, a, b: (
        lax.scan(lambda c, _: ((c[1], small(c[0] + x)), None), (a, b), None, length=70)[0],
        a - b,
    ),
    "sorted": lambda x, a, b: ((jnp.sort(a), jnp.cumsum(b) * 0 + a), a + b),
}


@pytest.mark.parametrize("name", HAZARDS)
@pytest.mark.parametrize("recomputed", [fusion.RECOMPUTED, 1])
def test_a_step_reads_what_the_last_one_left(name, recomputed, monkeypatch):
    """Results are written over what is carried: nothing may read that afterwards."""
    monkeypatch.setattr(fusion, "RECOMPUTED", recomputed)

    def step(given, carried, number):
        return HAZARDS[name](given, *carried)

    carried = (numbers(4, seed=1), numbers(4, seed=2))
    check_steps(step, numbers(4), carried)


def test_a_large_array_that_is_computed_twice_is_the_same_twice():
    """Computed again after what it was made of has changed, it would be something else."""

    def step(given, carried, number):
        small_ones = small(carried + given)
        total = small(small_ones.sum())
        return small(small_ones + total), small_ones[::-1].sum(0) + total

    check_steps(step, numbers(2, 2**13), numbers(2, 2**13, seed=1), count=2)


def test_steps_are_numbered_from_the_first():
    """In straight code and inside of loops."""

    def step(given, carried, number):
        sums, _ = carried
        looped = lax.scan(lambda c, x: (c + number * x, None), 0, np.ones(150, np.int32))[0]
        return (small(2 * sums + number * given), number), (number, looped)

    check_steps(step, numbers(2), (numbers(2), np.zeros(RUNS, np.int32)), count=4, first=7)


def test_carried_booleans_and_integers():
    def step(given, carried, number):
        flags, count, word = carried
        return (
            (flags ^ (count > 1), count + flags.sum(), (word << 3) ^ (word >> 5)),
            (~flags, count.astype(jnp.float32)),
        )

    words = np.random.default_rng(0).integers(0, 2**32, RUNS, dtype=np.uint32)
    flags = numbers(3) > 0
    check_steps(step, numbers(1), (flags, numbers(1).astype(np.int32), words))


def test_what_is_the_same_in_every_step_is_right_in_every_step():
    """It is computed once, before the first: memory that steps use must leave it alone."""

    def step(given, carried, number):
        table = small(given @ given.T)
        ordered = jnp.sort(table, 1)
        return small(carried @ table + ordered[0]), (ordered + carried[None], table.max())

    check_steps(step, numbers(10, 10), numbers(10, seed=1), count=5)


def test_no_steps_leave_everything_as_it_was():
    program = Program(lambda g, c, n: (c + g, c), *like_one((numbers(3), numbers(3))))
    carried, _ = program(numbers(3), numbers(3, seed=1), 0, 0)
    np.testing.assert_array_equal(carried, numbers(3, seed=1))


def test_arguments_are_left_alone():
    given, carried = numbers(3), numbers(3, seed=1)
    program = Program(lambda g, c, n: (c + g + n, c), *like_one((given, carried)))
    program(given, carried, 0, 3)
    first, again = (program(given, carried, 0, 3) for _ in range(2))
    assert_agree(first, again)
    np.testing.assert_array_equal(given, numbers(3))
    np.testing.assert_array_equal(carried, numbers(3, seed=1))


# One run among others.


def busy(given, carried, number):
    """A step with something of everything."""
    x, key = carried
    drawn = jax.random.uniform(jax.random.fold_in(jax.random.key(key), number), (11, 3))
    hidden = jnp.tanh(x @ given + drawn)
    looped = lax.scan(lambda c, row: (jnp.exp(-c) + row, c), hidden[0], jnp.repeat(x, 30, 0))[0]
    total = jnp.sort(hidden, 0) - hidden.sum(0)[None] ** 2 + looped[None]
    return (x + 0.1 * total / (1 + jnp.abs(total)), key + 1), hidden.mean()


def many(runs):
    rng = np.random.default_rng(0)
    given = rng.normal(size=(runs, 3, 3)).astype(np.float32)
    return given, (
        rng.normal(size=(runs, 11, 3)).astype(np.float32),
        np.arange(runs, dtype=np.uint32),
    )


@pytest.fixture(scope="module")
def program():
    return Program(busy, *like_one(many(1)))


def rows(tree, which):
    return jax.tree.map(lambda x: x[which], tree)


@pytest.fixture(scope="module")
def all_runs(program):
    return program(*many(40), 5, 3)


@pytest.mark.parametrize(
    "which", [[0], [39], [17, 3, 17], list(range(19, 36)), list(range(40))[::-1]]
)
def test_a_run_is_bitwise_the_same_alone_and_among_others(which, program, all_runs):
    assert_agree(program(*rows(many(40), which), 5, 3), rows(all_runs, which))


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_a_run_that_diverges_spoils_no_neighbour(value, program, all_runs):
    given, (x, key) = many(40)
    x[::2] = value
    odd = slice(1, None, 2)
    assert_agree(rows(program(given, (x, key), 5, 3), odd), rows(all_runs, odd))


@pytest.mark.parametrize("threads", [1, 2, 3, 50])
def test_threads_share_the_runs_out_and_change_none(threads, program, all_runs):
    """More of them than vectors of runs, too."""
    assert_agree(program(*many(40), 5, 3, threads), all_runs)


def test_steps_in_two_calls_are_those_of_one(program, all_runs):
    given, carried = many(40)
    carried, _ = program(given, carried, 5, 1)
    assert_agree(program(given, carried, 6, 2), all_runs)


@pytest.mark.parametrize("width", [4, 8, 16])
def test_vectors_of_any_width_give_the_same_numbers(width, all_runs):
    """So a machine with shorter registers trains the same GANs."""
    assert_agree(Program(busy, *like_one(many(1)), width)(*many(40), 5, 3), all_runs)


def test_registers_hold_4_8_or_16_floats():
    assert llvm.register_width() in (4, 8, 16)


# Several programs in one call.


# Pairs of kernels whose code must differ, by the little that tells them apart.
APART = {
    "constants": lambda x: (lax.sort(x * 2.0), lax.sort(x * 3.0)),
    "tables": lambda x: (x * jnp.arange(4.0), x * jnp.arange(4.0)[::-1]),
    "order": lambda x: (lax.cumsum(x), lax.cumsum(x, reverse=True)),
    "strides": lambda x: (jnp.sort(x[::-1]), jnp.sort(x)),
    "offsets": lambda x: (jnp.stack([x[0] * x[1], x[1]]), jnp.stack([x[2] * x[1], x[1]])),
    "reductions": lambda x: (jnp.max(x, 0), jnp.min(x, 0)),
    "operands": lambda x: (jnp.sort(x) - x, x - jnp.sort(x)),
    "kinds": lambda x: (lax.cumsum(x), lax.cumsum(x.astype(jnp.int32))),
}


@pytest.mark.parametrize("name", APART)
def test_kernels_that_are_not_alike_share_no_code(name):
    check(APART[name], numbers(4))


def test_kernels_that_are_alike_are_written_once():
    """Steps one after the other call the code of the first, on arrays of their own."""

    def step(x, w):
        return jnp.sort(jnp.tanh(w @ x) + x)

    def steps(x, w):
        for _ in range(6):
            x = step(x, w)
        return x

    x, w = normals(5), normals(5, 5, seed=1)
    check(steps, x, w, rtol=1e-5)
    program = Program(lambda given, c, n: (c, steps(*given)), like_one((x, w)), ())
    one = Program(lambda given, c, n: (c, step(*given)), like_one((x, w)), ())
    assert len(program.code) < 2 * len(one.code)


def packed(program, given, carried):
    """What a program works on, in vectors of runs, and how many of them."""
    width = program.width
    trees = arrays.pack(program.given, given, width), arrays.pack(program.carried, carried, width)
    return *trees, len(jax.tree.leaves(trees)[0])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_updates_that_nobody_looks_at_are_cut_into_rounds(threads, all_runs):
    """Which threads share out, and which change nothing."""
    training = Program(lambda *step: (busy(*step)[0], ()), *like_one(many(1)))
    carried, _ = training(*many(40), 5, 3, threads)
    assert_agree(carried, all_runs[0])
    once, twice = (training(*many(40), 0, 19, n)[0] for n in (1, threads))
    assert_agree(twice, once)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_programs_look_after_every_span_at_what_the_first_one_left(threads, program):
    """At as many vectors of it as each of them wants, and with the number of the next update."""
    watching = Program(
        lambda given, seen, number: (seen, (seen[0] * given[0, 0], number)),
        *like_one(many(1)),
    )
    fixed, carried, vectors = packed(program, *many(40))
    # In rounds of three spans, the last of which is short.
    width, spans = program.width, [(5, 0), (5, 1), (6, 2), *((n, 1) for n in range(8, 24))]
    results = arrays.allocate(program.results, vectors, width, len(spans))
    seen = arrays.allocate(watching.results, vectors, width, len(spans))
    last = arrays.allocate(watching.results, 1, width, len(spans), shared=True)
    seconds = runtime.execute(
        spans,
        [
            program.task(vectors, fixed, carried, results),
            watching.task(vectors, fixed, carried, seen),
            watching.task(1, fixed, carried, last),
        ],
        width,
        threads,
    )
    values, numbers_ = arrays.unpack(watching.results, seen, 40)
    own, expected = many(40)
    for point, (first, count) in enumerate(spans):
        expected, _ = program(own, expected, first, count)
        np.testing.assert_array_equal(numbers_[point], first + count)
        np.testing.assert_array_equal(values[point], expected[0] * own[:, :1, :1])
    assert_agree(arrays.unpack(program.carried, carried, 40), expected)
    # Where all spans share their memory it holds the last.
    held, _ = arrays.unpack(watching.results, last, width)
    np.testing.assert_array_equal(held, np.stack([values[-1][:width]] * len(spans)))
    assert len(seconds) == 3 and min(seconds) > 0


def test_arrays_of_other_forms_are_refused(program):
    """Native code would read and write beyond them."""
    fixed, carried, vectors = packed(program, *many(40))
    results = arrays.allocate(program.results, vectors, program.width)
    with pytest.raises(ValueError, match="not of"):
        program.task(vectors, fixed[:, :-1], carried, results)
    with pytest.raises(ValueError):
        program.task(vectors, fixed, carried[:1], results)


@given(st.integers(1, 40), st.lists(st.integers(1, 4), max_size=3), st.sampled_from([4, 16]))
def test_what_is_packed_is_unpacked_as_it_was(runs, shape, width):
    rng = np.random.default_rng(runs)
    given = {
        "float": rng.normal(size=(runs, *shape)).astype(np.float32),
        "bool": rng.uniform(size=(runs, *shape)) < 0.5,
        "int": rng.integers(-9, 9, (runs, *shape), np.int32),
    }
    specs = arrays.specs(like_one(given))
    vectors = arrays.pack(specs, given, width)
    kept = arrays.unpack(specs, vectors, runs)
    for part in vectors.values():
        part[:] = 1
    assert_agree(kept, given)  # copies, as training goes on in the same memory
    vectors = arrays.pack(specs, given, width)
    # Padding is a run like others, so that it can't slow them down by being odd.
    assert_agree(
        arrays.unpack(specs, vectors, len(vectors["int"]) * width)["int"][-1], given["int"][-1]
    )


# The compilation cache.


def test_what_was_compiled_before_is_read_back(tmp_path, monkeypatch):
    """And compiled again where the file is damaged: it is code that would run."""
    check(lambda x: x + 3, numbers(3))  # with what all programs share
    compiled = []
    monkeypatch.setattr(
        llvm, "_compiled", lambda code, make=llvm._compiled: compiled.append(code) or make(code)
    )
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", str(tmp_path), raising=False)
    check(lambda x: x + 1, numbers(3))
    check(lambda x: x + 1, numbers(3))
    assert len(compiled) == 1
    check(lambda x: x + 2, numbers(3))
    assert len(compiled) == 2
    for path in tmp_path.glob("simd-*"):
        path.write_bytes(path.read_bytes()[:-9])
    check(lambda x: x + 1, numbers(3))
    assert len(compiled) == 3


OPEN_TO_OTHERS = {
    "a folder of all": lambda path: path.parent.chmod(0o777),
    "a file of the group": lambda path: path.chmod(0o620),
    "another user's file": lambda path: os.chown(path, 1, 1),
    "a link": lambda path: path.symlink_to(path.rename(path.with_name("planted"))),
}


@pytest.mark.parametrize("opened", OPEN_TO_OTHERS.values(), ids=OPEN_TO_OTHERS)
def test_native_code_that_others_can_have_planted_is_not_run(opened, tmp_path, monkeypatch):
    """Though it has a digest that fits."""
    if os.geteuid() != 0 and opened is OPEN_TO_OTHERS["another user's file"]:
        pytest.skip("only root can give files away")
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", str(tmp_path), raising=False)
    kept.put("simd-code", b"code")
    assert kept.get("simd-code") == b"code"
    opened(tmp_path / "simd-code")
    assert kept.get("simd-code") is None


def test_a_cache_that_can_not_be_used_costs_time_only(tmp_path, monkeypatch):
    """As on a full disk; and nothing half written stays."""
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", "/proc", raising=False)
    kept.put("simd-code", b"code")
    assert kept.get("simd-code") is None
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", str(tmp_path), raising=False)
    full = mock.Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(kept.os, "replace", full)
    kept.put("simd-code", b"code")
    assert full.called and not list(tmp_path.iterdir())


# What can't be compiled.

UNSUPPORTED = {
    "arrays without elements": lambda x: x + x[:0].sum(),
    "primitive while": lambda x: lax.while_loop(lambda x: x[0] < 9, lambda x: x + 1, x),
    "primitive cond": lambda x: lax.cond(x[0] > 0, lambda: x, lambda: -x),
    "primitive digamma": jax.scipy.special.digamma,
    "primitive dynamic_slice": lambda x: x[x[0].astype(int)],
    "dtype complex64": lambda x: jnp.fft.fft(x).real,
    "primitive scatter": lambda x: x.at[0].set(1.0),
    "primitive nextafter of float32": lambda x: jnp.nextafter(x, 0.0),
    "primitive div of int32": lambda x: lax.div(x.astype(int), 3),
    "primitive dot_general of other than floats": lambda x: x.astype(int) @ x.astype(int),
    "primitive max of uint32": lambda x: x.astype(jnp.uint32).max(),
    "primitive sort of several": lambda x: lax.sort((x, x), num_keys=1),
    "primitive gather of other than whole rows": lambda x: x.reshape(2, 2)[:, x.astype(int)],
    "primitive gather of flags": lambda x: (jnp.repeat(x, 25) > 0)[x.astype(int)],
    "primitive gather that fills in": lambda x: jnp.take(x, x.astype(int)),
    "dtype float16": lambda x: x.astype(jnp.float16).astype(jnp.float32),
    "random bits of width 8": lambda x: jax.random.bits(jax.random.key(0), dtype=jnp.uint8) + x,
}


@pytest.mark.parametrize("looped", [False, True])
@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_named(name, looped):
    """By its own exception: that is what the other engine is chosen by."""

    def function(x):
        if looped:
            return lax.scan(lambda c, _: (c, UNSUPPORTED[name](c)), x, None, length=200)
        return UNSUPPORTED[name](x)

    with pytest.raises(Unsupported, match=name):
        on_vectors(function, numbers(4))


# Random programs of exact operations on any two arrays x and y, with NaN and infinity among them:
# what they give must equal JAX's. Only their last values go through functions that round.

BOUND = 50.0


def bounded(x):
    """Finite numbers kept small, so that all that follows is exact; NaN and infinity stay."""
    return jnp.where(jnp.isfinite(x), jnp.clip(x, -BOUND, BOUND), x)


def matched(x, y):
    """y in the shape of x: y itself where it has that, else its first entry everywhere."""
    return y if y.shape == x.shape else jnp.broadcast_to(y.reshape(-1)[0], x.shape)


def axis_of(x, k):
    return k % x.ndim


def flat(x):
    return x.reshape(-1, x.shape[-1])


def whole(x):
    return bounded(x).astype(jnp.int32)


def scanned(x, y, k):
    start = matched(x[0], y)

    def step(carry, row):
        total, last = carry
        return (bounded(total + row * last), row), bounded(total - y.reshape(-1)[0])

    (total, last), stacked = lax.scan(step, (start, -start), x, reverse=bool(k % 2))
    return (total, last, stacked)[k // 2 % 3]


OPERATIONS = {
    "add": lambda x, y, k: bounded(x + matched(x, y)),
    "subtract": lambda x, y, k: bounded(x - matched(x, y)),
    "multiply": lambda x, y, k: bounded(x * matched(x, y)),
    "halve": lambda x, y, k: jnp.floor(x / 2) if k % 2 else jnp.ceil(x / 2),
    "square": lambda x, y, k: bounded(lax.integer_pow(x, 2 + k % 2)),
    "size": lambda x, y, k: jnp.abs(x) if k % 2 else jnp.sign(x),
    "extreme": lambda x, y, k: (jnp.maximum if k % 2 else jnp.minimum)(x, matched(x, y)),
    "known": lambda x, y, k: (
        jnp.maximum(x, k % 9 - 4) + np.arange(x.shape[-1])[(None,) * (x.ndim - 1)]
    ),
    "choose": lambda x, y, k: jnp.where(x > matched(x, y), -x, matched(x, y)),
    "logic": lambda x, y, k: ((x > 0) ^ (matched(x, y) >= 1)).astype(jnp.float32),
    "integers": lambda x, y, k: ((whole(x) << 2) ^ whole(matched(x, y))).astype(jnp.float32) % 64,
    "transpose": lambda x, y, k: x.transpose(np.roll(np.arange(x.ndim), k)),
    "flatten": lambda x, y, k: x.reshape(-1) if k % 2 else x[None],
    "reverse": lambda x, y, k: jnp.flip(x, axis_of(x, k)),
    "slice": lambda x, y, k: x[k % x.shape[0] :: 1 + k % 2],
    "concatenate": lambda x, y, k: jnp.concatenate([x, matched(x, y)], axis_of(x, k)),
    "stack": lambda x, y, k: jnp.stack([matched(x, y), x], k % (x.ndim + 1)),
    "pad": lambda x, y, k: lax.pad(x, y.reshape(-1)[0], [(k % 4 - 1, k % 3, k % 2)] * x.ndim),
    "sum": lambda x, y, k: bounded(x.sum(axis_of(x, k), keepdims=True)),
    "largest": lambda x, y, k: jnp.max(x, axis_of(x, k)),
    "smallest": lambda x, y, k: jnp.min(x, axis_of(x, k), keepdims=True),
    "all": lambda x, y, k: (x > -2).all(axis_of(x, k)).astype(jnp.float32),
    "cumulate": lambda x, y, k: bounded(lax.cumsum(x, axis_of(x, k), reverse=bool(k % 2))),
    "sort": lambda x, y, k: jnp.sort(x, axis_of(x, k)),
    "product": lambda x, y, k: bounded(flat(x) @ flat(matched(x, y)).T),
    "rows": lambda x, y, k: x[np.array([k % x.shape[0], 0, x.shape[0] - 1])],
    "own rows": lambda x, y, k: x[:60][jnp.clip(whole(y.reshape(-1)[:3]), 0, len(x[:60]) - 1)],
    "scan": scanned,
}
LARGEST = 150
SMOOTH = (jnp.tanh, jnp.exp, jax.nn.sigmoid, jnp.log1p)

instructions = st.tuples(
    st.sampled_from(sorted(OPERATIONS)), st.integers(0, 99), st.integers(0, 99), st.integers(0, 11)
)
shapes = st.lists(st.sampled_from([1, 2, 3, 5, 9]), min_size=1, max_size=3)


def evaluated(written, values):
    """All that a random program computes; a value that would be too large is left out.

    Each operation is on something recent, or most of them would lead nowhere, and on anything.
    """
    values = list(values)
    for name, x, y, k in written:
        x, y = values[-1 - x % 3], values[y % len(values)]
        shape = jax.eval_shape(lambda x, y, name=name, k=k: OPERATIONS[name](x, y, k), x, y).shape
        if shape and 0 < np.prod(shape) <= LARGEST:
            values.append(OPERATIONS[name](x, y, k))
    return values


@pytest.mark.parametrize("lowered", [False, True])
@hypothesis_settings(max_examples=15)
@given(
    first=shapes,
    second=shapes,
    written=st.lists(instructions, min_size=4, max_size=14),
    seed=st.integers(0, 99),
)
def test_random_programs_agree_with_jax(lowered, first, second, written, seed):
    """With the limits lowered to which small programs are spared loops and recomputation, too."""

    def step(given, carried, number):
        values = evaluated(written, [given, *carried, jnp.zeros_like(carried[0]) + number])
        ends = list(reversed(values))
        # The last value of each carried array's shape is carried on.
        kept = tuple(next(v for v in ends if v.shape == c.shape) for c in carried)
        return kept, (ends[:3], [f(ends[0]) for f in SMOOTH])

    rng = np.random.default_rng(seed)

    def drawn(shape):
        values = rng.integers(-5, 6, (RUNS, *shape)).astype(np.float32)
        return np.where(
            rng.random(values.shape) < 0.05,
            rng.choice([np.nan, np.inf, -np.inf], values.shape),
            values,
        ).astype(np.float32)

    given_, carried = drawn(first), (drawn(second), drawn(first))
    with pytest.MonkeyPatch.context() as patch:
        if lowered:
            patch.setattr(jaxpr, "UNROLLED", 0)
            patch.setattr(fusion, "RECOMPUTED", 1)
            patch.setattr(graph, "SHORT_DOT", 1)
        program = Program(step, like_one(given_), like_one(carried))
        kept, (exact, smooth) = program(given_, carried, 1, 3)
    wanted, (their_exact, their_smooth) = steps(step, given_, carried, 3, 1)
    assert_agree((kept, exact), (wanted, their_exact))
    assert_agree(smooth, their_smooth, rtol=1e-5)


def test_scans_are_read_in_the_words_of_older_and_newer_jax():
    """From 0.11 on JAX says by a tree which operands stay and which are carried."""
    newer = {"ft_in": types.SimpleNamespace(unpack=lambda: ((None,), (None, None), (None,)))}
    assert jaxpr.scan_counts(newer) == (1, 2)
    assert jaxpr.scan_counts({"num_consts": 3, "num_carry": 0}) == (3, 0)


def test_a_primitive_of_newer_jax_is_its_formula():
    whole = graph.Graph()
    x = whole.constant(np.float32([-2.0, 0.5, 3.0]))
    out = jax.ShapeDtypeStruct((3,), np.float32)
    view = primitives.RULES["one_minus_square"](whole, {}, out, x)
    np.testing.assert_array_equal(view.constant, np.float32([-3.0, 0.75, -8.0]))


# Arrays that all runs share, and rows that each of them has of its own.


def of_a_table(table, own, rows, others):
    """What is made of a table that all runs share, and of one that each has of its own."""

    def nearest(least, row):
        return jnp.minimum(least, jnp.abs(table - row[None]).sum(1)), table[:5].sum() + row.sum()

    picked = table.at[rows].get(mode="promise_in_bounds")
    far = jnp.full(table.shape[0], 9.0)
    return (
        picked,
        own.at[others].get(mode="clip"),
        lax.scan(nearest, far, picked),
        lax.scan(lambda total, row: (total + row, row.sum()), table[0], table),
        table[3] + 1,
        table,
    )


def test_runs_share_a_table_and_each_takes_rows_of_its_own():
    random = np.random.default_rng(0)
    table = random.normal(size=(1000, 3)).astype(np.float32)
    own = random.normal(size=(40, 100)).astype(np.float32)
    rows = random.integers(0, 1000, (40, 7)).astype(np.int32)
    others = random.integers(-50, 150, (40, 7)).astype(np.int32)  # some outside of theirs
    shapes = arrays.Shared(table.shape), *like_one((own, rows, others))
    program = Program(lambda tables, c, n: (c, of_a_table(*tables)), shapes, ())
    ours = program((table, own, rows, others), (), 0, 1)[1]
    over_runs = jax.vmap(of_a_table, in_axes=(None, 0, 0, 0))
    assert_agree(ours, hurried(over_runs, table, own, rows, others), rtol=1e-5)
    with pytest.raises(ValueError, match="not of"):
        program((table[:9], own, rows, others), (), 0, 1)
