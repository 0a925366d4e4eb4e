"""The canary leaves through every conversion and is read by others, and the other way round.

96 grids: 48 orientations, straight and oblique, anisotropic, off-centre. Positions to 1e-4 mm,
labels exactly, and the letters are where strangers say that the sides of the body are.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK

from cohortflow.geometry import (
    DicomPlanes,
    Grid,
    array_from_nifti,
    array_to_nifti,
    dicom_planes,
    grid_from_dicom,
    grid_from_itk,
    grid_from_nifti,
    itk_geometry,
    nifti_affine,
)
from cohortflow.phantoms.canary import LETTERS, Canary, canary_grids
from tests.geometry.strangers import (
    Seen,
    by_metaimage_text,
    by_nibabel,
    by_nrrd_text,
    by_simpleitk,
    dicom_place,
    places,
    ras,
)

GRIDS = dict(canary_grids())
MM = 1e-4
# World axis and sign of the side on which a letter must be found.
SIDES = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}

STRAIGHT = [name for name in GRIDS if not name.endswith("oblique")]
OBLIQUE = [name for name in GRIDS if name.endswith("oblique")]
every_grid = pytest.mark.parametrize("names", [STRAIGHT, OBLIQUE], ids=["straight", "oblique"])


@cache
def drawn(name: str) -> tuple[Grid, np.ndarray]:
    return GRIDS[name], Canary.within(GRIDS[name]).labels(GRIDS[name])


def truth(name: str) -> Seen:
    """Axes (z, y, x)."""
    grid, labels = drawn(name)
    return Seen(labels, plain_places(grid))


def plain_places(grid: Grid) -> np.ndarray:
    """(z, y, x, 3): by the definition of the matrix, column by column."""
    matrix = np.asarray(grid.index_to_world)
    return places(grid.shape, matrix[:3, 3], matrix[:3, :3].T)


def plain_steps(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The first voxel, and (3, 3): from it to its neighbour along x, y and z; RAS+ mm."""
    positions = truth(name).positions
    first = positions[0, 0, 0]
    neighbours = [positions[index] for index in ((0, 0, 1), (0, 1, 0), (1, 0, 0))]
    return first, np.array(neighbours) - first


def check(seen: Seen, name: str, off_mm: float = MM) -> None:
    """``seen``: axes (z, y, x)."""
    meant = truth(name)
    np.testing.assert_array_equal(seen.voxels, meant.voxels, err_msg=name)
    assert np.abs(seen.positions - meant.positions).max() < off_mm, name
    # By the stranger's positions alone, no axis order in between:
    canary = Canary.within(GRIDS[name])
    np.testing.assert_array_equal(seen.voxels, canary.label_at(seen.positions))
    for letter, (axis, sign) in SIDES.items():
        here = seen.positions[seen.voxels == LETTERS[letter]].mean(axis=0) - canary.centre_mm
        towards = here / canary.half_mm
        assert np.argmax(np.abs(towards)) == axis, name
        assert sign * towards[axis] > 0.5, name


def same_grid(found: Grid, name: str, off_mm: float = MM) -> None:
    assert found.shape == GRIDS[name].shape
    assert np.abs(plain_places(found) - truth(name).positions).max() < off_mm, name


# --- out: our conversion writes, others read ------------------------------------------------------


@every_grid
def test_nifti_of_nibabel_is_read_by_simpleitk(names: list[str], tmp_path: Path) -> None:
    for name in names:
        grid, labels = drawn(name)
        image = nibabel.Nifti1Image(array_to_nifti(labels), nifti_affine(grid))
        nibabel.save(image, tmp_path / "canary.nii")
        check(by_simpleitk(tmp_path / "canary.nii").zyx(), name)


def as_itk(name: str) -> Any:
    grid, labels = drawn(name)
    image = SimpleITK.GetImageFromArray(labels)
    geometry = itk_geometry(grid)
    assert image.GetSize() == geometry.size
    image.SetOrigin(geometry.origin)
    image.SetSpacing(geometry.spacing)
    image.SetDirection(geometry.direction)
    return image


@every_grid
def test_itk_image_is_read_by_nibabel_and_by_the_words_of_its_headers(
    names: list[str], tmp_path: Path
) -> None:
    for name in names:
        image = as_itk(name)
        check(by_simpleitk(image).zyx(), name)
        for suffix, read in (
            ("nii", by_nibabel),
            ("nrrd", by_nrrd_text),
            ("mha", by_metaimage_text),
        ):
            path = tmp_path / f"canary.{suffix}"
            SimpleITK.WriteImage(image, str(path), useCompression=False)
            check(read(path).zyx(), name)


@every_grid
def test_dicom_planes_by_the_equation_of_the_standard(names: list[str]) -> None:
    for name in names:
        grid, labels = drawn(name)
        planes = dicom_planes(grid)
        assert labels.shape == (len(planes.image_positions), planes.rows, planes.columns)
        meant = truth(name).positions
        for slice_, position in enumerate(planes.image_positions):
            for row, column in ((0, 0), (0, 3), (5, 0), (planes.rows - 1, planes.columns - 1)):
                place = dicom_place(
                    planes.image_orientation, position, planes.pixel_spacing, row, column
                )
                assert np.abs(place - meant[slice_, row, column]).max() < 1e-9, name


# --- in: others write, our conversion reads -------------------------------------------------------


@every_grid
def test_grid_of_a_nifti_that_simpleitk_wrote(names: list[str], tmp_path: Path) -> None:
    for name in names:
        SimpleITK.WriteImage(plain_itk(name), str(tmp_path / "canary.nii"))
        image: Any = nibabel.load(tmp_path / "canary.nii")
        same_grid(grid_from_nifti(image.shape, image.affine), name)
        np.testing.assert_array_equal(array_from_nifti(np.asarray(image.dataobj)), drawn(name)[1])


@every_grid
def test_grid_of_an_itk_image_that_nibabel_wrote(names: list[str], tmp_path: Path) -> None:
    for name in names:
        seen = truth(name)
        affine = np.eye(4)
        affine[:3, 3], steps = plain_steps(name)
        affine[:3, :3] = steps.T
        data = np.zeros(seen.voxels.shape[::-1], np.uint8)
        for z, y, x in np.argwhere(seen.voxels):
            data[x, y, z] = seen.voxels[z, y, x]
        nibabel.save(nibabel.Nifti1Image(data, affine), tmp_path / "canary.nii")
        image = SimpleITK.ReadImage(str(tmp_path / "canary.nii"))
        found = grid_from_itk(
            image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection()
        )
        same_grid(found, name)
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), seen.voxels)


def plain_itk(name: str) -> Any:
    """An ITK image made of positions alone, by ITK's own definition."""
    image = SimpleITK.GetImageFromArray(drawn(name)[1])
    first, steps = plain_steps(name)
    spacing = np.linalg.norm(steps, axis=1)
    unit = ras(steps) / spacing[:, None]
    image.SetOrigin(ras(first).tolist())
    image.SetSpacing(spacing.tolist())
    image.SetDirection([float(unit[column][row]) for row in range(3) for column in range(3)])
    return image


def plain_planes(name: str) -> DicomPlanes:
    """The attributes of slices made of positions alone, by the words of the standard."""
    seen = truth(name)
    _, steps = plain_steps(name)
    spacing = np.linalg.norm(steps, axis=1)
    cosines = ras(steps[:2]) / spacing[:2, None]
    return DicomPlanes(
        rows=seen.voxels.shape[1],
        columns=seen.voxels.shape[2],
        image_orientation=tuple(cosines.ravel().tolist()),
        image_positions=tuple(map(tuple, ras(seen.positions[:, 0, 0]).tolist())),
        pixel_spacing=(float(spacing[1]), float(spacing[0])),
    )


RIGHT_HANDED = {name for name in GRIDS if np.linalg.det(plain_steps(name)[1]) > 0}


@every_grid
def test_grid_of_dicom_slices_in_any_order(names: list[str]) -> None:
    for name in names:
        planes = plain_planes(name)
        slices = len(planes.image_positions)
        shuffled = np.random.default_rng(7).permutation(slices).tolist()
        positions = tuple(planes.image_positions[i] for i in shuffled)
        found, order = grid_from_dicom(replace(planes, image_positions=positions))
        rising = list(range(slices))[:: 1 if name in RIGHT_HANDED else -1]
        assert [shuffled[i] for i in order] == rising, name
        assert np.abs(plain_places(found) - truth(name).positions[rising]).max() < 1e-9, name


@pytest.mark.parametrize("name", ["RAS", "LPS", "LAS-oblique", "PIR-oblique", "SAL-oblique", "ARS"])
def test_dicom_series_through_gdcm(name: str, tmp_path: Path) -> None:
    grid, labels = drawn(name)
    planes = dicom_planes(grid)
    for number, (pixels, position) in enumerate(zip(labels, planes.image_positions, strict=True)):
        image = SimpleITK.GetImageFromArray(pixels.astype(np.uint16))
        image.SetSpacing(planes.pixel_spacing[::-1])
        tags = {
            "0008|0060": "CT",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.1",
            "0020|0013": str(1000 - number),
            "0020|0032": _text(position),
            "0020|0037": _text(planes.image_orientation),
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer = SimpleITK.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(tmp_path / f"{(number * 7) % 101:03d}.dcm"))
        writer.Execute(image)
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
    series = SimpleITK.ReadImage(names)
    seen = by_simpleitk(series).zyx()
    flipped = slice(None) if name in RIGHT_HANDED else slice(None, None, -1)
    check(Seen(seen.voxels[flipped], seen.positions[flipped]), name)


def _text(numbers: Any) -> str:
    return "\\".join(f"{number:.9g}" for number in numbers)
