"""DICOM SEG: read back by formulas on plain pydicom, and by highdicom."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import xarray as xr

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entry import Output
from cohortflow.cohort.source_map import SourceFile
from cohortflow.errors import MissingExtra
from cohortflow.exports.codes import segment_codes
from cohortflow.exports.export import ExportReport, export
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import LETTERS, Canary, oriented_grid
from tests.exports.dicom_series import PERSON, write_multiframe, write_series
from tests.exports.samples import GRIDS, Row, cohort_of, labels, run_of, segmented
from tests.geometry.strangers import dicom_place

# Of both hands, straight and oblique, each body axis once along the slices.
SOME = ["RAS", "LAS", "LPS-oblique", "PIR-oblique", "SLA", "AIL-oblique"]


def seg(cohort: Cohort, out: Path, source: Path | None, **asked: Any) -> ExportReport:
    return export(cohort, out, "dicom-seg", Asked(**asked), ExportOptions(dicom_from=source))


def by_formula(path: Path) -> dict[tuple[int, int, int], int]:
    """World position (RAS+, in 1e-4 mm) of every voxel of every segment → its label."""
    found = pydicom.dcmread(path)
    rows, columns, frames = found.Rows, found.Columns, int(found.NumberOfFrames)
    bits = np.unpackbits(np.frombuffer(found.PixelData, np.uint8), bitorder="little")
    pixels = bits[: rows * columns * frames].reshape(frames, rows, columns)
    label = {s.SegmentNumber: int(s.SegmentDescription.split()[1]) for s in found.SegmentSequence}
    shared = found.SharedFunctionalGroupsSequence[0]
    places = {}
    for frame, own in zip(pixels, found.PerFrameFunctionalGroupsSequence, strict=True):
        number = own.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        for row, column in np.argwhere(frame):
            place = dicom_place(
                shared.PlaneOrientationSequence[0].ImageOrientationPatient,
                own.PlanePositionSequence[0].ImagePositionPatient,
                shared.PixelMeasuresSequence[0].PixelSpacing,
                int(row),
                int(column),
            )
            places[tuple(np.rint(place / 1e-4).astype(int).tolist())] = label[number]
    return places


def lands(path: Path, name: str) -> None:
    """Every voxel of every letter where it was, and no other voxel; also as highdicom sees it."""
    grid = GRIDS[name]
    drawn = Canary.within(grid).labels(grid)
    matrix = np.asarray(grid.index_to_world)
    there = by_formula(path)
    at = np.array(list(there), float) * 1e-4
    index = (np.c_[at, np.ones(len(at))] @ np.linalg.inv(matrix).T)[:, :3]
    nearest = np.rint(index).astype(int)
    assert np.abs((np.c_[nearest, np.ones(len(at))] @ matrix.T)[:, :3] - at).max() < 1.5e-4
    found = np.zeros_like(drawn)
    found[tuple(nearest.T)] = list(there.values())
    np.testing.assert_array_equal(found, drawn, err_msg=name)
    volume = highdicom.seg.segread(path).get_volume(combine_segments=True)
    ras = np.diag([-1, -1, 1, 1]) @ volume.affine
    seen_at = np.moveaxis(np.indices(volume.array.shape), 0, -1)[volume.array > 0]
    world = (np.c_[seen_at, np.ones(len(seen_at))] @ ras.T)[:, :3]
    expected = Canary.within(grid).label_at(world)
    np.testing.assert_array_equal(volume.array[volume.array > 0], expected)
    assert len(seen_at) == np.count_nonzero(drawn)


def export_one(tmp_path: Path, name: str) -> Path:
    grid = GRIDS[name]
    cohort = segmented(tmp_path / name, {"sub-01": grid})
    write_series(
        tmp_path / f"{name}-dicom" / "sub-01", np.zeros(grid.shape), np.asarray(grid.index_to_world)
    )
    report = seg(cohort, tmp_path / f"{name}-out", tmp_path / f"{name}-dicom")
    assert report.missing == [], report.errors
    return tmp_path / f"{name}-out" / "sub-01_segment.dcm"


@pytest.mark.parametrize("name", SOME)
def test_the_canary_lands_where_it_was(tmp_path: Path, name: str) -> None:
    lands(export_one(tmp_path, name), name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(GRIDS) - set(SOME)))
def test_the_canary_lands_where_it_was_in_all_other_grids(tmp_path: Path, name: str) -> None:
    lands(export_one(tmp_path, name), name)


def test_left_is_left(tmp_path: Path) -> None:
    """The mean of all voxels of the letter that stands on the left side is on the left."""
    for name in ("RAS", "LAS", "PIR-oblique"):
        there = by_formula(export_one(tmp_path, name))
        x = {
            letter: np.mean([place[0] for place, label in there.items() if label == value])
            for letter, value in LETTERS.items()
        }
        assert x["L"] < x["A"] < x["R"], name
        assert x["L"] < x["S"] < x["R"], name


@pytest.mark.parametrize("stored", ["LPS", "RPI", "PIR"])
def test_a_label_map_whose_axes_run_otherwise_than_those_of_the_series(
    tmp_path: Path, stored: str
) -> None:
    shape, spacing = (12, 12, 12), (2.0, 2.0, 2.0)
    grid = oriented_grid(stored, shape, spacing)
    cohort = segmented(tmp_path / "cohort", {"a": oriented_grid("RAS", shape, spacing)})
    write_series(tmp_path / "dicom" / "a", np.zeros(shape), np.asarray(grid.index_to_world))
    assert seg(cohort, tmp_path / "out", tmp_path / "dicom").missing == []
    canary = Canary.within(oriented_grid("RAS", shape, spacing))
    there = by_formula(tmp_path / "out" / "a_segment.dcm")
    world = np.array(list(there), float) * 1e-4
    np.testing.assert_array_equal(canary.label_at(world), list(there.values()))
    assert len(there) == np.count_nonzero(canary.labels(oriented_grid("RAS", shape, spacing)))


def test_enhanced_multi_frame_images_whose_frames_are_in_disorder(tmp_path: Path) -> None:
    grid = GRIDS["LPS-oblique"]
    order = np.random.default_rng(3).permutation(grid.shape[0]).tolist()
    cohort = segmented(tmp_path / "cohort", {"a": grid})
    folder = tmp_path / "dicom" / "a"
    write_multiframe(folder, np.zeros(grid.shape), np.asarray(grid.index_to_world), order)
    report = seg(cohort, tmp_path / "out", tmp_path / "dicom")
    assert report.missing == [], report.errors
    lands(tmp_path / "out" / "a_segment.dcm", "LPS-oblique")


def test_it_refers_to_its_images_and_names_nobody(tmp_path: Path) -> None:
    path = export_one(tmp_path, "LPS-oblique")
    raw = path.read_bytes()
    for value in PERSON.values():
        assert value.encode() not in raw or value == "F", value
    found = pydicom.dcmread(path)
    assert found.PatientID == "sub-01"
    for name in ("PatientName", "PatientBirthDate", "StudyDate", "AccessionNumber", "PatientSex"):
        assert not found.get(name), name
    assert "InstanceCreationDate" not in found
    images = [pydicom.dcmread(p) for p in (tmp_path / "LPS-oblique-dicom" / "sub-01").iterdir()]
    assert found.StudyInstanceUID == images[0].StudyInstanceUID
    assert found.FrameOfReferenceUID == images[0].FrameOfReferenceUID
    referred = {
        one.ReferencedSOPInstanceUID
        for one in found.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert referred <= {one.SOPInstanceUID for one in images}
    first = found.PerFrameFunctionalGroupsSequence[0]
    of = first.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
    (image,) = [one for one in images if one.SOPInstanceUID == of]
    assert image.ImagePositionPatient == first.PlanePositionSequence[0].ImagePositionPatient


def test_the_same_bytes_again(tmp_path: Path) -> None:
    first = export_one(tmp_path / "1", "RAS").read_bytes()
    cohort = segmented(tmp_path / "c", {"sub-01": GRIDS["RAS"]})
    source = tmp_path / "1" / "RAS-dicom"
    seg(cohort, tmp_path / "a", source)
    seg(cohort, tmp_path / "b", source)
    assert seg(cohort, tmp_path / "b", source).written == 0
    again = (tmp_path / "a" / "sub-01_segment.dcm").read_bytes()
    assert again == (tmp_path / "b" / "sub-01_segment.dcm").read_bytes()
    assert again != first  # of another cohort: its UIDs are its own


def names_117() -> dict[str, str]:
    sides = [
        f"{organ}_{side}"
        for organ in ("kidney", "lung_upper_lobe", "gluteus_maximus")
        for side in ("left", "right")
    ]
    spine = [
        f"vertebrae_{letter}{n}"
        for letter, last in (("C", 7), ("T", 12), ("L", 5))
        for n in range(1, last + 1)
    ]
    named = ["spleen", "liver", *sides, *spine]
    named += [f"rib_{side}_{n}" for side in ("left", "right") for n in range(1, 13)]
    named += [f"structure {n}" for n in range(117 - len(named))]
    return {str(number): name for number, name in enumerate(named, start=1)}


def test_117_segments(tmp_path: Path) -> None:
    grid = oriented_grid("LPS", (10, 32, 32))
    array = np.random.default_rng(0).integers(0, 118, (5, 8, 8)).astype(np.uint8)
    array = array.repeat(2, 0).repeat(4, 1).repeat(4, 2)
    array[array == 60] = 0  # one that has a name and is nowhere
    attributes = {"label_names": names_117(), **grid.attributes()}
    output = Output(xr.Dataset({"label": (("z", "y", "x"), array)}, attrs=attributes))
    cohort = cohort_of(tmp_path / "cohort", {"a": {"label": ("label_map", output)}})
    write_series(tmp_path / "dicom", np.zeros(grid.shape), np.asarray(grid.index_to_world))
    report = seg(cohort, tmp_path / "out", tmp_path / "dicom", entry="label")
    assert report.missing == [], report.errors
    found = highdicom.seg.segread(tmp_path / "out" / "a_label.dcm")
    assert found.number_of_segments == 117
    assert [int(s.SegmentNumber) for s in found.SegmentSequence] == list(range(1, 118))
    volume = found.get_volume(combine_segments=True)
    flipped = volume.array if volume.affine[2, 0] > 0 else volume.array[::-1]
    np.testing.assert_array_equal(flipped, array)


def test_labels_with_gaps_keep_their_value_in_text(tmp_path: Path) -> None:
    grid = GRIDS["RAS"]
    array = Canary.within(grid).labels(grid).astype(np.int32) * 100
    output = Output(xr.Dataset({"label": (("z", "y", "x"), array)}, attrs=grid.attributes()))
    cohort = cohort_of(tmp_path / "cohort", {"a": {"label": ("label_map", output)}})
    write_series(tmp_path / "dicom", np.zeros(grid.shape), np.asarray(grid.index_to_world))
    seg(cohort, tmp_path / "out", tmp_path / "dicom", entry="label")
    there = by_formula(tmp_path / "out" / "a_label.dcm")
    assert set(there.values()) == {100, 200, 300, 400, 500, 600}


@pytest.mark.parametrize(
    ("name", "value", "side"),
    [
        ("liver", "10200004", None),
        ("Kidney_Left", "64033007", "7771000"),
        ("lung upper lobe right", "45653009", "24028007"),
        ("heart_atrium_left", "82471001", None),
        ("vertebrae_L5", "49668003", None),
        ("rib_left_3", "113197003", "7771000"),
        ("tumor", "108369006", None),
    ],
)
def test_codes_of_known_anatomy(name: str, value: str, side: str | None) -> None:
    found = segment_codes(1, name)
    assert (found.kind.value, found.kind.scheme_designator) == (value, "SCT")
    assert (found.side.value if found.side else None) == side


def test_codes_of_what_is_not_known() -> None:
    found = segment_codes(7, "Läsion Typ 3")
    assert (found.kind.value, found.kind.scheme_designator) == ("label-7", "99COHORTFLOW")
    assert found.kind.meaning == "Läsion Typ 3"
    assert segment_codes(1, "vertebrae_T13").kind.scheme_designator == "99COHORTFLOW"


def test_every_known_name_has_a_code() -> None:
    from cohortflow.exports import codes

    for table in (codes._ANATOMY, codes._SIDED, codes._ABNORMAL):
        for name in table:
            assert segment_codes(1, name).kind.scheme_designator == "SCT", name


# --- which images ---------------------------------------------------------------------------------


def test_the_source_map_knows_the_images(tmp_path: Path) -> None:
    grid = GRIDS["RAS"]
    cohort = segmented(tmp_path / "cohort", {"a": grid})
    folder = tmp_path / "Planted Name"
    write_series(folder, np.zeros(grid.shape), np.asarray(grid.index_to_world))
    cohort.source_map.update({"a": [SourceFile(str(p), 1, 0.0) for p in folder.iterdir()]})
    assert seg(cohort, tmp_path / "out", None).missing == []
    for path in (tmp_path / "out").iterdir():
        assert b"Planted" not in path.read_bytes()


def code_of(report: ExportReport) -> list[str]:
    return [missing.code for missing in report.missing]


def test_without_images_it_is_refused_by_name(tmp_path: Path) -> None:
    cohort = segmented(tmp_path / "cohort", {"a": GRIDS["RAS"], "b": GRIDS["RAS"]})
    assert code_of(seg(cohort, tmp_path / "out", None)) == ["no-source-images"] * 2
    (tmp_path / "empty" / "a").mkdir(parents=True)
    (tmp_path / "empty" / "a" / "x.dcm").write_bytes(b"no DICOM")
    report = seg(cohort, tmp_path / "out", tmp_path / "empty")
    assert code_of(report) == ["no-source-images"] * 2
    assert "--dicom-from" in report.errors[0]["hint"]


def test_never_another_person_of_the_same_grid(tmp_path: Path) -> None:
    """The folder holds a series on the very grid, of somebody else."""
    grid = GRIDS["RAS"]
    cohort = segmented(tmp_path / "cohort", {"a": grid, "b": grid})
    write_series(tmp_path / "dicom" / "a", np.zeros(grid.shape), np.asarray(grid.index_to_world))
    report = seg(cohort, tmp_path / "out", tmp_path / "dicom")
    assert [(m.subject, m.code) for m in report.missing] == [("b", "no-source-images")]


def test_a_series_on_another_grid_and_two_on_the_same(tmp_path: Path) -> None:
    grid = GRIDS["RAS"]
    shifted = np.array(grid.index_to_world)
    shifted[0, 3] += 1
    cohort = segmented(tmp_path / "cohort", {"a": grid})
    write_series(tmp_path / "dicom" / "x", np.zeros(grid.shape), shifted)
    report = seg(cohort, tmp_path / "out", tmp_path / "dicom")
    assert code_of(report) == ["geometry-mismatch"]
    assert report.errors[0]["message"].count("index_to_world") == 2
    for series in ("2", "3"):
        folder = tmp_path / "dicom" / series
        write_series(folder, np.zeros(grid.shape), np.asarray(grid.index_to_world), series)
        report = seg(cohort, tmp_path / "out", tmp_path / "dicom")
    assert code_of(report) == ["ambiguous-export"]
    assert "2, 3" in report.errors[0]["message"]


def test_index_space_and_empty_label_maps_are_refused(tmp_path: Path) -> None:
    nowhere = Output(xr.Dataset({"label": (("z", "y", "x"), np.ones((2, 3, 4), np.uint8))}))
    grid = Grid((2, 3, 4), np.eye(4))
    empty = Output(
        xr.Dataset(
            {"label": (("z", "y", "x"), np.zeros((2, 3, 4), np.uint8))}, attrs=grid.attributes()
        )
    )
    cohort = cohort_of(tmp_path / "cohort", {})
    cohort = cohort_of(tmp_path / "c", {s: {} for s in "ab"})
    rows: list[Row] = [("a", {}, nowhere), ("b", {}, empty)]
    run_of(cohort, "organs", {"segment": ("label_map", rows)})
    write_series(tmp_path / "dicom" / "b", np.zeros(grid.shape), np.asarray(grid.index_to_world))
    report = seg(cohort, tmp_path / "out", tmp_path / "dicom")
    assert code_of(report) == ["no-world-space", "empty-input"]


def test_nothing_found_of_named_labels_is_a_segmentation_too(tmp_path: Path) -> None:
    grid = GRIDS["RAS"]
    output = labels(grid)
    assert output.dataset is not None
    output.dataset["label"][...] = 0
    cohort = cohort_of(tmp_path / "cohort", {"a": {"label": ("label_map", output)}})
    write_series(tmp_path / "dicom", np.zeros(grid.shape), np.asarray(grid.index_to_world))
    report = seg(cohort, tmp_path / "out", tmp_path / "dicom", entry="label")
    assert report.missing == [], report.errors
    found = highdicom.seg.segread(tmp_path / "out" / "a_label.dcm")
    assert found.number_of_segments == 6
    assert not found.pixel_array.any()


def test_without_highdicom_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = segmented(tmp_path / "cohort", {"a": GRIDS["RAS"]})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"cohortflow\[seg\]"):
        seg(cohort, tmp_path / "out", None)
    assert not (tmp_path / "out").exists()
