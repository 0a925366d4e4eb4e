"""A label map on the grid of its image: turned to it, or refused where it lies elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cohortflow.errors import AmbiguousLabel, GeometryMismatch
from cohortflow.geometry import (
    Grid,
    Reorientation,
    grids_agree,
    require_agreement,
)
from cohortflow.sources.images.decoded import Decoded


def on_image_grid(
    label: Decoded, pair: str, images: Sequence[tuple[str, Decoded]], where: str
) -> tuple[Decoded, int]:
    """The label map, turned to the orientation of the image it lies on, and which image that is.

    ``pair``, with each image too: what names of pictures and masks share. A turn moves no voxel in
    the world. A sparse label map is set into the whole grid of its image. Raises
    :class:`GeometryMismatch`, with both matrices, where it lies on none of them, and
    :class:`AmbiguousLabel`.
    """
    candidates = _flat_candidates(label, pair, images, where) if label.flat else range(len(images))
    for number in candidates:
        placed = _placed(label, images[number][1])
        if placed is not None:
            return placed, number
    first = images[candidates[0]][1]
    if label.flat or first.flat:
        raise GeometryMismatch(
            "the label map has another size than its image",
            where=where,
            expected=str(first.array.shape[-2:]),
            found=str(label.array.shape[-2:]),
        )
    require_agreement(_grid(first), _grid(label), where=where)
    raise GeometryMismatch(
        "labels lie outside the image, or between its voxels",
        where=where,
        expected=str(_grid(first)),
        found=str(_grid(label)),
    )


def _flat_candidates(
    label: Decoded, pair: str, images: Sequence[tuple[str, Decoded]], where: str
) -> Sequence[int]:
    """The image of the mask's name, else the only one of its size; pixels place nothing.

    A mask that is called a mask and no more is that of all pictures of its folder.
    """
    alike = [number for number, (name, _) in enumerate(images) if pair and name == pair]
    by_name = bool(alike)
    if not by_name:
        alike = [n for n, (_, image) in enumerate(images) if _placed(label, image) is not None]
    of_all = not pair and len(alike) == len(images)
    if len(alike) > 1 and not of_all:
        raise AmbiguousLabel(
            "a mask that may be of several pictures",
            where=where,
            expected="one picture of its name" if by_name else "one picture of its size",
            found=str(len(alike)),
            hint="Call it after its picture: a.png and a_mask.png.",
        )
    return alike or range(len(images))


def _grid(decoded: Decoded) -> Grid:
    return decoded.grid


def _placed(label: Decoded, image: Decoded) -> Decoded | None:
    if label.flat or image.flat:
        same = label.flat and image.flat and label.array.shape[-2:] == image.array.shape[-2:]
        return label if same else None
    if label.matrix is None or image.matrix is None:
        return label if grids_agree(image.grid, label.grid) else None
    way = Reorientation.along(label.grid, image.grid)
    if way is None:
        return None
    turned = replace(label, array=way.apply(label.array), matrix=way.after.matrix)
    if label.sparse:
        return _set_in(turned, image)
    if not grids_agree(image.grid, turned.grid):
        return None
    # The image's own matrix: what is within rounding of it is it.
    turned.array = np.ascontiguousarray(turned.array)
    turned.matrix = image.matrix
    return turned


def _set_in(label: Decoded, image: Decoded) -> Decoded | None:
    """The whole grid of the image with the label's block in it; None where it does not fit."""
    grid, block = image.grid, label.grid
    corners = grid.index(block.corners_mm())
    starts = np.round(corners.min(axis=0)).astype(int)
    ends = starts + block.shape
    own = Grid(block.shape, _shifted(grid, starts))
    if not grids_agree(own, block):
        return None
    low, high = np.maximum(starts, 0), np.minimum(ends, grid.shape)
    if (low >= high).any():
        return None
    inside = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, starts, strict=True))
    if np.count_nonzero(label.array[inside]) != np.count_nonzero(label.array):
        return None
    whole = np.zeros(grid.shape, label.array.dtype)
    whole[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = label.array[inside]
    return replace(label, array=whole, matrix=image.matrix, sparse=False)


def _shifted(grid: Grid, starts: np.ndarray) -> np.ndarray:
    matrix = np.array(grid.matrix)
    matrix[:3, 3] = grid.world_mm(starts)
    return matrix
