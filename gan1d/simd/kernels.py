"""Kernels that are no plain loop nests: matrix products, cumulative sums, sorts and gathers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from gan1d.simd.loops import combine
from gan1d.simd.nodes import F32, Affine, CumulativeSum, Input, Node
from gan1d.simd.vector import INDEX
from gan1d.simd.writer import WORD, Access, Writer, access, known

# Of tiles of a product, by the width: 16 and 4 come with 32 registers, 8 with 16 of them.
TILE_SIDES = {16: 5, 8: 3, 4: 4}
UNROLLED_SORT = 16  # rows up to this length are sorted in registers


class _Product(NamedTuple):
    """What a product reads and writes."""

    left: Access
    right: Access
    result: Access
    length: int  # of the sums


class _Tile(NamedTuple):
    """A part of a product that is added up in registers."""

    batch: ir.Value
    row: ir.Value
    column: ir.Value
    height: int
    width: int


def dot(w: Writer, node: Node) -> None:
    """A product [batch, M, K] x [batch, N, K] in tiles that are added up in registers."""
    batch, rows, length = node.operands[0].shape
    columns = node.operands[1].shape[1]
    left, right = (access(view) for view in node.operands)
    result = Access(node, Affine(0, (rows * columns, columns, 1)))
    product = _Product(left, right, result, length)
    height, width = _tile_size(rows, columns, TILE_SIDES.get(w.width, 3))
    with w.loop(known(0), known(batch)) as i:
        for row, row_end, tall in _tiles(rows, height):
            for column, column_end, wide in _tiles(columns, width):
                with (
                    w.loop(known(row), known(row_end), tall) as j,
                    w.loop(known(column), known(column_end), wide) as k,
                ):
                    _emit_tile(w, product, _Tile(i, j, k, tall, wide))


def _emit_tile(w: Writer, product: _Product, tile: _Tile) -> None:
    rows, columns = range(tile.height), range(tile.width)
    sums = [[w.variable(w.v.float) for _ in columns] for _ in rows]
    for line in sums:
        for total in line:
            w.b.store(w.v.f(0), total)
    with w.loop(known(0), known(product.length)) as k:
        ys = [
            w.load(product.right, [tile.batch, w.b.add(tile.column, known(j)), k]) for j in columns
        ]
        for i in rows:
            x = w.load(product.left, [tile.batch, w.b.add(tile.row, known(i)), k])
            for j in columns:
                total = w.b.load(sums[i][j], typ=w.v.float)
                w.b.store(w.v.fma(x, ys[j], total), sums[i][j])
    for i in rows:
        for j in columns:
            entry = [tile.batch, w.b.add(tile.row, known(i)), w.b.add(tile.column, known(j))]
            w.store(w.b.load(sums[i][j], typ=w.v.float), product.result, entry)


def _tile_size(rows: int, columns: int, side: int) -> tuple[int, int]:
    """The height and width of tiles that leave least at the edges."""
    if columns == 1:
        return min(rows, 2 * side), 1
    if rows == 1:
        return 1, min(columns, 2 * side)

    def fitting(length: int) -> int:
        return length if length <= side else min((side, side - 1), key=lambda n: length % n)

    return fitting(rows), fitting(columns)


def _tiles(length: int, size: int) -> list[tuple[int, int, int]]:
    """(begin, end, size) of tiles that cover a length: full ones, then what is left."""
    whole = length - length % size
    tiles = [(0, whole, size)] if whole else []
    if whole < length:
        tiles.append((whole, length, length - whole))
    return tiles


def cumsum(w: Writer, node: CumulativeSum) -> None:
    """Cumulative sums along rows."""
    rows, length = node.shape
    (view,) = node.operands
    source = access(view)
    target = Access(node, Affine(0, (length, 1)))
    kind = w.v.type(node.dtype)
    total = w.variable(kind)
    with w.loop(known(0), known(rows)) as row:
        w.b.store(w.v.number(0, node.dtype), total)
        with w.loop(known(0), known(length)) as i:
            column = w.b.sub(known(length - 1), i) if node.reverse else i
            value = w.load(source, [row, column])
            before = w.b.load(total, typ=kind)
            value = combine(w, "reduce_sum", node.dtype, before, value)
            w.b.store(value, total)
            w.store(value, target, [row, column])


def gather(w: Writer, node: Node) -> None:
    """Rows of a table by numbers that each run has of its own: entry by entry."""
    count, columns = node.shape
    table, number = node.operands
    numbers, target = access(number), Access(node, Affine(0, (columns, 1)))
    shared = isinstance(table.node, Input) and table.node.is_shared
    scalar = ir.FloatType() if node.dtype == F32 else WORD
    base = w.memory[table.node]
    with w.loop(known(0), known(count)) as row:
        starts = w.b.mul(w.load(numbers, [row]), w.v.i(columns))
        with w.loop(known(0), known(columns)) as column:
            found = ir.Constant(w.v.type(node.dtype), ir.Undefined)
            for lane in range(w.width):
                place = ir.Constant(WORD, lane)
                at = w.b.add(w.b.sext(w.b.extract_element(starts, place), INDEX), column)
                if not shared:
                    at = w.b.add(w.b.mul(at, known(w.width)), known(lane))
                found = w.b.insert_element(found, w.entry_of(base, at, scalar), place)
            w.store(found, target, [row, column])


def sort(w: Writer, node: Node) -> None:
    """Batcher's merge exchange: each pair of entries in a fixed list is put in order."""
    rows, length = node.shape
    (view,) = node.operands
    source = access(view)
    target = Access(node, Affine(0, (length, 1)))
    pairs = exchanges(length)
    with w.loop(known(0), known(rows)) as row:
        if length <= UNROLLED_SORT:
            values = [w.load(source, [row, known(i)]) for i in range(length)]
            for low, high in pairs:
                values[low], values[high] = _in_order(w, values[low], values[high])
            for i, value in enumerate(values):
                w.store(value, target, [row, known(i)])
            return
        with w.loop(known(0), known(length)) as i:
            w.store(w.load(source, [row, i]), target, [row, i])
        _exchange(w, target, row, pairs)


def _exchange(w: Writer, target: Access, row: ir.Value, pairs: Sequence[tuple[int, int]]) -> None:
    """Put pairs of a row's entries in order, in memory."""
    table = w.table(np.asarray(pairs, np.int32))
    with w.loop(known(0), known(2 * len(pairs)), 2) as i:
        low, high = (w.b.sext(w.entry_of(table, w.b.add(i, known(n)), WORD), INDEX) for n in (0, 1))
        smaller, larger = _in_order(w, w.load(target, [row, low]), w.load(target, [row, high]))
        w.store(smaller, target, [row, low])
        w.store(larger, target, [row, high])


def _in_order(w: Writer, a: ir.Value, b: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The smaller, then the larger; NaN counts as larger than anything."""
    wrong = w.b.or_(w.v.compare(">", a, b), w.v.is_nan(a))
    return w.v.select(wrong, b, a), w.v.select(wrong, a, b)


def exchanges(length: int) -> list[tuple[int, int]]:
    """Pairs of positions that, put in order one after the other, sort any row.

    Batcher's merge exchange: Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M.
    """
    pairs = []
    top = 1 << max(0, (length - 1).bit_length() - 1)
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(length - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return pairs
