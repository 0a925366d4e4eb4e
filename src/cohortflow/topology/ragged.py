"""Diagrams of many regions in two flat arrays: bars one after the other, and where each begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from cohortflow.errors import UsageError
from cohortflow.topology.bars import as_bars

Bars = npt.NDArray[np.float64]
Offsets = npt.NDArray[np.int64]


def pack(diagrams: Sequence[npt.ArrayLike]) -> tuple[Bars, Offsets]:
    """Diagrams (bar, 2) in a row → all bars (bar, 2) and their offsets (diagram + 1,)."""
    tables: Sequence[Any] = diagrams
    bars = _joined(tables)
    if bars is None:
        tables = [as_bars(diagram) for diagram in diagrams]
        bars = np.concatenate([np.empty((0, 2)), *tables])
    offsets = np.zeros(len(tables) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, tables), np.int64), out=offsets[1:])
    return bars, offsets


def _joined(diagrams: Sequence[Any]) -> Bars | None:
    """All bars in one step, where the diagrams are tables of float64 as they came."""
    try:
        bars = np.concatenate(diagrams)
    except (TypeError, ValueError):
        return None
    return np.asarray(bars) if bars.dtype == np.float64 and bars.shape[1:] == (2,) else None


def checked_packed(bars: npt.ArrayLike, offsets: npt.ArrayLike) -> tuple[Bars, Offsets]:
    """Packed diagrams as float64 (bar, 2) and int64 (diagram + 1,).

    Refuses offsets that do not begin at 0, end at the last bar and never step back.
    """
    table, given = as_bars(bars), np.asarray(offsets)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise UsageError(
            "offsets are a row of integers",
            expected="(diagram + 1,)",
            found=f"{given.shape} of {given.dtype}",
        )
    checked = given.astype(np.int64)
    falls = checked[1:] < checked[:-1]
    if not len(checked) or checked[0] != 0 or checked[-1] != len(table) or falls.any():
        raise UsageError(
            "these offsets do not fit these bars",
            expected=f"0, …, {len(table)}, ascending",
            found=np.array2string(checked, threshold=8),
        )
    return table, checked


def transpose(bars: Sequence[Bars], offsets: Sequence[Offsets]) -> tuple[Bars, Offsets]:
    """From one packed set of regions per subject to region-major: region 0 of every subject, …

    ``bars`` and ``offsets`` are lists over subjects, each as :func:`pack` makes them. Cell
    (region r, subject s) of the result has index r * subjects + s.
    """
    base = np.concatenate([[0], np.cumsum([len(table) for table in bars])])[:-1]
    starts = np.stack([o[:-1] + b for o, b in zip(offsets, base, strict=True)], axis=1).ravel()
    counts = np.stack([np.diff(o) for o in offsets], axis=1).ravel()
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    gather = np.repeat(starts - ends[:-1], counts) + np.arange(ends[-1])
    return np.concatenate([np.empty((0, 2)), *bars])[gather], ends


def degrees(dataset: xr.Dataset) -> list[int]:
    """The homology degrees that an entry of diagrams holds."""
    return [degree for degree in range(3) if f"birth_death_{degree}" in dataset.variables]


def unpack(dataset: xr.Dataset, degree: int, first: int, last: int) -> list[Bars]:
    """The diagrams ``first`` … ``last - 1`` of a degree; reads those bars only."""
    edge = dataset[f"offset_{degree}"]
    ends = edge[first : last + 1].values
    bars = dataset[f"birth_death_{degree}"][int(ends[0]) : int(ends[-1])].values
    return np.split(np.asarray(bars, dtype=np.float64), (ends[1:-1] - ends[0]).tolist())
