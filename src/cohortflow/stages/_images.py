"""What stages on volumes and label maps have in common: channels, grids, lineage, cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import NotFinite
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import Floats
from cohortflow.pipeline.stage import Cost, Facts
from cohortflow.preprocess.lineage import moved_attributes, with_operation

Array = npt.NDArray[Any]
LIBRARIES_BYTES = 448 * 2**20
"""What a process with SimpleITK, scipy and numba occupies before it computes."""
_VARIABLES = {"volume": "image", "label_map": "label"}
_TYPICAL = (300, 512, 512)

Millimetres = (
    pydantic.PositiveFloat
    | tuple[pydantic.PositiveFloat, pydantic.PositiveFloat, pydantic.PositiveFloat]
)
Size = tuple[pydantic.PositiveInt, pydantic.PositiveInt, pydantic.PositiveInt]


@dataclass(frozen=True)
class Image:
    """An entry's array as (channel, z, y, x), one channel where it has none, and its grid."""

    entry: Entry
    channels: Array
    grid: Grid

    @classmethod
    def of(cls, entry: Entry) -> Image:
        values = entry.dataset[_VARIABLES[entry.kind]].values
        channels = values.reshape((1,) * (4 - values.ndim) + values.shape)
        return cls(entry, channels, grid_of(entry))

    def each(self, compute: Callable[[Array], Array]) -> Array:
        """``compute`` of each channel (z, y, x), side by side."""
        return side_by_side([compute(channel) for channel in self.channels])

    def moved(self, channels: Array, grid: Grid, way: Floats | None = None) -> Output:
        """The image on another grid; ``way``: indices there → indices here, for index space."""
        return self._output(channels, moved_attributes(self.grid, self.attributes, grid, way))

    def changed(self, channels: Array, *operations: Mapping[str, Any]) -> Output:
        """The image with other intensities."""
        attributes = moved_attributes(self.grid, self.attributes, self.grid)
        for operation in operations:
            attributes = with_operation(attributes, operation)
        return self._output(channels, attributes)

    @property
    def attributes(self) -> Mapping[str, Any]:
        return {str(name): value for name, value in self.entry.dataset.attrs.items()}

    def _output(self, channels: Array, attributes: Mapping[str, Any]) -> Output:
        name = _VARIABLES[self.entry.kind]
        given = self.entry.dataset[name]
        shape = channels.shape[-3:]
        array = channels.reshape(*given.shape[:-3], *shape[max(3 - given.ndim, 0) :])
        coords = {"channel": given.coords["channel"]} if "channel" in given.coords else {}
        dataset = xr.Dataset({name: (given.dims, array)}, coords, dict(attributes))
        return Output(dataset=dataset, facts=facts_of(Grid.from_attributes(shape, attributes)))


def side_by_side(channels: Sequence[Array]) -> Array:
    """(channel, z, y, x); one channel alone is not copied."""
    return channels[0][None] if len(channels) == 1 else np.stack(channels)


def grid_of(entry: Entry) -> Grid:
    shape = (1, *entry.dataset[_VARIABLES[entry.kind]].shape)[-3:]
    return Grid.from_attributes(shape, entry.dataset.attrs)


def facts_of(grid: Grid) -> dict[str, Any]:
    known = {} if grid.index_to_world is None else {"spacing_mm": list(grid.spacing_mm)}
    return {"shape": list(grid.shape), **known}


def refuse_missing(image: Image) -> None:
    """Raises :class:`NotFinite`: a mean over NaN or infinity is none."""
    if image.channels.dtype.kind == "f":
        bad = image.channels.size - int(np.isfinite(image.channels).sum())
        if bad:
            raise NotFinite(
                "voxels without a value",
                where=image.entry.subject or "",
                found=f"{bad} of {image.channels.size}",
            )


def voxels(facts: Facts) -> int:
    """Of the subject's image, as ingest knows it; else of a large one."""
    return math.prod(int(size) for size in facts.get("shape") or _TYPICAL)


def image_cost(
    facts: Sequence[Facts],
    bytes_per_voxel: float,
    seconds_per_voxel: float,
    out_voxels: int | None = None,
) -> Cost:
    """Of a stage that holds so many bytes for a voxel of its input, and writes float32."""
    size = sum(voxels(one) for one in facts)
    written = size if out_voxels is None else out_voxels
    return Cost(
        memory_bytes=int(LIBRARIES_BYTES + bytes_per_voxel * size + 8 * written),
        disk_bytes=4 * written + 16384,
        seconds=0.02 + seconds_per_voxel * (size + written),
    )
