"""Ragged diagrams made ready for many distances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from cohortflow.errors import UsageError
from cohortflow.topology.bars import Essential, Floats, GroundNorm, check_bars, known, to_diagonal
from cohortflow.topology.ragged import Offsets, checked_packed

Indices = npt.NDArray[np.int64]

LARGEST = float(np.finfo(np.float64).max)


class Bars(NamedTuple):
    """Finite bars by (birth, death), as compiled code takes them: one diagram, or many in a row."""

    births: Floats  # (bar,)
    deaths: Floats
    diagonal: Floats  # cost of the diagonal to the power of order


@dataclass(frozen=True)
class Prepared:
    """Packed diagrams; ``position`` (bar,) is the row of a bar in the table that was packed."""

    bars: Bars
    position: Indices
    offsets: Indices  # (diagram + 1,)
    alone: Floats  # (diagram,), sum of diagonal
    birth: Floats  # (diagram,), of all its bars; NaN where they differ or there is none
    essential: Floats  # births of essential bars, sorted in each diagram
    essential_position: Indices
    essential_offsets: Indices  # (diagram + 1,)

    @property
    def sizes(self) -> Indices:
        """Finite bars of each diagram."""
        return self.offsets[1:] - self.offsets[:-1]

    def block(self, first: int, last: int) -> Prepared:
        """Diagrams ``first`` … ``last - 1`` or the last one; the arrays of bars are shared."""
        return replace(
            self,
            offsets=self.offsets[first : last + 1],
            alone=self.alone[first:last],
            birth=self.birth[first:last],
            essential_offsets=self.essential_offsets[first : last + 1],
        )

    def endless(self, k: int) -> Floats:
        """Births (bar,) of the essential bars of a diagram."""
        return self.essential[self.essential_offsets[k] : self.essential_offsets[k + 1]]

    def one(self, k: int) -> Bars:
        part = slice(self.offsets[k], self.offsets[k + 1])
        return Bars(*(values[part] for values in self.bars))


def prepare(
    bars: Floats, offsets: Offsets, order: float, ground_norm: GroundNorm, essential: Essential
) -> Prepared:
    """Check packed diagrams, (bar, 2) and (diagram + 1,), and put their bars in order."""
    if not 1.0 <= order < np.inf:
        raise UsageError(
            "a Wasserstein distance has a finite order ≥ 1",
            found=str(order),
            hint="For order = inf take bottleneck_distance.",
        )
    known("ground_norm", ground_norm, get_args(GroundNorm))
    bars, offsets = checked_packed(bars, offsets)
    known("essential", essential, get_args(Essential))
    table, size = np.ascontiguousarray(bars.T), len(offsets) - 1
    extent = _extent(table)
    position, kept = np.arange(len(bars)), np.empty(0, np.int64)
    ends, kept_ends = offsets, np.zeros(size + 1, np.int64)
    # To see that nothing is amiss is cheaper than to tell what is, and mostly nothing is.
    fine = extent < np.inf and not (table[1] < table[0]).any() and _in_order(table, ends)
    if not fine:
        endless = check_bars(table.T, essential)
        diagram = np.repeat(np.arange(size), np.diff(offsets))
        order_of_all = np.lexsort((table[1], table[0], diagram))
        position = order_of_all[~endless[order_of_all]]
        kept = order_of_all[endless[order_of_all]] if essential == "match" else kept
        ends, kept_ends = (_offsets(diagram[rows], size) for rows in (position, kept))
        table = np.take(table, position, axis=1)  # rows stay contiguous
        extent = _extent(table)
    # Lengths in L2 are roots of squares.
    _refuse_overflow(extent, len(position), max(order, 2.0) if ground_norm == "l2" else order)
    diagonal = to_diagonal(table.T, ground_norm)
    if order != 1.0:
        diagonal **= order
    births, deaths = table
    full = ends[1:] > ends[:-1]
    first, last = ends[:-1][full], ends[1:][full] - 1
    alone, birth = np.zeros(size), np.full(size, np.nan)
    if len(first):
        alone[full] = np.add.reduceat(diagonal, first)
        birth[full] = np.where(births[first] == births[last], births[first], np.nan)
    return Prepared(
        Bars(births, deaths, diagonal), position, ends, alone, birth,
        bars[kept, 0], kept, kept_ends,
    )  # fmt: skip


def ahead(bars: Bars) -> tuple[int, list[float]]:
    """Sorts a pair of diagrams as a tile takes them, so that their distance has the same bits from
    either side."""
    return len(bars.births), np.column_stack(bars[:2]).ravel().tolist()


def _in_order(table: Floats, ends: Indices) -> bool:
    """Whether the bars of each diagram ascend by birth, then death; ``table`` (2, bar)."""
    births, deaths = table
    falls = np.zeros(len(births) + 1, dtype=np.bool_)
    falls[1:-1] = births[1:] < births[:-1]
    falls[1:-1] |= (births[1:] == births[:-1]) & (deaths[1:] < deaths[:-1])
    falls[ends] = False  # where a diagram begins
    return not falls.any()


def _offsets(diagram: Indices, size: int) -> Indices:
    offsets = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(diagram, minlength=size), out=offsets[1:])
    return offsets


def _extent(table: Floats) -> float:
    """The largest absolute value, NaN where there is one."""
    return float(max(-table.min(initial=0.0), table.max(initial=0.0)))


def _refuse_overflow(extent: float, bars: int, power: float) -> None:
    if extent > 0.25 * (LARGEST / (bars + 1.0)) ** (1.0 / power):
        raise UsageError(
            f"values up to {extent:g} to the power of {power:g} leave the range of float64",
            hint="Scale the diagrams; distances scale with them.",
        )
