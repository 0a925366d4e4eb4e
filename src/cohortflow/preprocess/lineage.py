"""What a derived image carries to be put back: the grid it began on, what was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cohortflow.geometry.grid import ATTRIBUTE, Grid
from cohortflow.geometry.matrices import Floats

SOURCE_SHAPE = "source_shape"
"""(z, y, x) of the entry that the image began as."""
SOURCE_MATRIX = "source_index_to_world"
"""Its ``index_to_world``; absent in index space."""
INDEX_TO_SOURCE = "index_to_source"
"""In index space: the matrix (4, 4) from indices here to indices there."""
INTENSITY = "intensity"
"""What was done to the intensities, in order: ``{"op": …}`` and its numbers.

What can be undone has ``scale`` and ``offset``, one for each channel: before = scale · after +
offset.
"""
_OF_A_GRID = (ATTRIBUTE, SOURCE_SHAPE, SOURCE_MATRIX, INDEX_TO_SOURCE)
# Written from the arrays by whoever stores them.
_OF_A_FILE = ("ome",)


def source_grid(grid: Grid, attributes: Mapping[str, Any]) -> Grid:
    """The grid that an image on ``grid`` began on; its own where it carries none."""
    if SOURCE_SHAPE not in attributes:
        return grid
    z, y, x = attributes[SOURCE_SHAPE]
    return Grid((z, y, x), attributes.get(SOURCE_MATRIX))


def index_to_source(grid: Grid, attributes: Mapping[str, Any]) -> Floats:
    """(4, 4): from indices (z, y, x, 1) of an image on ``grid`` to those of its source."""
    if grid.index_to_world is None:
        return np.asarray(attributes.get(INDEX_TO_SOURCE, np.eye(4)), float)
    way: Floats = np.linalg.inv(source_grid(grid, attributes).matrix) @ grid.matrix
    return way


def moved_attributes(
    before: Grid, attributes: Mapping[str, Any], after: Grid, way: Floats | None = None
) -> dict[str, Any]:
    """Attributes of an image that was on ``before`` and is on ``after``.

    ``way``: (4, 4) from indices after to indices before; needed in index space only.
    """
    source = source_grid(before, attributes)
    kept = {k: v for k, v in attributes.items() if k not in (*_OF_A_GRID, *_OF_A_FILE)}
    kept |= after.attributes() | {SOURCE_SHAPE: list(source.shape)}
    if source.index_to_world is not None:
        kept[SOURCE_MATRIX] = source.index_to_world.tolist()
    elif way is not None:
        kept[INDEX_TO_SOURCE] = (index_to_source(before, attributes) @ way).tolist()
    elif INDEX_TO_SOURCE in attributes:
        kept[INDEX_TO_SOURCE] = attributes[INDEX_TO_SOURCE]
    return kept


def attributes_of_place(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say where an image lies and began: for what is predicted from it."""
    return {name: attributes[name] for name in _OF_A_GRID if name in attributes}


def with_operation(attributes: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes with one more operation on the intensities."""
    return {**attributes, INTENSITY: [*attributes.get(INTENSITY, ()), dict(operation)]}
