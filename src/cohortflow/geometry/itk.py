"""ITK and SimpleITK: origin, spacing and direction by (x, y, z), x fastest, world LPS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohortflow.errors import ImpossibleGeometry
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import (
    RAS_LPS,
    REVERSED,
    checked_matrix,
    column_lengths,
    directions,
    numbers,
    refuse_shear,
)

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class ItkGeometry:
    """What ``SetOrigin``, ``SetSpacing`` and ``SetDirection`` of an ITK image take.

    ``size``, ``spacing`` (mm) by (x, y, z); ``origin`` LPS mm; ``direction`` the nine numbers of a
    matrix, row by row, whose columns are the ways in LPS along which x, y, z run.
    """

    size: tuple[int, int, int]
    origin: Triple
    spacing: Triple
    direction: tuple[float, ...]


def grid_from_itk(
    size: Sequence[int],
    origin: Sequence[float],
    spacing: Sequence[float],
    direction: npt.ArrayLike,
    where: str = "",
) -> Grid:
    """Grid of the array that ``GetArrayFromImage`` gives, (z, y, x); arguments as of `ItkGeometry`.

    Raises :class:`ImpossibleGeometry`, also for a spacing that is not above 0. A direction that is
    no rotation is taken as the shear that it is.
    """
    step = numbers(spacing, (3,), "the spacing", where)
    if not (step > 0).all():
        raise ImpossibleGeometry(
            "a spacing that is not above 0", where=where, found=str(step.tolist())
        )
    lps = np.eye(4)
    lps[:3, :3] = numbers(np.ravel(direction), (9,), "the direction", where).reshape(3, 3) * step
    lps[:3, 3] = numbers(origin, (3,), "the origin", where)
    x, y, z = size
    return Grid((z, y, x), checked_matrix(RAS_LPS @ lps @ REVERSED, where))


def itk_geometry(grid: Grid, where: str = "") -> ItkGeometry:
    """What an ITK image of this array needs; raises :class:`ShearedGrid` above a cosine of 1e-4."""
    refuse_shear(grid.matrix, "ITK", where)
    lps = RAS_LPS @ grid.matrix @ REVERSED + 0.0
    z, y, x = grid.shape
    return ItkGeometry(
        (x, y, z),
        _triple(lps[:3, 3]),
        _triple(column_lengths(lps)),
        tuple(directions(lps).ravel().tolist()),
    )


def _triple(values: npt.NDArray[np.float64]) -> Triple:
    x, y, z = values.tolist()
    return x, y, z
