"""Grids around the middle of another: of another spacing, of another size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cohortflow.errors import UsageError
from cohortflow.geometry.grid import Grid


def spaced_grid(grid: Grid, spacing_mm: float | Sequence[float]) -> Grid:
    """The grid at another spacing (z, y, x) around the same middle, along the same axes."""
    spacing = np.broadcast_to(np.asarray(spacing_mm, float), (3,))
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise UsageError("a spacing is above 0 mm", found=str(spacing_mm))
    extent = np.asarray(grid.shape) * grid.spacing_mm
    shape = np.maximum(np.floor(extent / spacing + 0.5).astype(int), 1)
    return _around_the_middle(grid, shape.tolist(), spacing)


def sized_grid(grid: Grid, shape: Sequence[int]) -> Grid:
    """The grid of another size (z, y, x) over the same extent, along the same axes.

    In index space the extent is what both sizes stand for: voxels of size / shape voxels.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise UsageError("a size is three whole numbers above 0", found=str(tuple(shape)))
    z, y, x = shape
    if grid.index_to_world is None:
        return Grid((z, y, x))
    return _around_the_middle(grid, shape, np.asarray(grid.shape) * grid.spacing_mm / shape)


def _around_the_middle(
    grid: Grid, shape: Sequence[int], spacing_mm: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> Grid:
    matrix = np.array(grid.matrix)
    matrix[:3, :3] = grid.direction * spacing_mm
    matrix[:3, 3] = grid.centre_mm - matrix[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    z, y, x = shape
    return Grid((z, y, x), matrix)
