"""Resampling by SimpleITK: any grid to any grid, and what the separable route is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.geometry.grid import Grid
from cohortflow.geometry.itk import itk_geometry

_NAMES = {
    "linear": "sitkLinear",
    "bspline": "sitkBSpline",
    "nearest": "sitkNearestNeighbor",
    "labels": "sitkLabelLinear",
}


def resample_by_simpleitk(
    array: npt.NDArray[Any],
    grid: Grid,
    target: Grid,
    interpolation: str,
    outside: float,
    threads: int | None = None,
) -> npt.NDArray[Any]:
    """As :func:`resample_to_grid`; None threads are as many as ITK is set to."""
    import SimpleITK

    keeps = interpolation in ("nearest", "labels")
    source = SimpleITK.GetImageFromArray(_as_itk_holds(array))
    placed, wanted = itk_geometry(grid), itk_geometry(target)
    source.SetOrigin(placed.origin)
    source.SetSpacing(placed.spacing)
    source.SetDirection(placed.direction)
    one = SimpleITK.ResampleImageFilter()
    one.SetSize(wanted.size)
    one.SetOutputOrigin(wanted.origin)
    one.SetOutputSpacing(wanted.spacing)
    one.SetOutputDirection(wanted.direction)
    one.SetInterpolator(getattr(SimpleITK, _NAMES[interpolation]))
    one.SetDefaultPixelValue(float(outside))
    if not keeps:
        double = array.dtype == np.float64
        one.SetOutputPixelType(SimpleITK.sitkFloat64 if double else SimpleITK.sitkFloat32)
    if threads is not None:
        one.SetNumberOfThreads(threads)
    moved: npt.NDArray[Any] = SimpleITK.GetArrayFromImage(one.Execute(source))
    return moved.astype(array.dtype, copy=False) if keeps else moved


def _as_itk_holds(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array
