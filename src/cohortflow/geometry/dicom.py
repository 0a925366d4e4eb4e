"""DICOM: planes of rows and columns, each with its position, world LPS.

Source of the equation: PS3.3, C.7.6.2.1.1 (Image Position and Image Orientation). Numbers in,
numbers out: nothing is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohortflow.errors import ImpossibleGeometry, UnknownSpacing
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import (
    RAS_LPS,
    REVERSED,
    SHEAR_TOLERANCE,
    Floats,
    checked_matrix,
    column_lengths,
    directions,
    numbers,
    refuse_shear,
)
from cohortflow.geometry.slices import refuse_tilt, slice_order, slice_step

# Header fields hold cosines as text, often of six digits; their length is 1 up to that.
_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class DicomPlanes:
    """The geometry of parallel slices of one size, by the names of the attributes.

    ``image_orientation``: six cosines, LPS: the way along a row (columns rise), then down a column
    (rows rise). ``image_positions``: (slice, 3) LPS mm, the centre of the first voxel of each.
    ``pixel_spacing``: mm between rows, then between columns.
    """

    rows: int
    columns: int
    image_orientation: tuple[float, ...]
    image_positions: tuple[tuple[float, float, float], ...]
    pixel_spacing: tuple[float, float]


def grid_from_dicom(
    planes: DicomPlanes,
    *,
    single_slice_mm: float | None = None,
    tilted: bool = False,
    where: str = "",
) -> tuple[Grid, tuple[int, ...]]:
    """Grid of the slices stacked along the normal of their plane, and the order to stack them in.

    ``array = numpy.stack([pixels[i] for i in order])`` is (z, y, x) = (slice, row, column).
    ``single_slice_mm``: the thickness that a lone slice is given. ``tilted``: take slices that
    shift along their own plane as the sheared grid they are. Raises :class:`DuplicateSlice`,
    :class:`MissingSlice`, :class:`UnevenSlices`, :class:`GantryTilt`, :class:`UnknownSpacing` (a
    lone slice of unsaid thickness), :class:`ImpossibleGeometry`.
    """
    along_row, down_column = _cosines(planes.image_orientation, where)
    positions = _positions(planes.image_positions, where)
    between_rows, between_columns = _spacing(planes.pixel_spacing, where)
    normal = np.cross(along_row, down_column)
    order = slice_order(normal, positions)
    stacked = positions[list(order)]
    if len(order) == 1:
        if single_slice_mm is None or not single_slice_mm > 0:
            raise UnknownSpacing(
                "a lone slice does not say how thick it is",
                where=where,
                expected="a thickness above 0 mm",
                found=str(single_slice_mm),
            )
        step = normal * single_slice_mm
    else:
        step = slice_step(normal, stacked, where)
        if not tilted:
            refuse_tilt(normal, step, len(order), where)
    lps = np.eye(4)
    lps[:3, 0] = along_row * between_columns
    lps[:3, 1] = down_column * between_rows
    lps[:3, 2] = step
    lps[:3, 3] = stacked[0]
    shape = (len(order), planes.rows, planes.columns)
    return Grid(shape, checked_matrix(RAS_LPS @ lps @ REVERSED, where)), order


def dicom_planes(grid: Grid, where: str = "") -> DicomPlanes:
    """The planes of an array (z, y, x), one position per index along z, in that order.

    A reader that sorts along the normal finds them reversed where the grid is left-handed. Raises
    :class:`ShearedGrid` where two axes are off a right angle by a cosine above 1e-4.
    """
    refuse_shear(grid.matrix, "DICOM", where)
    lps = RAS_LPS @ grid.matrix @ REVERSED + 0.0
    slices, rows, columns = grid.shape
    between_columns, between_rows, _ = column_lengths(lps).tolist()
    positions = lps[:3, 3] + np.arange(slices)[:, None] * lps[:3, 2]
    return DicomPlanes(
        rows,
        columns,
        tuple(directions(lps)[:, :2].T.ravel().tolist()),
        tuple((x, y, z) for x, y, z in positions.tolist()),
        (between_rows, between_columns),
    )


def _cosines(image_orientation: Sequence[float], where: str) -> tuple[Floats, Floats]:
    cosines = numbers(image_orientation, (6,), "Image Orientation (Patient)", where)
    along_row, down_column = cosines.reshape(2, 3)
    lengths = np.linalg.norm(cosines.reshape(2, 3), axis=1)
    if (
        np.abs(lengths - 1).max() > _UNIT_TOLERANCE
        or abs(along_row @ down_column) > SHEAR_TOLERANCE
    ):
        raise ImpossibleGeometry(
            "rows and columns are no unit vectors at right angles",
            where=where,
            expected="six direction cosines",
            found=str(cosines.tolist()),
        )
    return along_row, down_column


def _positions(image_positions: Sequence[Sequence[float]], where: str) -> Floats:
    if not image_positions:
        raise ImpossibleGeometry("no slice at all", where=where)
    return numbers(image_positions, (len(image_positions), 3), "Image Position (Patient)", where)


def _spacing(pixel_spacing: Sequence[float], where: str) -> tuple[float, float]:
    between_rows, between_columns = numbers(pixel_spacing, (2,), "Pixel Spacing", where).tolist()
    if between_rows <= 0 or between_columns <= 0:
        raise ImpossibleGeometry(
            "Pixel Spacing is not above 0", where=where, found=str(tuple(pixel_spacing))
        )
    return between_rows, between_columns
