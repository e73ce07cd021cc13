"""Kernels that stand alone: matrix products, cumulative sums and sorts."""

from typing import Any

import numpy as np
from llvmlite import ir

from gan1d.simd.graph import Affine, Node
from gan1d.simd.loops import combined
from gan1d.simd.vector import INDEX
from gan1d.simd.writer import Access, Writer, arranged, known

# Of tiles of a product, by lanes: 16 and 4 come with 32 registers, 8 with 16 of them.
TILE_SIDES = {16: 5, 8: 3, 4: 4}
UNROLLED_SORT = 16  # rows up to this length are sorted in registers


def dot(w: Writer, node: Node) -> None:
    """A product [batch, M, K] x [batch, N, K] in tiles that are added up in registers."""
    left, right = node.operands
    batch, rows, length = left.shape
    columns = right.shape[1]
    a, b = (arranged(v) for v in node.operands)
    result = Access(node, Affine(0, (rows * columns, columns, 1)))
    height, width = _tile(rows, columns, TILE_SIDES.get(w.lanes, 3))

    def tile(of: Any, row: Any, column: Any, height: int, width: int) -> None:
        sums = [[w.variable(w.m.float) for _ in range(width)] for _ in range(height)]
        for line in sums:
            for total in line:
                w.b.store(w.m.f(0), total)
        with w.loop(known(0), known(length)) as k:
            ys = [w.load(b, [of, w.b.add(column, known(j)), k]) for j in range(width)]
            for i in range(height):
                x = w.load(a, [of, w.b.add(row, known(i)), k])
                for j in range(width):
                    total = w.b.load(sums[i][j], typ=w.m.float)
                    w.b.store(w.m.fma(x, ys[j], total), sums[i][j])
        for i in range(height):
            for j in range(width):
                place = [of, w.b.add(row, known(i)), w.b.add(column, known(j))]
                w.store(w.b.load(sums[i][j], typ=w.m.float), result, place)

    with w.loop(known(0), known(batch)) as of:
        for row, row_end, tall in _tiles(rows, height):
            for column, column_end, wide in _tiles(columns, width):
                with (
                    w.loop(known(row), known(row_end), tall) as i,
                    w.loop(known(column), known(column_end), wide) as j,
                ):
                    tile(of, i, j, tall, wide)


def cumsum(w: Writer, node: Node) -> None:
    """Cumulative sums along rows."""
    rows, length = node.shape
    (view,) = node.operands
    source = arranged(view)
    target = Access(node, Affine(0, (length, 1)))
    kind = w.m.type(node.dtype)
    total = w.variable(kind)
    with w.loop(known(0), known(rows)) as row:
        w.b.store(w.m.number(0, node.dtype), total)
        with w.loop(known(0), known(length)) as i:
            place = w.b.sub(known(length - 1), i) if node.params["reverse"] else i
            value = w.load(source, [row, place])
            before = w.b.load(total, typ=kind)
            value = combined(w, "reduce_sum", node.dtype, before, value)
            w.b.store(value, total)
            w.store(value, target, [row, place])


def sort(w: Writer, node: Node) -> None:
    """Batcher's merge exchange: each pair of places in a fixed list is put in order."""
    rows, length = node.shape
    (view,) = node.operands
    source = arranged(view)
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
        table = w.table(np.asarray(pairs, np.int32))
        number = ir.IntType(32)
        with w.loop(known(0), known(2 * len(pairs)), 2) as i:
            low, high = (
                w.b.sext(
                    w.b.load(w.at(table, w.b.add(i, known(n)), number), typ=number),
                    INDEX,
                )
                for n in (0, 1)
            )
            pair = _in_order(w, w.load(target, [row, low]), w.load(target, [row, high]))
            w.store(pair[0], target, [row, low])
            w.store(pair[1], target, [row, high])


def _in_order(w: Writer, a: Any, b: Any) -> tuple[Any, Any]:
    """The smaller, then the larger; NaN counts as larger than anything."""
    wrong = w.b.or_(w.m.compare(">", a, b), w.m.is_nan(a))
    return w.m.where(wrong, b, a), w.m.where(wrong, a, b)


def exchanges(length: int) -> list[tuple[int, int]]:
    """Pairs of places that, put in order one after the other, sort any row.

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


def _tile(rows: int, columns: int, side: int) -> tuple[int, int]:
    """How much of a product is added up in registers: what leaves least at the edges."""
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
