"""Whether two arrays lie on one grid, and the refusal where they do not."""

from __future__ import annotations

import numpy as np

from cohortflow.errors import GeometryMismatch
from cohortflow.geometry.grid import Grid

# Of the smallest spacing. Single-precision headers of one grid differ by less than a thousandth.
TOLERANCE_VOXELS = 0.01


def grids_agree(a: Grid, b: Grid, tolerance_voxels: float = TOLERANCE_VOXELS) -> bool:
    """Whether every voxel of one lies where it does in the other.

    Same shape, and no voxel farther apart than ``tolerance_voxels`` of the smallest spacing. Two
    grids in index space agree by their shape; one of them in index space is another grid.
    """
    if a.shape != b.shape:
        return False
    if a.index_to_world is None or b.index_to_world is None:
        return a.index_to_world is b.index_to_world
    return farthest_apart_mm(a, b) <= tolerance_voxels * min(*a.spacing_mm, *b.spacing_mm)


def farthest_apart_mm(a: Grid, b: Grid) -> float:
    """Largest distance in mm between the same voxel of two grids of one shape."""
    # The difference is affine in the index, so its length is largest at a corner.
    return float(np.linalg.norm(a.corners_mm() - b.corners_mm(), axis=1).max())


def require_agreement(
    image: Grid,
    other: Grid,
    what: str = "the label map",
    where: str = "",
    tolerance_voxels: float = TOLERANCE_VOXELS,
) -> None:
    """Raises :class:`GeometryMismatch`, with both matrices, where ``grids_agree`` says no."""
    if grids_agree(image, other, tolerance_voxels):
        return
    worlds = image.index_to_world is not None and other.index_to_world is not None
    apart = ""
    if worlds and image.shape == other.shape:
        apart = f", voxels are up to {farthest_apart_mm(image, other):.6g} mm off"
    raise GeometryMismatch(
        f"{what} lies on another grid than the image{apart}",
        where=where,
        expected=str(image),
        found=str(other),
        hint="Resample one to the grid of the other, or correct the header that is wrong.",
    )
