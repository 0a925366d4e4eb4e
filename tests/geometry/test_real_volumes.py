"""Real headers: ours beside ITK's, a label in another orientation, a shifted and a short one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import pytest
import SimpleITK

from cohortflow import errors
from cohortflow.geometry import (
    DicomPlanes,
    Grid,
    Reorientation,
    grid_from_dicom,
    grid_from_itk,
    grid_from_nifti,
    grids_agree,
    orientation,
    require_agreement,
)


def nifti_grid(path: Path) -> Grid:
    image: Any = nibabel.load(path)
    return grid_from_nifti(image.shape, image.affine)


def test_a_ct_series_and_its_label_in_another_orientation(test_data: Path) -> None:
    folder = test_data / "ct" / "totalsegmentator"
    readers = []
    for path in sorted((folder / "example_ct_dicom").glob("*.dcm")):
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        readers.append(reader)

    def tag(reader: Any, name: str) -> tuple[float, ...]:
        return tuple(float(number) for number in reader.GetMetaData(name).split("\\"))

    first = readers[0]
    planes = DicomPlanes(
        rows=int(first.GetMetaData("0028|0010")),
        columns=int(first.GetMetaData("0028|0011")),
        image_orientation=tag(first, "0020|0037"),
        image_positions=tuple(tag(reader, "0020|0032") for reader in readers),  # type: ignore[misc]
        pixel_spacing=tag(first, "0028|0030"),  # type: ignore[arg-type]
    )
    grid, _ = grid_from_dicom(planes)
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder / "example_ct_dicom"))
    series = SimpleITK.ReadImage(names)
    itk = grid_from_itk(
        series.GetSize(), series.GetOrigin(), series.GetSpacing(), series.GetDirection()
    )
    assert grids_agree(grid, itk, tolerance_voxels=1e-3)
    label = nifti_grid(folder / "example_seg_dicom.nii.gz")
    assert orientation(label) != orientation(grid)
    with pytest.raises(errors.GeometryMismatch):
        require_agreement(grid, label)
    require_agreement(grid, Reorientation.towards(label, orientation(grid)).after)


def test_every_nifti_by_nibabel_and_by_itk(test_data: Path) -> None:
    seen = 0
    folders = ("ct/totalsegmentator", "mri/prostatex", "fmri/atlases")
    for path in sorted(path for folder in folders for path in (test_data / folder).rglob("*.nii*")):
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        itk = grid_from_itk(
            reader.GetSize(), reader.GetOrigin(), reader.GetSpacing(), reader.GetDirection()
        )
        assert grids_agree(nifti_grid(path), itk, tolerance_voxels=1e-3), path.name
        seen += 1
    assert seen > 10


def test_odd_labels_are_told_from_their_image(test_data: Path) -> None:
    folder = test_data / "nifti_odd"
    image = nifti_grid(folder / "00_good.nii.gz")
    for name in ("35_label_shape_mismatch", "36_label_shifted_half_voxel", "04_q_s_disagree"):
        with pytest.raises(errors.GeometryMismatch):
            require_agreement(image, nifti_grid(folder / f"{name}.nii.gz"))
    # Its affine is the good one's with x and y negated: the same voxels, another place.
    turned = nifti_grid(folder / "06_LPS_orientation.nii.gz")
    assert orientation(turned) == "LPS"
    assert not grids_agree(image, Reorientation.towards(turned, "RAS").after)
    assert nifti_grid(folder / "08_oblique20.nii.gz").is_oblique
