"""Images and label maps as entries of a cohort: names, kinds, keys, one grid."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
import SimpleITK
from PIL import Image

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.geometry import Reorientation
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.pipeline.ingested import fitting_entries
from cohortflow.pipeline.leakage import twins
from cohortflow.pipeline.load import load_pipeline
from cohortflow.sources.images.decoded import Decoded
from cohortflow.sources.images.pairing import on_image_grid
from cohortflow.sources.ingest import IngestOptions, ingest
from tests.sources.images.dicom_files import write_series
from tests.sources.images.reading import one

GRID = oriented_grid("LPS", shape=(12, 10, 11), spacing_mm=(2.5, 1.5, 1.25))
BACKWARDS = np.eye(4)[[2, 1, 0, 3]]
CANARY = Canary.within(GRID)


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return create_cohort(tmp_path / "cohort")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


def nifti(path: Path, array: np.ndarray, matrix: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array.transpose(2, 1, 0), matrix @ BACKWARDS), path)


def codes(report: Any) -> dict[str, str]:
    return {subject: error["code"] for subject, error in report.refused.items()}


def test_entries_hold_arrays_and_their_place(source: Path, cohort: Cohort) -> None:
    nifti(source / "a/ct.nii.gz", CANARY.image(GRID), GRID.matrix)
    nifti(source / "a/seg.nii.gz", CANARY.labels(GRID), GRID.matrix)
    report = ingest(cohort, source)
    assert report.new == ("a",)
    assert cohort["a"].keys() == ["image", "label"]
    image, label = cohort["a"]["image"], cohort["a"]["label"]
    assert image["image"].dims == label["label"].dims == ("z", "y", "x")
    np.testing.assert_array_equal(image["image"], CANARY.image(GRID))
    np.testing.assert_array_equal(label["label"], CANARY.labels(GRID))
    np.testing.assert_allclose(image.attrs["index_to_world"], GRID.matrix, atol=1e-4)
    facts = cohort["a"].ingested.entries["image"].facts
    assert facts["orientation"] == "LPS"
    assert facts["spacing_mm"] == pytest.approx([2.5, 1.5, 1.25])
    assert cohort["a"].ingested.entries["label"].facts["labels"] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("code", ["RAS", "AIR", "SPL", "LAI"])
def test_a_label_map_stored_otherwise_is_turned_to_its_image(
    code: str, source: Path, cohort: Cohort
) -> None:
    way = Reorientation.towards(GRID, code)
    nifti(source / "a/ct.nii.gz", CANARY.image(GRID), GRID.matrix)
    nifti(source / "a/label.nii.gz", way.apply(CANARY.labels(GRID)), way.after.matrix)
    assert ingest(cohort, source).new == ("a",)
    label = cohort["a"]["label"]
    np.testing.assert_array_equal(label["label"], CANARY.labels(GRID))
    assert label.attrs["index_to_world"] == cohort["a"]["image"].attrs["index_to_world"]


def shifted(matrix: np.ndarray) -> np.ndarray:
    moved = np.array(matrix)
    moved[:3, 3] += (0, 0, 1.25)
    return moved


@pytest.mark.parametrize("fault", ["shape", "shift", "spacing", "mirrored"])
def test_a_label_map_on_another_grid_refuses_its_subject(
    fault: str, source: Path, cohort: Cohort
) -> None:
    labels, matrix = CANARY.labels(GRID), np.array(GRID.matrix)
    if fault == "shape":
        labels = labels[:-1]
    elif fault == "shift":
        matrix = shifted(matrix)
    elif fault == "spacing":
        matrix[:3, 0] *= 1.02
    else:
        matrix[0] *= -1
    nifti(source / "a/ct.nii.gz", CANARY.image(GRID), GRID.matrix)
    nifti(source / "a/label.nii.gz", labels, matrix)
    nifti(source / "b/ct.nii.gz", CANARY.image(GRID), GRID.matrix)
    report = ingest(cohort, source)
    assert codes(report) == {"a": "geometry-mismatch"}
    assert report.refused["a"]["message"].count("index_to_world") == 2
    assert report.new == ("b",)
    assert cohort["a"].keys() == []


def test_a_series_and_its_label_map_in_nifti(source: Path, cohort: Cohort) -> None:
    write_series(source / "a/dicom", CANARY.image(GRID).astype(np.int16), GRID.matrix)
    way = Reorientation.towards(GRID, "RAS")
    nifti(source / "a/label.nii.gz", way.apply(CANARY.labels(GRID)), way.after.matrix)
    assert ingest(cohort, source).new == ("a",)
    label = cohort["a"]["label"]
    assert label.attrs["index_to_world"] == cohort["a"]["image"].attrs["index_to_world"]
    np.testing.assert_array_equal(label["label"], CANARY.labels(GRID))


def test_several_images_are_told_apart_by_what_differs(source: Path, cohort: Cohort) -> None:
    for name in ("DOE_quarter", "DOE_full"):
        nifti(source / f"a/{name}.nii.gz", CANARY.image(GRID), GRID.matrix)
    ingest(cohort, source)
    assert cohort["a"].keys() == ["image_full", "image_quarter"]
    assert b"DOE" not in b"".join(cohort.storage.read(path) for path, _ in cohort.storage.walk(""))


def test_bids_names_its_images_by_suffix(source: Path, cohort: Cohort) -> None:
    for name in ("anat/sub-01_acq-hi_T1w", "anat/sub-01_T2w"):
        nifti(source / f"sub-01/{name}.nii.gz", CANARY.image(GRID), GRID.matrix)
    labels = source / "derivatives/x/sub-01/anat/sub-01_desc-brain_mask.nii.gz"
    nifti(labels, CANARY.labels(GRID), GRID.matrix)
    ingest(cohort, source)
    assert cohort["sub-01"].keys() == ["T2w", "acq-hi_T1w", "label"]


def test_bids_sidecars_tell_numbers_and_confounds_are_a_table(source: Path, cohort: Cohort) -> None:
    nifti(source / "sub-01/anat/sub-01_acq-hi_T1w.nii.gz", CANARY.image(GRID), GRID.matrix)
    beside = source / "sub-01/anat/sub-01_acq-hi_T1w.json"
    (source / "T1w.json").write_text('{"EchoTime": 0.1, "FlipAngle": 9, "InstitutionName": "X"}')
    (source / "acq-lo_T1w.json").write_text('{"EchoTime": 0.9}')
    beside.write_text('{"EchoTime": 0.003, "PatientName": "DOE", "Manufacturer": "DOE Inc"}')
    func = source / "sub-01/func"
    func.mkdir()
    (func / "sub-01_task-rest_desc-confounds_timeseries.tsv").write_text("a\tb\nn/a\t1\n2.5\t2\n")
    ingest(cohort, source)
    assert cohort["sub-01"].keys() == ["acq-hi_T1w", "confounds"]
    entries = cohort["sub-01"].ingested.entries
    facts = entries["acq-hi_T1w"].facts
    assert (facts["EchoTime"], facts["FlipAngle"]) == (0.003, 9.0)
    assert entries["confounds"].facts == {"rows": 2, "columns": ["a", "b"]}
    ref = EntryRef("sub-01", "confounds", entries["confounds"].key)
    table = pq.read_table(io.BytesIO(cohort.entries.open(ref).read_file("table.parquet")))
    assert table.to_pydict() == {"a": [None, 2.5], "b": [1.0, 2.0]}
    assert b"DOE" not in b"".join(cohort.storage.read(path) for path, _ in cohort.storage.walk(""))

    before = entries["acq-hi_T1w"].key
    beside.write_text('{"EchoTime": 0.003, "PatientName": "ROE"}')
    ingest(cohort, source)
    assert cohort["sub-01"].ingested.entries["acq-hi_T1w"].key == before
    beside.write_text('{"EchoTime": 0.004}')
    ingest(cohort, source)
    changed = cohort["sub-01"].ingested.entries["acq-hi_T1w"]
    assert changed.key != before
    assert changed.facts["EchoTime"] == 0.004
    beside.write_text("{")
    assert codes(ingest(cohort, source)) == {"sub-01": "unreadable-file"}


def keys(cohort: Cohort) -> dict[str, str]:
    return {name: entry.key for name, entry in cohort["a"].ingested.entries.items()}


def test_a_corrected_label_map_leaves_the_image_as_it_is(source: Path, cohort: Cohort) -> None:
    nifti(source / "a/ct.nii.gz", CANARY.image(GRID), GRID.matrix)
    nifti(source / "a/label.nii.gz", CANARY.labels(GRID), GRID.matrix)
    ingest(cohort, source)
    before = keys(cohort)
    assert ingest(cohort, source).unchanged == ("a",)
    labels = CANARY.labels(GRID)
    labels[0] = 9
    nifti(source / "a/label.nii.gz", labels, GRID.matrix)
    assert ingest(cohort, source).changed == ("a",)
    after = keys(cohort)
    assert after["image"] == before["image"]
    assert after["label"] != before["label"]
    assert cohort["a"]["label"]["label"].values.max() == 9


def test_an_unneeded_option_changes_no_key(source: Path, cohort: Cohort) -> None:
    nifti(source / "a/ct.nii.gz", CANARY.image(GRID), GRID.matrix)
    ingest(cohort, source)
    before = keys(cohort)
    ingest(cohort, source, IngestOptions(time=0, accept=("gantry-tilt",), fill_not_finite=0.0))
    assert keys(cohort) == before


def test_what_was_accepted_is_recorded(source: Path, cohort: Cohort) -> None:
    image = CANARY.image(GRID)
    image[0, 0, :3] = np.nan
    nifti(source / "a/ct.nii.gz", image, GRID.matrix)
    assert codes(ingest(cohort, source)) == {"a": "not-finite"}
    report = ingest(cohort, source, IngestOptions(fill_not_finite=-1.0))
    assert report.new == ("a",)
    assert report.warnings["a"][0]["code"] == "not-finite"
    assert cohort["a"].ingested.entries["image"].facts["nan_voxels"] == 3
    assert cohort["a"]["image"]["image"].values[0, 0, :3].tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("folder", "name", "number"),
    [
        ("Doe", "DOE^JANE", ""),
        ("jane-1990", "Doe^Jane", ""),
        ("mrn4711", "", "4711"),
        ("4711", "", "4711"),
    ],
)
def test_an_id_that_names_the_patient_is_refused_unless_chosen(
    folder: str, name: str, number: str, source: Path, cohort: Cohort
) -> None:
    tags = {"PatientName": name, "PatientID": number}
    array = np.zeros(GRID.shape, np.int16)
    write_series(source / folder, array, GRID.matrix, tags=tags)
    report = ingest(cohort, source)
    ((subject, error),) = report.refused.items()
    assert error["code"] == "identifies-person"
    for private in (name.split("^")[0], number):
        assert not private or private not in error["message"]
    # Which folder to rename stands in the private source map alone.
    assert folder not in subject
    assert subject.startswith("file-")
    assert f"/{folder}/" in cohort.source_map.subjects[subject][0].path
    assert ingest(cohort, source, IngestOptions(subject_from="folder")).new == (folder,)
    assert list(cohort.ingested.subjects) == [folder], "what was refused is no second subject"


def test_headers_stay_behind(source: Path, cohort: Cohort) -> None:
    def secret(_: int, dataset: pydicom.Dataset) -> None:
        dataset.PatientName, dataset.PatientID = "CANARYNAME^X", "CANARY0001"
        dataset.InstitutionName = dataset.SeriesDescription = "CANARYPLACE"
        dataset.PatientBirthDate, dataset.Manufacturer = "19000102", "CANARYMAKER"
        dataset.add_new(0x00091001, "LO", "CANARYPRIVATE")

    write_series(source / "a", np.zeros(GRID.shape, np.int16), GRID.matrix, edit=secret)
    report = ingest(cohort, source)
    assert report.new == ("a",)
    kept = b"".join(cohort.storage.read(path) for path, _ in cohort.storage.walk(""))
    assert b"CANARY" not in kept
    assert b"19000102" not in kept


def test_a_link_out_of_the_source_is_refused_unless_accepted(
    source: Path, cohort: Cohort, tmp_path: Path
) -> None:
    nifti(tmp_path / "elsewhere/x.nii.gz", CANARY.image(GRID), GRID.matrix)
    (source / "a").mkdir(parents=True)
    (source / "a/ct.nii.gz").symlink_to(tmp_path / "elsewhere/x.nii.gz")
    assert codes(ingest(cohort, source)) == {"a": "outside-source"}
    assert ingest(cohort, source, IngestOptions(accept=("outside-source",))).new == ("a",)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_changed_voxels_beside_a_header_are_noticed(
    suffix: str, source: Path, cohort: Cohort
) -> None:
    (source / "a").mkdir(parents=True)
    for value in (3, 4):
        image = SimpleITK.GetImageFromArray(np.full(GRID.shape, value, np.int16))
        SimpleITK.WriteImage(image, str(source / f"a/ct{suffix}"))
        ingest(cohort, source)
        assert np.unique(cohort["a"]["image"]["image"].values).tolist() == [value]
    assert ingest(cohort, source).unchanged == ("a",)


def test_folders_of_pictures_are_pointed_out(source: Path, cohort: Cohort) -> None:
    (source / "benign").mkdir(parents=True)
    for name in ("1", "2"):
        Image.fromarray(np.zeros((4, 5), np.uint8)).save(source / f"benign/{name}.png")
    report = ingest(cohort, source)
    assert report.new == ("benign",)
    assert any("--subject-from name" in note for note in report.notes)
    by_name = ingest(cohort, source, IngestOptions(subject_from="name"))
    assert by_name.new == ("1", "2")
    assert not any("--subject-from name" in note for note in by_name.notes)


def test_images_enter_a_cohort_on_an_object_store(source: Path) -> None:
    cohort = create_cohort("memory://images-on-an-object-store")
    nifti(source / "a/ct.nii.gz", CANARY.image(GRID), GRID.matrix)
    nifti(source / "a/label.nii.gz", CANARY.labels(GRID), GRID.matrix)
    assert cohort.storage.local_path("") is None
    assert ingest(cohort, source).new == ("a",)
    np.testing.assert_array_equal(cohort["a"]["image"]["image"], CANARY.image(GRID))
    assert ingest(cohort, source).unchanged == ("a",)


# --- real data ------------------------------------------------------------------------------------


def test_real_series_and_label_map_of_another_orientation_align(
    test_data: Path, source: Path, cohort: Cohort
) -> None:
    folder = test_data / "ct/totalsegmentator"
    (source / "a").mkdir(parents=True)
    (source / "a/dicom").symlink_to(folder / "example_ct_dicom")
    for path in sorted((folder / "example_ct_dicom").iterdir()):
        (source / "a" / path.name).symlink_to(path)
    (source / "a/label.nii.gz").symlink_to(folder / "example_seg_dicom.nii.gz")
    report = ingest(cohort, source, IngestOptions(accept=("outside-source",)))
    assert report.new == ("a",)
    image, label = cohort["a"]["image"], cohort["a"]["label"]
    assert label.attrs["index_to_world"] == image.attrs["index_to_world"]
    hounsfield = image["image"].values
    labels = label["label"].values
    # Bones are bright and the lungs' air is dark only where the labels lie on their image.
    vertebrae = np.isin(labels, range(26, 51))
    assert labels.shape == hounsfield.shape
    assert hounsfield[labels == 52].mean() > 0  # aorta
    assert not vertebrae.any() or hounsfield[vertebrae].mean() > 100


def test_odd_niftis_behave_as_their_manifest_says(test_data: Path, cohort: Cohort) -> None:
    report = ingest(cohort, test_data / "nifti_odd")
    assert codes(report) == {
        "20_truncated": "truncated-file",
        "21_truncated": "truncated-file",
        "28_nan_inf_voxels": "not-finite",
        "30_4d_two_frames": "several-times",
    }
    assert [w["code"] for w in report.warnings["04_q_s_disagree"]] == ["qform-differs"]
    good = cohort["00_good"]["image"]
    for name, mean in (
        ("00_good", -51.76868489583333),
        ("10_scl_slope_nan", -51.76868489583333),
        ("12_scl_slope_2_inter_-1024", -1127.5373697916666),
        ("37_nifti2", -51.76868489583333),
    ):
        assert cohort[name]["image"]["image"].values.mean() == pytest.approx(mean, rel=1e-12)
    turned = cohort["06_LPS_orientation"]["image"]
    np.testing.assert_array_equal(turned["image"].values, good["image"].values)
    assert np.diag(turned.attrs["index_to_world"])[:3].tolist() == [0, -3, 0]
    times = ingest(
        cohort, test_data / "nifti_odd", IngestOptions(time=1), only=["30_4d_two_frames"]
    )
    assert times.new == ("30_4d_two_frames",)


@pytest.mark.parametrize(("unit", "mm"), [("mm", 1.0), ("meter", 1e3), ("micron", 1e-3)])
def test_spacing_of_an_unplaced_image_has_its_unit(unit: str, mm: float, source: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
    image.header.set_zooms((3.0 / mm, 2.0 / mm, 1.0 / mm))
    image.header.set_xyzt_units(unit, "sec")
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    source.mkdir()
    nibabel.save(image, source / "a.nii")
    decoded = one("nifti", source / "a.nii", accept=["unknown-orientation"])
    assert decoded.grid.spacing_mm == pytest.approx((1.0, 2.0, 3.0))


def test_a_scribble_is_not_the_label_map_that_pipelines_take(source: Path, cohort: Cohort) -> None:
    nifti(source / "a/mr.nii.gz", CANARY.image(GRID), GRID.matrix)
    nifti(source / "a/mr_label.nii.gz", CANARY.labels(GRID), GRID.matrix)
    nifti(source / "a/mr_scribble.nii.gz", CANARY.labels(GRID), GRID.matrix)
    ingest(cohort, source)
    subject = cohort.ingested.subjects["a"]
    assert {"label", "scribble"} <= set(subject.entries)
    for slug in ("ct-resample", "mr-normalise"):
        (declared,) = [i for i in load_pipeline(slug).inputs.values() if i.kind == "label_map"]
        assert [entry.name for entry in fitting_entries(declared, subject)] == ["label"]


@pytest.mark.parametrize("stored", ["LPS", "SAL", "PIR"])
def test_axes_midway_between_two_sides_do_not_part_a_label_map_from_its_image(stored: str) -> None:
    grid = oriented_grid("LPS", shape=(4, 5, 6), spacing_mm=(2.5, 1.5, 1.25), degrees=(45, 0, 0))
    labels = (np.arange(120) % 7).astype(np.uint8).reshape(grid.shape)
    way = Reorientation.towards(grid, stored)
    rounded = way.after.matrix.astype(np.float32).astype(float)  # as NIfTI has it
    label = Decoded("label", way.apply(labels), rounded)
    placed, _ = on_image_grid(label, "", [("", Decoded("image", labels, grid.matrix))], "a")
    np.testing.assert_array_equal(placed.array, labels)


def test_one_image_under_two_ids_is_known_as_the_same_recording(
    source: Path, cohort: Cohort
) -> None:
    for subject, shift in (("a", 0), ("c", 1)):
        nifti(source / subject / "ct.nii.gz", CANARY.image(GRID) + shift, GRID.matrix)
        nifti(source / subject / "seg.nii.gz", CANARY.labels(GRID), GRID.matrix)
    (source / "b").mkdir()
    shutil.copy(source / "a/ct.nii.gz", source / "b/other.nii.gz")
    for _ in range(2):  # also where nothing is read again
        ingest(cohort, source)
        assert twins(cohort.ingested.subjects) == {"a": frozenset("b"), "b": frozenset("a")}
