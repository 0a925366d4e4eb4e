"""A real CT and its label map: our DICOM SEG beside the one that dcmqi wrote of the same labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK
import xarray as xr

from cohortflow.cohort.entry import Output
from cohortflow.exports.export import export
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from tests.exports.samples import cohort_of

NAMES = {"1": "Liver", "2": "Thoracic spine"}


def planes(path: Path, segment: int) -> dict[tuple[float, ...], np.ndarray]:
    """Image Position of each frame of a segment → its pixels, if there are any; plain pydicom."""
    found: Any = pydicom.dcmread(path)
    bits = np.unpackbits(np.frombuffer(found.PixelData, np.uint8), bitorder="little")
    shape = (int(found.NumberOfFrames), found.Rows, found.Columns)
    pixels = bits[: np.prod(shape)].reshape(shape)
    shared = found.SharedFunctionalGroupsSequence[0]
    cosines = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert [float(cosine) for cosine in cosines] == [1, 0, 0, 0, 1, 0]
    frames = {}
    for frame, own in zip(pixels, found.PerFrameFunctionalGroupsSequence, strict=True):
        if own.SegmentIdentificationSequence[0].ReferencedSegmentNumber == segment and frame.any():
            position = own.PlanePositionSequence[0].ImagePositionPatient
            frames[tuple(round(float(c), 4) for c in position)] = frame
    return frames


def test_our_segmentation_is_the_one_that_dcmqi_wrote(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "dicom" / "dcmqi"
    image = SimpleITK.ReadImage(str(folder / "liver_spine_seg.nrrd"))
    array = SimpleITK.GetArrayFromImage(image).astype(np.uint8)
    x, y, z = image.GetSpacing()
    matrix = np.diag([1.0] * 4)
    matrix[:3, :3] = [[0, 0, -x], [0, -y, 0], [z, 0, 0]]  # its direction is the identity, LPS
    matrix[:3, 3] = np.array(image.GetOrigin()) * (-1, -1, 1)
    # stored with its axes in another order and the other way round, as another program might
    turned = array[::-1].transpose(2, 0, 1)
    moved = matrix @ np.array([[0, -1, 0, 2], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    attributes = {"index_to_world": moved.tolist(), "label_names": NAMES}
    output = Output(xr.Dataset({"label": (("z", "y", "x"), turned)}, attrs=attributes))
    cohort = cohort_of(tmp_path / "cohort", {"a": {"label": ("label_map", output)}})
    options = ExportOptions(dicom_from=folder / "ct-3slice")
    report = export(cohort, tmp_path / "out", "dicom-seg", Asked(entry="label"), options)
    assert report.missing == [], report.errors

    path = tmp_path / "out" / "a_label.dcm"
    ours, theirs = planes(path, 1), planes(folder / "liver.dcm", 1)
    there = np.array(sorted(theirs))
    assert np.abs(np.array(sorted(ours)) - there).max() < 1e-4
    for mine, its in zip(sorted(ours), sorted(theirs), strict=True):
        np.testing.assert_array_equal(ours[mine], theirs[its])
    for name in ("PatientName", "PatientID", "StudyDate"):
        value = str(pydicom.dcmread(folder / "ct-3slice" / "01.dcm")[name].value)
        assert value.encode() not in path.read_bytes(), name


def test_images_without_uids_cannot_be_referred_to(test_data: Path, tmp_path: Path) -> None:
    """A series whose UIDs were emptied when it was published."""
    source = test_data / "ct" / "totalsegmentator" / "example_ct_dicom"
    output = Output(
        xr.Dataset(
            {"label": (("z", "y", "x"), np.ones((2, 2, 2), np.uint8))},
            attrs={"index_to_world": np.eye(4).tolist()},
        )
    )
    cohort = cohort_of(tmp_path / "cohort", {"a": {"label": ("label_map", output)}})
    options = ExportOptions(dicom_from=source)
    report = export(cohort, tmp_path / "out", "dicom-seg", Asked(entry="label"), options)
    assert [missing.code for missing in report.missing] == ["no-source-images"]
    assert "UID" in report.errors[0]["message"]
