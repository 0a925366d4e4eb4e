"""Four pairs of diagrams on a line at once, order 2, compiled.

The sums are those of :func:`~cohortflow.topology.distances.line_matching.line_cost`, to the last
bit, in 4/10 of its time: one SIMD instruction does a cell of all four pairs, and 4 × 4 cells of a
table stay in registers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cohortflow.topology.bars import Floats
from cohortflow.topology.distances.prepared import Bars, Indices

Four = tuple[float, float, float, float]

LANES = 4
"""Pairs solved at once, each in its lane: places lane, lane + LANES, … of an array."""
SIDE = 4
"""Bars of a block: rows or columns of the table."""
ONE, TWO, THREE = (np.uint64(LANES * k) for k in (1, 2, 3))
DEATHS, COSTS, ABOVE, BEFORE, CORNER = (np.uint64(LANES * SIDE * k) for k in range(5))
ROWS, COLUMNS = np.int64(ABOVE), np.int64(CORNER + ONE)
"""Length of a block of rows (DEATHS, COSTS) and of columns (these, the cells of the row ABOVE, of
the column BEFORE, and between them the one at the CORNER)."""
STEP_ROWS, STEP_COLUMNS = np.uint64(ROWS), np.uint64(COLUMNS)


@njit(nogil=True, error_model="numpy")
def blocks_of(bars: int) -> int:
    return (bars + SIDE - 1) // SIDE


@njit(nogil=True, error_model="numpy")
def lay_out(
    bars: Bars,
    starts: Indices,
    diagram: int,
    blocks: int,
    size: np.int64,
    lane: int,
    room: Floats,
) -> None:
    """Write the bars of a diagram, one or more, to its lane of ``blocks`` blocks of ``size``.

    Before them stand bars of no length until the blocks are full: these change no cell, as to match
    one never costs less than the diagonal does.
    """
    first, end = starts[diagram], starts[diagram + 1]
    begin = end - SIDE * blocks
    for k in range(begin, end):
        at = (k - begin) // SIDE * size + (k - begin) % SIDE * LANES + lane
        room[at] = bars.deaths[k] if k >= first else bars.births[first]
        room[at + LANES * SIDE] = bars.diagonal[k] if k >= first else 0.0


@njit(nogil=True, error_model="numpy")
def square_costs(
    rows: Floats, strips: int, columns: Floats, blocks: int, lanes: int, out: Floats
) -> None:
    """Write the least sum of cost² of each pair to ``out`` (lane,).

    ``rows`` has ``strips`` blocks, ``columns`` has ``blocks`` and room for one more. ``lanes`` is
    LANES, told as a number that is unknown when this is compiled: what LLVM knows to be a short
    loop it does not turn into SIMD code.
    """
    last = np.uint64(blocks - 1) * STEP_COLUMNS
    for lane in range(np.uint64(lanes)):
        total, at = 0.0, DEATHS + lane
        for _ in range(blocks):
            for k in (DEATHS, ONE, TWO, THREE):
                total += columns[at + COSTS + k]
                columns[at + ABOVE + k] = total
            at += STEP_COLUMNS
        columns[lane + BEFORE + THREE] = 0.0
    row = DEATHS
    for _ in range(strips):
        for lane in range(np.uint64(lanes)):
            total = columns[lane + BEFORE + THREE]
            columns[lane + CORNER] = total
            for k in (DEATHS, ONE, TWO, THREE):
                total += rows[row + lane + COSTS + k]
                columns[lane + BEFORE + k] = total
        _strip(rows, row, columns, blocks, np.uint64(lanes))
        row += STEP_ROWS
    for lane in range(np.uint64(lanes)):
        out[lane] = columns[last + lane + ABOVE + THREE]


@njit(nogil=True, error_model="numpy")
def _strip(rows: Floats, row: np.uint64, columns: Floats, blocks: int, lanes: np.uint64) -> None:
    """The next four rows, block by block: the lowest takes the place of the row above, the column
    on the right is handed to the next block. All of it is one array, so that LLVM sees that the
    lanes do not meet."""
    at = DEATHS
    for _ in range(blocks):
        for lane in range(lanes):
            i, j = row + lane, at + lane
            a, alone_a = _four(rows, i + DEATHS), _four(rows, i + COSTS)
            b, alone_b = _four(columns, j + DEATHS), _four(columns, j + COSTS)
            above, before = _four(columns, j + ABOVE), _four(columns, j + BEFORE)
            corner = columns[j + CORNER]
            w = _row(corner, before[0], above, a[0], alone_a[0], b, alone_b)
            x = _row(before[0], before[1], w, a[1], alone_a[1], b, alone_b)
            y = _row(before[1], before[2], x, a[2], alone_a[2], b, alone_b)
            z = _row(before[2], before[3], y, a[3], alone_a[3], b, alone_b)
            _write(columns, j + ABOVE, z)
            _write(columns, j + STEP_COLUMNS + BEFORE, (w[3], x[3], y[3], z[3]))
            columns[j + STEP_COLUMNS + CORNER] = above[3]
        at += STEP_COLUMNS


@njit(nogil=True, error_model="numpy", forceinline=True)
def _row(
    corner: float, before: float, above: Four, a: float, alone_a: float, b: Four, alone_b: Four
) -> Four:
    w = _cell(corner, above[0], before, a - b[0], alone_a, alone_b[0])
    x = _cell(above[0], above[1], w, a - b[1], alone_a, alone_b[1])
    y = _cell(above[1], above[2], x, a - b[2], alone_a, alone_b[2])
    z = _cell(above[2], above[3], y, a - b[3], alone_a, alone_b[3])
    return w, x, y, z


@njit(nogil=True, error_model="numpy", forceinline=True)
def _cell(
    corner: float, above: float, before: float, apart: float, alone_a: float, alone_b: float
) -> float:
    """What comes last is what the cell waits for."""
    matched, skip_a, skip_b = corner + apart * apart, above + alone_a, before + alone_b
    least = skip_a if skip_a < matched else matched
    return least if least < skip_b else skip_b


@njit(nogil=True, error_model="numpy", forceinline=True)
def _four(room: Floats, at: np.uint64) -> Four:
    return room[at], room[at + ONE], room[at + TWO], room[at + THREE]


@njit(nogil=True, error_model="numpy", forceinline=True)
def _write(room: Floats, at: np.uint64, four: Four) -> None:
    room[at], room[at + ONE], room[at + TWO], room[at + THREE] = four
