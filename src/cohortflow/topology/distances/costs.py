"""Costs of all pairs of a tile: which algorithm solves which, and what needs none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.topology.bars import Floats, GroundNorm
from cohortflow.topology.distances.augmented import augmented_matching
from cohortflow.topology.distances.blocks import SIZE, essential_costs
from cohortflow.topology.distances.prepared import Prepared, ahead
from cohortflow.topology.distances.room import fits, refuse_beyond_memory

Flags = npt.NDArray[np.bool_]

EVERY = np.ones((SIZE, SIZE), dtype=np.bool_)
ABOVE = np.triu(EVERY, 1)
ONES_ABOVE = ABOVE.astype(np.float64)


def tile_costs(
    a: Prepared, b: Prepared, order: float, ground_norm: GroundNorm, same: bool
) -> Floats:
    """Least sums of cost^order (row, column); where ``same``, only above the diagonal, else 0."""
    wanted = (ABOVE if same else EVERY)[: len(a.alone), : len(b.alone)]
    out = a.alone[:, None] + b.alone
    if same:
        out *= ONES_ABOVE[: len(a.alone), : len(b.alone)]
    solve = wanted & (a.sizes > 0)[:, None] & (b.sizes > 0)
    line = solve & (a.birth[:, None] == b.birth)
    plane = solve & ~line
    if line.any():
        on_line(a, b, order, line, out)
    if plane.any():
        _in_plane(a, b, order, ground_norm, plane, out)
    if len(a.essential) or len(b.essential):
        out += np.where(wanted, essential_costs(a, b, order), 0.0)
    return out


def root(costs: Floats, order: float) -> Floats:
    """costs^(1 / order). Of an array: numpy's power of one number may differ in the last bit."""
    return costs if order == 1.0 else costs ** (1.0 / order)


def on_line(a: Prepared, b: Prepared, order: float, todo: Flags, out: Floats) -> None:
    """Write the costs of the pairs in ``todo``, each of one birth."""
    from cohortflow.topology.distances.line_squares import LANES
    from cohortflow.topology.distances.tile import kept_tile, line_tile, square_tile, sweep_tile

    tables = a.bars, a.offsets, b.bars, b.offsets
    count = int(np.count_nonzero(todo))
    if order == 2.0 and count >= LANES:
        square_tile(*tables, LANES, count, todo, out)
        todo = np.isnan(out)
    if order != 1.0:
        if todo.any():
            line_tile(*tables, float(order), todo, out)
        return
    sweep_tile(*tables, todo, out)
    unsure = np.isnan(out)
    if unsure.any():
        kept_tile(*tables, unsure, out)


def _in_plane(
    a: Prepared, b: Prepared, order: float, ground_norm: GroundNorm, todo: Flags, out: Floats
) -> None:
    from cohortflow.topology.distances.tile import plane_tile

    if not fits(a.sizes.max(), b.sizes.max()):  # if the largest do, all do
        refuse_beyond_memory(a.sizes[todo.any(axis=1)].max(), b.sizes[todo.any(axis=0)].max())
    l2 = ground_norm == "l2"
    plane_tile(a.bars, a.offsets, b.bars, b.offsets, float(order), l2, todo, out)
    unsure = np.isnan(out)
    for i, j in np.argwhere(unsure) if unsure.any() else ():
        first, second = sorted((a.one(i), b.one(j)), key=ahead)
        out[i, j] = augmented_matching(first, second, order, ground_norm)[0]
