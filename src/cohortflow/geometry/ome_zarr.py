"""OME-Zarr 0.5: a scale and a translation along the axes of the array; it holds no rotation.

Source: https://ngff.openmicroscopy.org/0.5, "multiscales" metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import Floats

VERSION = "0.5"
_SPATIAL = ("z", "y", "x")


def ome_scale_and_translation(grid: Grid) -> tuple[Floats, Floats]:
    """(3,), (3,) along z, y, x: mm between voxels, and where the first stands in mm.

    ``world = direction @ (scale * index + translation)``: what is measured along the image's own
    axes is exact, and only ``Grid.direction`` is not held. Index space: 1 and 0.
    """
    if grid.index_to_world is None:
        return np.ones(3), np.zeros(3)
    translation = np.linalg.solve(grid.direction, grid.matrix[:3, 3]).astype(np.float64)
    return np.array(grid.spacing_mm), translation + 0.0


def ome_multiscales(
    grid: Grid, dims: Sequence[str], levels: Mapping[str, Sequence[int]], name: str = ""
) -> dict[str, Any]:
    """The value of the attribute ``ome`` of an image group.

    ``dims``: of its arrays, of ``channel``, ``z``, ``y``, ``x``. ``levels``: path of an array → how
    many voxels of the grid one of its voxels spans along (z, y, x), the finest first.
    """
    unit = {} if grid.index_to_world is None else {"unit": "millimeter"}
    axes = [
        {"name": d, "type": "space", **unit} if d in _SPATIAL else {"name": d, "type": "channel"}
        for d in dims
    ]
    image = {
        "axes": axes,
        "datasets": [
            {"path": path, "coordinateTransformations": _transformations(grid, dims, factors)}
            for path, factors in levels.items()
        ],
    }
    return {"version": VERSION, "multiscales": [image | ({"name": name} if name else {})]}


def _transformations(
    grid: Grid, dims: Sequence[str], factors: Sequence[int]
) -> list[dict[str, Any]]:
    spacing, first = ome_scale_and_translation(grid)
    many = np.asarray(factors, float)
    scale = dict(zip(_SPATIAL, (spacing * many).tolist(), strict=True))
    # The middle of the voxels that one spans.
    middle = dict(zip(_SPATIAL, (first + spacing * (many - 1) / 2).tolist(), strict=True))
    return [
        {"type": "scale", "scale": [scale.get(dim, 1.0) for dim in dims]},
        {"type": "translation", "translation": [middle.get(dim, 0.0) for dim in dims]},
    ]
