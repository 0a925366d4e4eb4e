"""NIfTI: array (i, j, k, …) with i fastest, affine (i, j, k, 1) → world (x, y, z), RAS+."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from cohortflow.errors import ImpossibleGeometry
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import REVERSED, Floats, checked_matrix, numbers

# Of the field xyzt_units; most files leave it open and mean millimetres.
_MM = {"mm": 1.0, "unknown": 1.0, "meter": 1e3, "micron": 1e-3}


def grid_from_nifti(
    shape: Sequence[int], affine: npt.ArrayLike, unit: str = "mm", where: str = ""
) -> Grid:
    """Grid of the first three axes (i, j, k) of a NIfTI image.

    ``affine``: (4, 4), (i, j, k, 1) → RAS+ in ``unit`` (``mm``, ``meter``, ``micron``; ``unknown``
    counts as mm). NIfTI may hold shear, and so may a grid. Raises :class:`ImpossibleGeometry`.
    """
    scaled = numbers(affine, (4, 4), "the affine", where)
    scaled[:3] *= nifti_millimetres(unit, where)
    if len(shape) < 3:
        raise ImpossibleGeometry("an image of fewer than three axes", where=where, found=str(shape))
    i, j, k = shape[:3]
    return Grid((k, j, i), checked_matrix(scaled, where) @ REVERSED)


def nifti_millimetres(unit: str, where: str = "") -> float:
    """Millimetres of one ``unit``, as of :func:`grid_from_nifti`; raises ImpossibleGeometry."""
    if unit not in _MM:
        raise ImpossibleGeometry(
            "no unit of length", where=where, expected=", ".join(_MM), found=unit
        )
    return _MM[unit]


def nifti_affine(grid: Grid) -> Floats:
    """(4, 4): (i, j, k, 1) → world (x, y, z), RAS+ mm,
    of the array turned by ``array_to_nifti``."""
    affine: Floats = grid.matrix @ REVERSED
    return affine


def array_from_nifti(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(i, j, k) → (z, y, x), (i, j, k, time) → (time, z, y, x): a view."""
    return array.T


def array_to_nifti(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(z, y, x) → (i, j, k), (channel, z, y, x) → (i, j, k, channel): a view."""
    return array.T
