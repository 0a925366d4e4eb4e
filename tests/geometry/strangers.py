"""What others make of a file: voxels and the world position of each, by nibabel,
SimpleITK, formulas.

No line of ``cohortflow.geometry`` is used here, nor may be: a sign that is wrong twice cancels.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK


@dataclass(frozen=True)
class Seen:
    """``voxels[a, b, c]`` stands at ``positions[a, b, c]``: world (x, y, z), RAS+ mm."""

    voxels: np.ndarray
    positions: np.ndarray

    def zyx(self) -> Seen:
        return Seen(self.voxels.transpose(2, 1, 0), self.positions.transpose(2, 1, 0, 3))


def places(shape: Sequence[int], first: Any, steps: Any) -> np.ndarray:
    """(a, b, c, 3): ``first + a * steps[0] + b * steps[1] + c * steps[2]``, one by one."""
    a, b, c = (np.arange(size)[:, None] for size in shape)
    along = [n * np.asarray(step, float) for n, step in zip((a, b, c), steps, strict=True)]
    return np.asarray(
        np.asarray(first, float)
        + along[0][:, None, None, :]
        + along[1][None, :, None, :]
        + along[2][None, None, :, :]
    )


def ras(lps: Any) -> np.ndarray:
    return np.asarray(lps, float) * (-1.0, -1.0, 1.0)


def by_nibabel(path: Path) -> Seen:
    """Axes (i, j, k)."""
    image: Any = nibabel.load(path)
    affine = np.asarray(image.affine)
    return Seen(np.asarray(image.dataobj), places(image.shape, affine[:3, 3], affine[:3, :3].T))


def by_simpleitk(source: Path | Any) -> Seen:
    """Axes (x, y, z): as ITK's own index runs, asked voxel by voxel at the ends of the axes."""
    image = SimpleITK.ReadImage(str(source)) if isinstance(source, Path) else source
    shape = image.GetSize()
    first = ras(image.TransformIndexToPhysicalPoint((0, 0, 0)))
    steps = []
    for axis in range(3):
        last = [0, 0, 0]
        last[axis] = shape[axis] - 1
        end = ras(image.TransformIndexToPhysicalPoint(last))
        steps.append((end - first) / max(shape[axis] - 1, 1))
    positions = places(shape, first, steps)
    for corner in itertools.product(*((0, size - 1) for size in shape)):
        np.testing.assert_allclose(
            positions[corner], ras(image.TransformIndexToPhysicalPoint(corner)), atol=1e-9
        )
    voxels = np.empty(shape, SimpleITK.GetArrayViewFromImage(image).dtype)
    voxels[...] = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
    middle = tuple(size // 2 for size in shape)
    assert voxels[middle] == image[middle]  # the array is the reverse of ITK's index
    return Seen(voxels, positions)


def by_nrrd_text(path: Path) -> Seen:
    """Axes (x, y, z), by the header's own words; raw uint8 only."""
    head, _, data = path.read_bytes().partition(b"\n\n")
    fields = dict(
        line.split(": ", 1)
        for line in head.decode().splitlines()
        if ": " in line and line[0] != "#"
    )
    assert fields["encoding"] == "raw"
    assert fields["space"] == "left-posterior-superior"
    shape = [int(size) for size in fields["sizes"].split()]
    steps = [_vector(text) for text in fields["space directions"].split(" ")]
    voxels = np.frombuffer(data, np.uint8).reshape(shape, order="F")
    first = _vector(fields["space origin"])
    return Seen(voxels, places(shape, ras(first), [ras(step) for step in steps]))


def _vector(text: str) -> list[float]:
    return [float(number) for number in text.strip("()").split(",")]


def by_metaimage_text(path: Path) -> Seen:
    """Axes (x, y, z), by the header's own words; raw uint8 only.

    MetaImage writes, for each axis in turn, the three numbers of its direction (LPS).
    """
    raw = path.read_bytes()
    head, _, data = raw.partition(b"ElementDataFile = LOCAL\n")
    fields = dict(line.split(" = ", 1) for line in head.decode().splitlines())
    assert fields["CompressedData"] == "False"
    shape = [int(size) for size in fields["DimSize"].split()]
    numbers = [float(number) for number in fields["TransformMatrix"].split()]
    spacing = [float(number) for number in fields["ElementSpacing"].split()]
    steps = [spacing[axis] * np.array(numbers[3 * axis : 3 * axis + 3]) for axis in range(3)]
    first = [float(number) for number in fields["Offset"].split()]
    voxels = np.frombuffer(data, np.uint8).reshape(shape, order="F")
    return Seen(voxels, places(shape, ras(first), [ras(step) for step in steps]))


def dicom_place(
    image_orientation: Sequence[float],
    image_position: Sequence[float],
    pixel_spacing: Sequence[float],
    row: int,
    column: int,
) -> np.ndarray:
    """World (x, y, z), RAS+ mm, of a voxel: equation C.7.6.2.1-1 of PS3.3, written out.

    [Px Py Pz 1] = [[Xx Δi, Yx Δj, 0, Sx], [Xy Δi, Yy Δj, 0, Sy], [Xz Δi, Yz Δj, 0, Sz], …] [i j 0
    1], i the column, Δi the column resolution (the second number of Pixel Spacing), j the row.
    """
    xx, xy, xz, yx, yy, yz = image_orientation
    sx, sy, sz = image_position
    row_spacing, column_spacing = pixel_spacing
    px = xx * column_spacing * column + yx * row_spacing * row + sx
    py = xy * column_spacing * column + yy * row_spacing * row + sy
    pz = xz * column_spacing * column + yz * row_spacing * row + sz
    return np.array([-px, -py, pz])
