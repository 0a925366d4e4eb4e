"""Resampling to another spacing or another grid, by SimpleITK.

SimpleITK is imported by the first call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cohortflow.errors import GeometryMismatch, UndefinedResult, UsageError, nearest
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.itk import itk_geometry
from cohortflow.geometry.matrices import Floats

Interpolation = Literal["linear", "bspline", "nearest", "labels"]
_ITK_NAMES = {
    "linear": "sitkLinear",
    "bspline": "sitkBSpline",
    "nearest": "sitkNearestNeighbor",
    "labels": "sitkLabelLinear",
}
_OF_LABELS = {"nearest", "labels"}


def resample_to_spacing(
    array: npt.NDArray[Any],
    index_to_world: npt.ArrayLike,
    spacing_mm: float | Sequence[float],
    interpolation: Interpolation = "linear",
) -> tuple[npt.NDArray[Any], Floats]:
    """An array (z, y, x) at another spacing, in mm along z, y and x, and its matrix.

    The middle of the image and the ways of its axes stay; the number of voxels is the extent over
    the new spacing, rounded, at least 1. Between the outermost centres and the image's edge a voxel
    is what the outermost one is, so nothing is filled in. Nothing is smoothed before shrinking.
    Interpolation, dtypes and errors as of :func:`resample_to_grid`; raises :class:`UsageError` for a
    spacing that is not above 0.
    """
    grid = _grid_of(array, index_to_world)
    target = spaced_grid(grid, spacing_mm)
    return resample_to_grid(array, grid, target, interpolation), target.matrix


def spaced_grid(grid: Grid, spacing_mm: float | Sequence[float]) -> Grid:
    """The grid at another spacing (z, y, x) around the same middle, along the same axes."""
    spacing = np.broadcast_to(np.asarray(spacing_mm, float), (3,))
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise UsageError("a spacing is above 0 mm", found=str(spacing_mm))
    extent = np.asarray(grid.shape) * grid.spacing_mm
    shape = np.maximum(np.floor(extent / spacing + 0.5).astype(int), 1)
    matrix = np.array(grid.matrix)
    matrix[:3, :3] = grid.direction * spacing
    matrix[:3, 3] = grid.centre_mm - matrix[:3, :3] @ ((shape - 1) / 2)
    z, y, x = shape.tolist()
    return Grid((z, y, x), matrix)


def resample_to_grid(
    array: npt.NDArray[Any],
    grid: Grid,
    target: Grid,
    interpolation: Interpolation = "linear",
    outside: float = 0.0,
) -> npt.NDArray[Any]:
    """An array (z, y, x) on ``grid`` as it stands on ``target``: (z, y, x) of the target's shape.

    ``linear`` and ``bspline`` (cubic) return float32, float64 for float64; ``nearest`` and ``labels``
    (of the labels around a place the one with the most linear weight) keep the dtype, and no value
    comes up that was not there. Beyond the edge of the image a voxel is ``outside``. Raises
    :class:`GeometryMismatch` (the array is not of its grid's shape), :class:`NoWorldSpace`,
    :class:`ShearedGrid`, :class:`UndefinedResult` (``bspline`` along an axis of two voxels),
    :class:`UsageError` (an interpolation that does not exist).
    """
    import SimpleITK

    if interpolation not in _ITK_NAMES:
        hint = nearest(interpolation, _ITK_NAMES)
        raise UsageError(f"no such interpolation {interpolation!r}", hint=hint)
    if array.shape != grid.shape:
        raise GeometryMismatch(
            "the array is not on its grid", expected=str(grid), found=str(array.shape)
        )
    if interpolation == "bspline" and 2 in array.shape:
        # There ITK reads beyond its array: numbers come back that nobody put in.
        raise UndefinedResult(
            "a cubic spline through two voxels",
            found=str(array.shape),
            hint="Use linear interpolation for this image.",
        )
    source = SimpleITK.GetImageFromArray(_as_itk_holds(array, interpolation))
    placed = itk_geometry(grid)
    source.SetOrigin(placed.origin)
    source.SetSpacing(placed.spacing)
    source.SetDirection(placed.direction)
    wanted = itk_geometry(target)
    moved = SimpleITK.Resample(
        source,
        wanted.size,
        SimpleITK.Transform(),
        getattr(SimpleITK, _ITK_NAMES[interpolation]),
        wanted.origin,
        wanted.spacing,
        wanted.direction,
        float(outside),
    )
    resampled: npt.NDArray[Any] = SimpleITK.GetArrayFromImage(moved)
    return resampled.astype(array.dtype) if interpolation in _OF_LABELS else resampled


def _as_itk_holds(array: npt.NDArray[Any], interpolation: str) -> npt.NDArray[Any]:
    if interpolation not in _OF_LABELS:
        return array if array.dtype == np.float64 else array.astype(np.float32)
    return array.astype(np.uint8) if array.dtype == np.bool_ else array


def _grid_of(array: npt.NDArray[Any], index_to_world: npt.ArrayLike) -> Grid:
    if array.ndim != 3:
        raise UsageError("an array has the axes (z, y, x)", found=str(array.shape))
    z, y, x = array.shape
    return Grid((z, y, x), np.asarray(index_to_world, float))
