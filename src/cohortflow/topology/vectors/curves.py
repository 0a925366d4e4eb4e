"""Functions of the filtration value as vectors: Betti curves, landscapes, silhouettes.

Values at points that the caller names: nothing is fitted to diagrams, so that a vector never
depends on which other diagrams there are.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from cohortflow.errors import UsageError
from cohortflow.topology.bars import Floats, as_bars, check_bars, known, split_bars

Endless = Literal["refuse", "drop"]
"""What to do with essential bars (death = inf) where they have no vector."""


def betti_curve(
    diagram: npt.ArrayLike,
    grid: npt.ArrayLike,
    essential: Literal["refuse", "drop", "count"] = "refuse",
) -> npt.NDArray[np.int64]:
    """How many bars of a diagram (bar, 2) are alive at each value of ``grid`` (value,).

    A bar is alive from its birth on, until just before its death. ``essential`` bars are refused,
    left out, or counted from their birth on.
    """
    known("essential", essential, ("refuse", "drop", "count"))
    points, bars = _grid(grid), as_bars(diagram)
    endless = check_bars(bars, "refuse" if essential == "refuse" else "drop")
    kept = bars if essential == "count" else bars[~endless]
    births, deaths = np.sort(kept, axis=0).T
    born = np.searchsorted(births, points, side="right")
    return np.asarray(born - np.searchsorted(deaths, points, side="right"), dtype=np.int64)


def persistence_landscape(
    diagram: npt.ArrayLike, grid: npt.ArrayLike, levels: int = 5, essential: Endless = "refuse"
) -> Floats:
    """The first landscapes of a diagram (bar, 2) at the values of ``grid``: (level, value).

    Level k is the k-th largest of the tents max(0, min(t - birth, death - t)), 0 where there are
    fewer bars; no further factor.

    Source: Bubenik 2015, Journal of Machine Learning Research 16, definition 3.
    """
    if levels < 1:
        raise UsageError("landscapes are counted from 1", found=f"levels={levels}")
    tents = _tents(_finite(diagram, essential), _grid(grid))
    if len(tents) > levels:
        tents = np.partition(tents, len(tents) - levels, axis=0)[-levels:]
    out = np.zeros((levels, tents.shape[1]))
    out[: len(tents)] = np.sort(tents, axis=0)[::-1]
    return out


def persistence_silhouette(
    diagram: npt.ArrayLike, grid: npt.ArrayLike, power: float = 1.0, essential: Endless = "refuse"
) -> Floats:
    """Mean of the tents of all bars, weighted by persistence^power,
    at the values of ``grid``: (value,).

    0 where the diagram has no bar of positive length.

    Source: Chazal et al. 2014, Stochastic Convergence of Persistence Landscapes and Silhouettes.
    """
    bars = _finite(diagram, essential)
    # Of the longest bar, as only shares matter: so no power leaves the range of float64.
    longest = float((bars[:, 1] - bars[:, 0]).max(initial=0.0))
    weight = persistence_weight(bars / (longest or 1.0), power)
    total = weight.sum()
    return np.asarray((weight / (total or 1.0)) @ _tents(bars, _grid(grid)))


def persistence_weight(bars: Floats, power: float) -> Floats:
    """persistence^power of each bar (bar,): 0 for one of no length, else 1 where ``power`` is 0."""
    if not 0.0 <= power < np.inf:
        raise UsageError("a weight is a power ≥ 0 of persistence", found=f"power={power:g}")
    persistence = bars[:, 1] - bars[:, 0]
    return np.where(persistence > 0.0, persistence**power, 0.0)


def _tents(bars: Floats, grid: Floats) -> Floats:
    """(bar, value)"""
    rising, falling = grid - bars[:, :1], bars[:, 1:] - grid
    return np.maximum(np.minimum(rising, falling), 0.0)


def _finite(diagram: npt.ArrayLike, essential: Endless) -> Floats:
    known("essential", essential, ("refuse", "drop"))
    return split_bars(diagram, essential).finite


def _grid(grid: npt.ArrayLike) -> Floats:
    points = np.asarray(grid, dtype=np.float64)
    if points.ndim != 1 or not np.isfinite(points).all():
        raise UsageError(
            "a grid is a row of filtration values", expected="finite, (value,)", found=str(grid)
        )
    return points
