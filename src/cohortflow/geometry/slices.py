"""A stack of slices, sorted by geometry, and what can be wrong with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.errors import DuplicateSlice, GantryTilt, MissingSlice, UnevenSlices
from cohortflow.geometry.matrices import SHEAR_TOLERANCE, Floats

# Of the usual distance between slices; positions are text, often rounded to a hundredth of a mm.
_EVEN = 0.01
_ROUNDED_MM = 0.01
_LAST_BIT_MM = 1e-9


def slice_order(normal: Floats, positions: Floats) -> tuple[int, ...]:
    """Indices of the positions (slice, 3) in the order in which they rise along the normal."""
    return tuple(np.argsort(positions @ normal, kind="stable").tolist())


def slice_step(normal: Floats, stacked: Floats, where: str = "") -> Floats:
    """(3,): from one slice to the next, of at least two sorted positions (slice, 3).

    The mean over the stack. Along the normal every distance must be the usual one (the median) up
    to 1 % or 0.01 mm, and every slice within twice that of its place. Raises
    :class:`DuplicateSlice`, :class:`MissingSlice` (a distance of whole slices),
    :class:`UnevenSlices`, which say where.
    """
    heights = stacked @ normal
    gaps = np.diff(heights)
    usual = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    if gaps.min() <= _EVEN * usual:
        raise DuplicateSlice(
            "two slices at one place", where=where, found=_place(heights, int(np.argmin(gaps)))
        )
    tolerance = max(_EVEN * usual, min(_ROUNDED_MM, 0.1 * usual))
    counts = np.maximum(np.round(gaps / usual), 1.0)
    off = np.abs(gaps - counts * usual)
    if (off > tolerance * counts + _LAST_BIT_MM).any():
        raise UnevenSlices(
            "the distance between slices varies",
            where=where,
            expected=f"{usual:.6g} mm everywhere",
            found=f"{gaps.min():.6g} to {gaps.max():.6g} mm; "
            f"{_place(heights, int(np.argmax(off)))}",
        )
    if counts.max() > 1:
        raise MissingSlice(
            f"{int(counts.sum()) - len(gaps)} slice(s) are missing",
            where=where,
            expected=f"a slice every {usual:.6g} mm",
            found=_place(heights, int(np.argmax(counts))),
        )
    step: Floats = (stacked[-1] - stacked[0]) / len(gaps)
    astray = np.linalg.norm(stacked - stacked[0] - np.outer(np.arange(len(stacked)), step), axis=1)
    if astray.max() > 2 * tolerance:
        raise UnevenSlices(
            "the slices do not stand in one line",
            where=where,
            expected=f"each within {2 * tolerance:.6g} mm of its place",
            found=f"slice {int(np.argmax(astray)) + 1} is {astray.max():.6g} mm away from it",
        )
    return step


def refuse_tilt(normal: Floats, step: Floats, slices: int, where: str = "") -> None:
    """Raises :class:`GantryTilt` where the last slice lies beside the first, not above it.

    Forgiven is what rounding explains: a cosine of 1e-4, or 0.01 mm over the whole stack.
    """
    unit = normal / np.linalg.norm(normal)
    sideways = float(np.linalg.norm(step - unit * (step @ unit)))
    wandered = sideways * (slices - 1)
    if sideways > SHEAR_TOLERANCE * np.linalg.norm(step) and wandered > _ROUNDED_MM:
        angle = np.degrees(np.arctan2(sideways, step @ unit))
        raise GantryTilt(
            "the slices shift along their own plane",
            where=where,
            expected="each slice straight above the one before",
            found=f"{angle:.3g}° of tilt, {wandered:.6g} mm over the stack",
            hint="Ask for tilted slices to take them on a sheared grid.",
        )


def _place(heights: npt.NDArray[np.float64], at: int) -> str:
    low, high = heights[at], heights[at + 1]
    return f"slices {at + 1} and {at + 2} of {len(heights)} at {low:.6g} and {high:.6g} mm"
