"""Back to the source: an image or label map on the grid that its recording was taken on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from cohortflow.errors import InvalidEntry
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.resample import Interpolation, resample_to_grid
from cohortflow.preprocess.intensity import smallest
from cohortflow.preprocess.lineage import (
    INDEX_TO_SOURCE,
    INTENSITY,
    SOURCE_MATRIX,
    SOURCE_SHAPE,
    index_to_source,
    source_grid,
)

NOT_UNDONE = "intensity_not_undone"
"""Attribute: the operations on intensities that still stand, in the order they were done."""

_WHOLE = 1e-3  # voxels: what is only cropped, padded or turned is that near to whole steps


def to_source(
    dataset: xr.Dataset, outside: float | None = None, threads: int | None = None
) -> xr.Dataset:
    """A volume (``image``) or a label map (``label``) on the grid of the entry it began as.

    Labels by the linear weight of the labels around a voxel, images by linear interpolation; where
    it was only cropped, padded or turned, each voxel as it is. What was cropped away is 0 in a
    label map, in an image ``outside``, by default its smallest value. Scalings of intensities are
    undone; clipping, bias correction and histogram matching cannot be: from the last of them on
    backwards all that was done stands, in the attribute ``intensity_not_undone``. An entry that
    carries no source is on it. dims and, but for undone scalings and resampled images, the dtype
    stay.

    Raises :class:`InvalidEntry` for a dataset with neither variable.
    """
    name = next((name for name in ("image", "label") if name in dataset), None)
    if name is None:
        raise InvalidEntry(
            "neither an image nor a label map", found=", ".join(map(str, dataset.variables))
        )
    array = dataset[name]
    channels = _channels(array)
    grid = Grid.from_attributes(channels.shape[1:], dataset.attrs)
    attributes = dict(dataset.attrs)
    done = attributes.pop(INTENSITY, ())
    undone, standing = (channels, ()) if name == "label" else _undone(channels, done)
    source = source_grid(grid, attributes)
    way = np.linalg.inv(index_to_source(grid, attributes)).astype(np.float64)
    rule: Interpolation = "labels" if name == "label" else "linear"
    if np.abs(way - np.round(way)).max() < _WHOLE / max(*source.shape, *grid.shape):
        rule = "nearest"
    here, there = grid, source
    if grid.index_to_world is None:
        # Any spacing will do: only where one array lies in the other counts.
        here, there = Grid(grid.shape, np.eye(4)), Grid(source.shape, way)
    fill = 0.0 if name == "label" else outside
    moved = [
        resample_to_grid(
            one, here, there, rule, smallest(one) if fill is None else fill, threads=threads
        )
        for one in undone
    ]
    for gone in (SOURCE_SHAPE, SOURCE_MATRIX, INDEX_TO_SOURCE):
        attributes.pop(gone, None)
    attributes |= source.attributes()
    if standing:
        attributes[NOT_UNDONE] = [dict(one) for one in standing]
    back = moved[0] if len(moved) == 1 else np.stack(moved)
    sizes = dict(zip("zyx", source.shape, strict=True))
    shaped = back.reshape([sizes.get(str(dim), len(moved)) for dim in array.dims])
    coords = {d: array.coords[d] for d in array.dims if d == "channel" and d in array.coords}
    return xr.Dataset({name: (array.dims, shaped)}, coords=coords, attrs=attributes)


def _channels(array: xr.DataArray) -> npt.NDArray[Any]:
    """(channel, z, y, x), whatever of channel and z there is."""
    sizes: Mapping[Any, int] = array.sizes
    return array.values.reshape([sizes.get(dim, 1) for dim in ("channel", "z", "y", "x")])


def _undone(
    channels: npt.NDArray[Any], operations: Sequence[Mapping[str, Any]]
) -> tuple[npt.NDArray[Any], Sequence[Mapping[str, Any]]]:
    """Scalings undone, last first, up to what cannot be; and what then still stands."""
    left = list(operations)
    values = channels
    while left and "scale" in left[-1]:
        last = left.pop()
        scale, offset = (
            np.asarray(last[key], float).reshape(-1, 1, 1, 1) for key in ("scale", "offset")
        )
        values = values.astype(np.result_type(values.dtype, np.float32), copy=False)
        values = values * scale.astype(values.dtype) + offset.astype(values.dtype)
    return values, left
