"""Resampling to another spacing, size or grid: axis by axis where the axes are shared, else by ITK.

SimpleITK, and what is compiled, are imported by the first call that needs them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from cohortflow.errors import GeometryMismatch, UndefinedResult, UsageError, nearest
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import Floats
from cohortflow.geometry.shared_axes import SharedAxes
from cohortflow.geometry.target_grids import sized_grid, spaced_grid

Interpolation = Literal["linear", "bspline", "nearest", "labels"]
Route = Literal["auto", "separable", "simpleitk"]


def resample_to_spacing(
    array: npt.NDArray[Any],
    index_to_world: npt.ArrayLike,
    spacing_mm: float | Sequence[float],
    interpolation: Interpolation = "linear",
    **how: Any,
) -> tuple[npt.NDArray[Any], Floats]:
    """An array (z, y, x) at another spacing, in mm along z, y and x, and its matrix.

    The middle of the image and the ways of its axes stay; the number of voxels is the extent over
    the new spacing, rounded, at least 1. Between the outermost centres and the image's edge a voxel
    is what the outermost one is, so nothing is filled in. ``how``, interpolation, dtypes and errors
    as of :func:`resample_to_grid`; raises :class:`UsageError` for a spacing that is not above 0.
    """
    grid = _grid_of(array, index_to_world)
    target = spaced_grid(grid, spacing_mm)
    return resample_to_grid(array, grid, target, interpolation, **how), target.matrix


def resample_to_size(
    array: npt.NDArray[Any],
    grid: Grid,
    shape: Sequence[int],
    interpolation: Interpolation = "linear",
    **how: Any,
) -> tuple[npt.NDArray[Any], Grid]:
    """An array (z, y, x) over the same extent in ``shape`` voxels, and its grid.

    Also in index space. ``how``, interpolation, dtypes and errors as of :func:`resample_to_grid`.
    """
    target = sized_grid(grid, shape)
    # In index space any spacing will do: only how the two sizes relate counts.
    placed = grid if grid.index_to_world is not None else Grid(grid.shape, np.eye(4))
    moved = resample_to_grid(array, placed, sized_grid(placed, shape), interpolation, **how)
    return moved, target


def resample_to_grid(
    array: npt.NDArray[Any],
    grid: Grid,
    target: Grid,
    interpolation: Interpolation = "linear",
    outside: float = 0.0,
    *,
    antialias: bool = False,
    nearest_along: int | None = None,
    route: Route = "auto",
    threads: int | None = None,
) -> npt.NDArray[Any]:
    """An array (z, y, x) on ``grid`` as it stands on ``target``: (z, y, x) of the target's shape.

    ``linear`` and ``bspline`` (cubic) return float32, float64 for float64; ``nearest`` and
    ``labels`` (of the labels around a place the one with the most linear weight, the lowest of
    equal ones) keep the dtype, and no value comes up that was not there. Beyond the edge of the
    image a voxel is ``outside``; a voxel reaches from half before its centre to less than half
    behind it.

    ``antialias``: before ``linear`` and ``bspline``, along each axis of the image whose voxels grow
    by k, a Gaussian of standard deviation √((k² − 1) / (8 ln 2)) voxels, which takes a voxel's
    profile to that of the larger one (Cardoso et al., IPMI 2015, scale factor point spread
    function). ``nearest_along``: the axis of the image along which the nearest voxel is taken
    whatever the interpolation, see :func:`through_plane_axis`; needs shared axes.
    ``route``: ``auto`` goes axis by axis where the grids share axes, whatever their order, ways and
    spacing, and else through SimpleITK. ``threads``: all cores where None.

    Raises :class:`GeometryMismatch` (the array is not of its grid's shape), :class:`NoWorldSpace`,
    :class:`ShearedGrid` (by SimpleITK), :class:`UndefinedResult` (``bspline`` along an axis of two
    voxels), :class:`UsageError` (an interpolation that does not exist, what needs shared axes).
    """
    _check(array, grid, interpolation, nearest_along)
    if route not in get_args(Route):
        raise UsageError(f"no such route {route!r}", hint=nearest(route, get_args(Route)))
    shared = None if route == "simpleitk" else SharedAxes.of(grid, target)
    smooth = interpolation in ("linear", "bspline")
    if shared is None:
        if route == "separable" or nearest_along is not None:
            raise UsageError(
                "axis by axis only between grids that share their axes",
                expected=str(grid),
                found=str(target),
                hint="Turn through_plane off for this target.",
            )
        from cohortflow.geometry.by_simpleitk import resample_by_simpleitk

        if antialias and smooth:
            array = _blurred(array, _blurs(_shrinking(grid, target)), threads)
        return resample_by_simpleitk(array, grid, target, interpolation, outside, threads)
    blurs = _blurs(shared.shrinks_by) if antialias and smooth else (0.0, 0.0, 0.0)
    return _separable(array, shared, interpolation, outside, blurs, nearest_along, threads)


def _separable(
    array: npt.NDArray[Any],
    shared: SharedAxes,
    interpolation: Interpolation,
    outside: float,
    blurs: Sequence[float],
    nearest_along: int | None,
    threads: int | None,
) -> npt.NDArray[Any]:
    from cohortflow.preprocess.axis_taps import Axis
    from cohortflow.preprocess.separable import resample_labels, resample_smooth

    rule = "linear" if interpolation == "labels" else interpolation
    axes = [
        Axis(array.shape[axis], places, "nearest")
        if axis == nearest_along
        else Axis(array.shape[axis], places, rule, blur)
        for axis, places, blur in zip(shared.order, shared.coordinates, blurs, strict=True)
    ]
    resample = resample_smooth if interpolation in ("linear", "bspline") else resample_labels
    return resample(array.transpose(shared.order), axes, outside, threads or os.cpu_count() or 1)


def _blurred(
    array: npt.NDArray[Any], blurs: Sequence[float], threads: int | None
) -> npt.NDArray[Any]:
    from cohortflow.preprocess.axis_taps import Axis
    from cohortflow.preprocess.separable import resample_smooth

    if not any(blurs):
        return array
    axes = [
        Axis(size, np.arange(size), "linear", blur)
        for size, blur in zip(array.shape, blurs, strict=True)
    ]
    return resample_smooth(array, axes, threads=threads or os.cpu_count() or 1)


def _shrinking(grid: Grid, target: Grid) -> Floats:
    """(3,): how far a voxel of the target reaches along each axis of the image, in its voxels."""
    way = np.linalg.inv(grid.matrix[:3, :3]) @ target.matrix[:3, :3]
    reach: Floats = np.linalg.norm(way, axis=1)
    return reach


def _blurs(shrinks_by: Sequence[float] | Floats) -> tuple[float, ...]:
    # Rounded matrices do not make an image smaller.
    return tuple(
        math.sqrt((k * k - 1.0) / (8.0 * math.log(2.0))) if k > 1.0 + 1e-6 else 0.0
        for k in shrinks_by
    )


def _check(
    array: npt.NDArray[Any], grid: Grid, interpolation: str, nearest_along: int | None
) -> None:
    if interpolation not in get_args(Interpolation):
        hint = nearest(interpolation, get_args(Interpolation))
        raise UsageError(f"no such interpolation {interpolation!r}", hint=hint)
    if array.shape != grid.shape:
        raise GeometryMismatch(
            "the array is not on its grid", expected=str(grid), found=str(array.shape)
        )
    splined = [size for axis, size in enumerate(array.shape) if axis != nearest_along]
    if interpolation == "bspline" and 2 in splined:
        # There ITK reads beyond its array: numbers come back that nobody put in.
        raise UndefinedResult(
            "a cubic spline through two voxels",
            found=str(array.shape),
            hint="Use linear interpolation for this image.",
        )


def _grid_of(array: npt.NDArray[Any], index_to_world: npt.ArrayLike) -> Grid:
    if array.ndim != 3:
        raise UsageError("an array has the axes (z, y, x)", found=str(array.shape))
    z, y, x = array.shape
    return Grid((z, y, x), np.asarray(index_to_world, float))
