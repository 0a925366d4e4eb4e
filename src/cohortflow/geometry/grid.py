"""Where the voxels of an array lie: shape and, where spacing is known, the matrix to world."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import ImpossibleGeometry, NoWorldSpace
from cohortflow.geometry.matrices import (
    SHEAR_TOLERANCE,
    Floats,
    checked_matrix,
    column_lengths,
    directions,
    matrix_text,
    shear,
)

ATTRIBUTE = "index_to_world"


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxel centres of an array (z, y, x); ``index_to_world`` is None in index space.

    ``index_to_world``: (4, 4) float64, array index (z, y, x, 1) → world (x, y, z, 1), RAS+ mm.
    Raises :class:`ImpossibleGeometry` for what no image can have. Two grids are equal where every
    number is; :func:`grids_agree` forgives rounding.
    """

    shape: tuple[int, int, int]
    index_to_world: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _checked_shape(self.shape))
        if self.index_to_world is not None:
            matrix = checked_matrix(self.index_to_world)
            matrix.flags.writeable = False
            object.__setattr__(self, "index_to_world", matrix)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(
            np.asarray(self.index_to_world), np.asarray(other.index_to_world)
        )

    def __hash__(self) -> int:
        return hash(self.shape)

    def __str__(self) -> str:
        if self.index_to_world is None:
            return f"shape {self.shape} in index space"
        return f"shape {self.shape}, index_to_world {matrix_text(self.index_to_world)}"

    @property
    def matrix(self) -> Floats:
        """``index_to_world``; raises :class:`NoWorldSpace` in index space."""
        if self.index_to_world is None:
            raise NoWorldSpace(
                "the image has no known spacing, so neither millimetres nor directions",
                found=str(self),
                hint="Say its spacing where it is taken in.",
            )
        return self.index_to_world

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Millimetres between neighbours along z, y and x."""
        z, y, x = column_lengths(self.matrix).tolist()
        return z, y, x

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel in mm³."""
        return float(abs(np.linalg.det(self.matrix[:3, :3])))

    @property
    def direction(self) -> Floats:
        """(3, 3): columns are the unit vectors, RAS+, along which the axes z, y, x run."""
        return directions(self.matrix)

    @property
    def handedness(self) -> str:
        """``right`` or ``left``: of the axes in the order x, y, z, as NIfTI,
        ITK, DICOM see them."""
        # The array's order z, y, x is the reverse, which is an odd permutation.
        return "right" if np.linalg.det(self.matrix[:3, :3]) < 0 else "left"

    @property
    def is_oblique(self) -> bool:
        """Whether an axis is off the body's own by more than 0.006° (a cosine of 1e-4)."""
        cosines = np.sort(np.abs(self.direction), axis=0)
        return bool(cosines[:2].max() > SHEAR_TOLERANCE)

    @property
    def is_sheared(self) -> bool:
        """Whether two axes are off a right angle by more than ITK and DICOM can hold."""
        return shear(self.matrix) > SHEAR_TOLERANCE

    @property
    def centre_mm(self) -> Floats:
        """(3,): the middle of the image in world (x, y, z)."""
        return self.world_mm((np.asarray(self.shape) - 1) / 2)

    def world_mm(self, index: npt.ArrayLike) -> Floats:
        """(…, 3) indices (z, y, x), whole or not → (…, 3) world (x, y, z), RAS+ mm."""
        world: Floats = np.asarray(index, float) @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return world

    def index(self, world_mm: npt.ArrayLike) -> Floats:
        """(…, 3) world (x, y, z), RAS+ mm → (…, 3) indices (z, y, x), not rounded."""
        inverse = np.linalg.inv(self.matrix)
        index: Floats = np.asarray(world_mm, float) @ inverse[:3, :3].T + inverse[:3, 3]
        return index

    def positions_mm(self) -> Floats:
        """(z, y, x, 3): world (x, y, z) of every voxel centre."""
        return self.world_mm(np.moveaxis(np.indices(self.shape), 0, -1))

    def corners_mm(self) -> Floats:
        """(8, 3): world (x, y, z) of the centres of the corner voxels."""
        return self.world_mm(np.indices((2, 2, 2)).reshape(3, 8).T * (np.asarray(self.shape) - 1))

    def attributes(self) -> dict[str, Any]:
        """What an entry carries: ``index_to_world`` as rows of numbers, nothing in index space."""
        return {} if self.index_to_world is None else {ATTRIBUTE: self.index_to_world.tolist()}

    @classmethod
    def from_attributes(cls, shape: Sequence[int], attributes: Mapping[str, Any]) -> Grid:
        """The grid of an entry's array: the last three of ``shape`` are (z, y, x)."""
        z, y, x = shape[-3:]
        return cls((z, y, x), attributes.get(ATTRIBUTE))


def _checked_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    try:
        z, y, x = (operator.index(size) for size in shape)
    except (TypeError, ValueError) as error:
        raise ImpossibleGeometry(
            "a grid has three axes", expected="whole numbers (z, y, x)", found=str(shape)
        ) from error
    if min(z, y, x) < 1:
        raise ImpossibleGeometry("a grid without voxels", found=str((z, y, x)))
    return z, y, x
