"""DICOM SEG as label maps: made by highdicom, read back by the place and number of every voxel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from cohortflow import errors
from cohortflow.cohort.cohort import create_cohort
from cohortflow.phantoms.canary import oriented_grid
from cohortflow.sources.images.decoded import Decoded
from cohortflow.sources.ingest import IngestOptions, ingest
from tests.sources.images.dicom_files import write_series
from tests.sources.images.reading import one

highdicom = pytest.importorskip("highdicom")

GRID = oriented_grid("LPS", shape=(6, 5, 7), spacing_mm=(2.5, 0.7, 0.8))
IMAGE = np.arange(6 * 5 * 7, dtype=np.int16).reshape(6, 5, 7)
FRACTIONAL = "fractional-segments"
SERIES = "1.2.826.0.1.3680043.8.498.7"


def segmentation(path: Path, sources: Sequence[Path], pixels: np.ndarray, kind: str) -> None:
    """``pixels``: (slice, row, column) as of ``sources``."""
    images = [pydicom.dcmread(source) for source in sources]
    for image in images:
        for name in ("PatientSex", "AccessionNumber", "StudyID", "StudyDate", "StudyTime"):
            setattr(image, name, "")
        image.PatientBirthDate = ""
        image.ReferringPhysicianName = ""
    described = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="one",
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Liver,
        algorithm_type="MANUAL",
    )
    highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[described],
        series_instance_uid="1.2.826.0.1.3680043.8.498.9",
        series_number=9,
        sop_instance_uid="1.2.826.0.1.3680043.8.498.9.1",
        instance_number=1,
        manufacturer="m",
        manufacturer_model_name="m",
        software_versions="1",
        device_serial_number="1",
    ).save_as(path)


def written(folder: Path, pixels: np.ndarray, kind: str = "BINARY", **tags: Any) -> Path:
    tags = {"SliceThickness": "2.5", **tags}
    sources = write_series(folder / "images", IMAGE, GRID.matrix, tags=tags, series_uid=SERIES)
    segmentation(folder / "seg.dcm", sources, pixels, kind)
    return folder / "seg.dcm"


def places(decoded: Decoded) -> set[tuple[float, ...]]:
    """World positions of all labelled voxels."""
    found = decoded.grid.world_mm(np.argwhere(decoded.array == 1))
    return {tuple(row) for row in np.round(found, 3).tolist()}


@pytest.mark.parametrize("share", [0.0, 0.49, 0.51, 0.75, 1.0])
def test_a_half_and_more_of_a_byte_is_the_segment(share: float, tmp_path: Path) -> None:
    shares = np.full(IMAGE.shape, 0.2)
    shares[2:4, 1, 1:3] = share
    path = written(tmp_path, shares, "FRACTIONAL")
    decoded = one("dicom", path, accept=[FRACTIONAL])
    assert int((decoded.array == 1).sum()) == (4 if share > 0.5 else 0)


@pytest.mark.parametrize("thick", ["1.25", "2.5", "5"])
def test_slices_thinner_or_thicker_than_their_distance(thick: str, tmp_path: Path) -> None:
    drawn = np.zeros(IMAGE.shape, np.uint8)
    drawn[1:4, 2, 3] = 1
    tags = {"SliceThickness": thick, "SpacingBetweenSlices": "2.5"}
    path = written(tmp_path, drawn, **tags)
    decoded = one("dicom", path)
    assert decoded.grid.spacing_mm[0] == pytest.approx(2.5)
    expected = GRID.world_mm(np.argwhere(drawn == 1))
    assert places(decoded) == {tuple(row) for row in np.round(expected, 3).tolist()}


def _shifted(dataset: pydicom.Dataset) -> None:
    place = dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]
    x, y, z = place.ImagePositionPatient
    place.ImagePositionPatient = [x, y + 3.5, z]


def _turned(dataset: pydicom.Dataset) -> None:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    own = dataset.PerFrameFunctionalGroupsSequence
    for number, group in enumerate(own):
        turned = pydicom.Dataset()
        cosines = [-1, 0, 0, 0, -1, 0] if number == 1 else [1, 0, 0, 0, 1, 0]
        turned.ImageOrientationPatient = cosines
        group.PlaneOrientationSequence = [turned]
    del shared.PlaneOrientationSequence


@pytest.mark.parametrize(
    ("edit", "error"),
    [(_shifted, errors.GantryTilt), (_turned, errors.MixedOrientation)],
)
def test_frames_beside_or_turned_against_the_first_are_refused(
    edit: Any, error: type[errors.InputError], tmp_path: Path
) -> None:
    drawn = np.ones(IMAGE.shape, np.uint8)
    path = written(tmp_path, drawn)
    dataset = pydicom.dcmread(path)
    edit(dataset)
    dataset.save_as(path)
    with pytest.raises(error):
        one("dicom", path)


def test_the_label_map_follows_the_series_that_is_taken(tmp_path: Path) -> None:
    source = tmp_path / "source/a"
    drawn = np.zeros(IMAGE.shape, np.uint8)
    drawn[1:3, 2, 3] = 1
    written(source, drawn)
    write_series(
        source / "short",
        IMAGE[:4],
        GRID.matrix,
        tags={"SeriesNumber": 2},
        series_uid="1.2.826.0.1.3680043.8.498.8",
    )
    cohort = create_cohort(tmp_path / "cohort")
    for series, slices in ((1, 6), (2, 4)):
        report = ingest(cohort, tmp_path / "source", IngestOptions(series=series))
        assert not report.refused
        subject = cohort["a"]
        assert subject["image"]["image"].shape[0] == slices
        assert subject["label"]["label"].shape[0] == slices
