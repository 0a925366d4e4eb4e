"""What every 4×4 matrix of an image must fulfil, whichever convention it is written in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import ImpossibleGeometry, ShearedGrid

Floats = npt.NDArray[np.float64]

# RAS ↔ LPS: its own inverse.
RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
# The three numbers of an index, or the three axes of an array, in reverse: (z, y, x) ↔ (i, j, k).
REVERSED = np.eye(4)[[2, 1, 0, 3]]

SPACING_MM = (1e-6, 1e4)
REACH_MM = 1e6
# The volume that the three unit directions span: 1 at right angles, 0 where they lie in a plane.
_SMALLEST_VOLUME = 1e-3
# Cosine between two axes. Rounded header fields of true right angles reach 2e-5 in real files.
SHEAR_TOLERANCE = 1e-4


def numbers(values: Any, shape: tuple[int, ...], name: str, where: str = "") -> Floats:
    """A copy as float64; raises :class:`ImpossibleGeometry` unless finite and of that shape."""
    try:
        found = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ImpossibleGeometry(f"{name} is no numbers", where=where) from error
    if found.shape != shape or not np.isfinite(found).all():
        raise ImpossibleGeometry(
            f"{name} is not what it should be",
            where=where,
            expected=f"finite numbers of shape {shape}",
            found=str(found.tolist()),
        )
    return found


def checked_matrix(matrix: Any, where: str = "") -> Floats:
    """A copy as (4, 4) float64; raises :class:`ImpossibleGeometry` with the matrix in it.

    Refused: what is not finite or not (4, 4); a last row other than 0 0 0 1; voxels smaller than
    1e-6 mm or larger than 10 m; an origin farther than 1 km; axes that lie in one plane.
    """
    checked = numbers(matrix, (4, 4), "the matrix", where)
    fault = _fault(checked)
    if fault:
        raise ImpossibleGeometry(fault, where=where, found=matrix_text(checked))
    return checked


def _fault(matrix: Floats) -> str:
    if not np.array_equal(matrix[3], (0.0, 0.0, 0.0, 1.0)):
        return "the last row of the matrix is not 0 0 0 1"
    spacing = column_lengths(matrix)
    if spacing.min() < SPACING_MM[0] or spacing.max() > SPACING_MM[1]:
        return f"a voxel is smaller than {SPACING_MM[0]:g} mm or larger than {SPACING_MM[1]:g} mm"
    if np.abs(matrix[:3, 3]).max() > REACH_MM:
        return f"the origin is farther than {REACH_MM:g} mm"
    if abs(np.linalg.det(matrix[:3, :3] / spacing)) < _SMALLEST_VOLUME:
        return "the matrix cannot be inverted: its axes lie in one plane"
    return ""


def column_lengths(matrix: Floats) -> Floats:
    """(3,): mm from one voxel to the next along each index."""
    lengths: Floats = np.linalg.norm(matrix[:3, :3], axis=0)
    return lengths


def directions(matrix: Floats) -> Floats:
    """(3, 3): unit columns, the way each index runs."""
    unit: Floats = matrix[:3, :3] / column_lengths(matrix)
    return unit


def shear(matrix: Floats) -> float:
    """The largest cosine between two axes: 0 at right angles."""
    unit = directions(matrix)
    return float(np.abs(unit.T @ unit - np.eye(3)).max(initial=0.0, where=~np.eye(3, dtype=bool)))


def refuse_shear(matrix: Floats, target: str, where: str = "") -> None:
    """Raises :class:`ShearedGrid` where two axes are off a right angle by a cosine above 1e-4."""
    off = shear(matrix)
    if off > SHEAR_TOLERANCE:
        raise ShearedGrid(
            f"{target} holds axes at right angles only",
            where=where,
            expected=f"a cosine of at most {SHEAR_TOLERANCE:g} between two axes",
            found=f"{off:.3g} in {matrix_text(matrix)}",
            hint="Resample the image to a grid with right angles first.",
        )


def matrix_text(matrix: Floats) -> str:
    """One line, nine digits: what single precision can tell apart stays apart."""
    rows = (" ".join(f"{value + 0.0:.9g}" for value in row) for row in matrix)
    return "[" + "; ".join(rows) + "]"
