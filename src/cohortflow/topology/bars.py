"""What every distance asks of a diagram: its finite bars, its essential bars, the diagonal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from cohortflow.errors import MissingValues, UsageError

Floats = npt.NDArray[np.float64]
GroundNorm = Literal["linf", "l2"]
Essential = Literal["refuse", "drop", "match"]


@dataclass(frozen=True)
class Bars:
    """A checked diagram: ``finite`` (bar, 2) and sorted ``essential`` births (bar,)."""

    finite: Floats
    essential: Floats


def split_bars(diagram: npt.ArrayLike, essential: Essential = "refuse") -> Bars:
    """Check a (bar, 2) diagram and part its finite from its essential bars (death = inf).

    ``essential``: "refuse" raises where there is one, "drop" forgets them, "match" keeps them.
    """
    bars = as_bars(diagram)
    endless = check_bars(bars, essential)
    kept = bars[endless, 0] if essential == "match" else bars[:0, 0]
    return Bars(np.ascontiguousarray(bars[~endless]), np.sort(kept))


def as_bars(diagram: npt.ArrayLike) -> Floats:
    """A diagram as a (bar, 2) table of float64; nothing at all is an empty one."""
    try:
        bars = np.asarray(diagram, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError("a diagram is a table of numbers", expected="(bar, 2)") from error
    if bars.size == 0:
        bars = bars.reshape(0, 2)
    if bars.ndim != 2 or bars.shape[1] != 2:
        raise UsageError("a diagram is a table of bars", expected="(bar, 2)", found=str(bars.shape))
    return bars


def check_bars(bars: Floats, essential: Essential) -> npt.NDArray[np.bool_]:
    """Refuse what is no bar, and essential bars where told to; which bars (bar,) are essential."""
    known("essential", essential, get_args(Essential))
    births, deaths = bars.T
    if np.isnan(bars).any() or not np.isfinite(births).all():
        raise MissingValues("a diagram with NaN or an infinite birth has no distance")
    if (deaths < births).any():
        raise UsageError("a bar dies before it is born", found=str(bars[deaths < births][0]))
    endless: npt.NDArray[np.bool_] = np.isinf(deaths)
    if essential == "refuse" and endless.any():
        raise UsageError(
            f"{int(endless.sum())} essential bar(s) (death = inf)",
            hint='Say essential="drop" to leave them out, or essential="match" to match them with '
            "each other (inf where their counts differ).",
        )
    return endless


def to_diagonal(bars: Floats, ground_norm: GroundNorm) -> Floats:
    """Distance of each bar (bar, 2) to the diagonal: persistence / 2, in L2 / sqrt(2)."""
    known("ground_norm", ground_norm, get_args(GroundNorm))
    persistence: Floats = bars[:, 1] - bars[:, 0]
    persistence /= 2.0 if ground_norm == "linf" else np.sqrt(2.0)
    return persistence


def between(a: Floats, b: Floats, ground_norm: GroundNorm) -> Floats:
    """Ground distances (bar of a, bar of b)."""
    births = np.abs(a[:, None, 0] - b[None, :, 0])
    deaths = np.abs(a[:, None, 1] - b[None, :, 1])
    return np.maximum(births, deaths) if ground_norm == "linf" else np.hypot(births, deaths)


def known(what: str, value: str, names: tuple[str, ...]) -> None:
    if value not in names:
        raise UsageError(f"{what}={value!r}", expected=" or ".join(map(repr, names)))
