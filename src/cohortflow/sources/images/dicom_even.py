"""Slices at uneven places brought to even ones, by linear interpolation between neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.geometry import DicomPlanes, grid_from_dicom
from cohortflow.sources.images.decoded import ReadOptions, refuse_size


def evened(
    array: npt.NDArray[Any], planes: DicomPlanes, options: ReadOptions, where: str
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Slices (slice, row, column, …) on the even grid of their usual distance, and its matrix.

    Whole numbers stay whole (rounded); the first slice keeps its place.
    """
    cosines = np.asarray(planes.image_orientation).reshape(2, 3)
    normal = np.cross(*cosines)
    positions = np.asarray(planes.image_positions)
    order = np.argsort(positions @ normal, kind="stable")
    heights = (positions @ normal)[order]
    usual = float(np.median(np.diff(heights)))
    count = round((heights[-1] - heights[0]) / usual) + 1
    refuse_size(count * array[0].size, options, where)
    wanted = heights[0] + usual * np.arange(count)
    wanted[-1] = min(wanted[-1], heights[-1])
    line = (positions[order[-1]] - positions[order[0]]) / (heights[-1] - heights[0])
    places = positions[order[0]] + np.outer(
        heights[0] + usual * np.arange(count) - heights[0], line
    )
    even = replace(planes, image_positions=tuple((x, y, z) for x, y, z in places.tolist()))
    grid, _ = grid_from_dicom(even, tilted=True, where=where)
    above = np.clip(np.searchsorted(heights, wanted, side="right"), 1, len(heights) - 1)
    share = (wanted - heights[above - 1]) / (heights[above] - heights[above - 1])
    result = np.empty((count, *array.shape[1:]), array.dtype)
    for number, (upper, weight) in enumerate(zip(above, share, strict=True)):
        low, high = array[order[upper - 1]], array[order[upper]]
        mixed = (1 - weight) * low.astype(np.float64) + weight * high.astype(np.float64)
        result[number] = np.rint(mixed) if array.dtype.kind in "iu" else mixed
    return result, grid.matrix
