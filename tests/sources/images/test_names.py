"""What the names of image files say: subject, image or label map, which of several."""

from __future__ import annotations

from pathlib import Path, PurePath

import numpy as np
import pytest

from cohortflow.sources.discover import discover
from cohortflow.sources.images.decoded import Decoded
from cohortflow.sources.images.names import format_of, named, telling
from cohortflow.sources.images.parts import Part, entry_names
from cohortflow.sources.options import IngestOptions


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(folder: Path, **options: object) -> dict[str, list[tuple[str, list[str]]]]:
    """Subject → role and file names of each part."""
    return {
        recording.subject: [(p.role, [f.name for f in p.files]) for p in recording.parts]
        for recording in discover(folder, IngestOptions(**options))
    }


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("a.nii", "nifti"), ("a.NII.GZ", "nifti"), ("a.nrrd", "nrrd"), ("a.nhdr", "nrrd"),
        ("a.mha", "metaimage"), ("a.npy.h5", "hdf5"), ("a.npz", "npz"), ("a.JPG", "picture"),
        ("a.dcm", "dicom"), ("a.json", None), ("a.tsv", None), ("a.nii.json", None),
        ("DICOMDIR", None), (".nii", None),
    ],
)  # fmt: skip
def test_formats_by_name(name: str, format_: str | None, tmp_path: Path) -> None:
    assert format_of(tmp_path / name) == format_


def test_dicom_without_an_extension_is_known_by_its_letters(tmp_path: Path) -> None:
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM" + bytes(9))
    (tmp_path / "1.2.840.5").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "LICENSE").write_bytes(b"text")
    assert format_of(tmp_path / "IM0001") == format_of(tmp_path / "1.2.840.5") == "dicom"
    assert format_of(tmp_path / "LICENSE") is None


def test_a_folder_per_subject(tmp_path: Path) -> None:
    put(tmp_path, "s1/ct.nii.gz", "s1/label.nii.gz", "s2/scan/ct.nii.gz", "s2/mask_liver.nii.gz")
    assert found(tmp_path) == {
        "s1": [("image", ["ct.nii.gz"]), ("label", ["label.nii.gz"])],
        "s2": [("image", ["ct.nii.gz"]), ("label", ["mask_liver.nii.gz"])],
    }


def test_a_flat_folder_goes_by_the_names(tmp_path: Path) -> None:
    put(tmp_path, "a.nii.gz", "a_label.nii.gz", "b_image.nrrd", "b-seg.nrrd", "35_label_odd.nii")
    assert found(tmp_path) == {
        "a": [("image", ["a.nii.gz"]), ("label", ["a_label.nii.gz"])],
        "b": [("image", ["b_image.nrrd"]), ("label", ["b-seg.nrrd"])],
        "35_label_odd": [("image", ["35_label_odd.nii"])],
    }


def test_folders_of_images_and_labels_are_no_subjects(tmp_path: Path) -> None:
    put(tmp_path, "imagesTr/c1_0000.nii.gz", "imagesTr/c1_0001.nii.gz", "labelsTr/c1.nii.gz")
    put(tmp_path, "imagesTs/c2_0000.nii.gz")
    assert found(tmp_path) == {
        "c1": [
            ("image", ["c1_0000.nii.gz"]),
            ("image", ["c1_0001.nii.gz"]),
            ("label", ["c1.nii.gz"]),
        ],
        "c2": [("image", ["c2_0000.nii.gz"])],
    }


def test_a_subjects_bare_label_goes_by_its_folder(tmp_path: Path) -> None:
    put(tmp_path, "images/sub-01.nii.gz", "labels/sub-01.nii.gz", "sub-02/image.nii.gz")
    put(tmp_path, "sub-02/label.nii.gz")
    assert found(tmp_path) == {
        "sub-01": [("image", ["sub-01.nii.gz"]), ("label", ["sub-01.nii.gz"])],
        "sub-02": [("image", ["image.nii.gz"]), ("label", ["label.nii.gz"])],
    }


def test_bids_goes_by_its_labels(tmp_path: Path) -> None:
    put(tmp_path, "dataset_description.json", "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz")
    put(tmp_path, "sub-01/ses-a/anat/sub-01_ses-a_T1w.json", "sub-01/ses-a/sub-01_scans.tsv")
    put(tmp_path, "sub-01/ses-a/func/sub-01_ses-a_task-rest_bold.nii.gz")
    put(tmp_path, "derivatives/x/sub-01/ses-a/anat/sub-01_ses-a_desc-brain_mask.nii.gz")
    put(tmp_path, "sub-02/anat/sub-02_dseg.tsv", "sub-02/anat/sub-02_T1w.nii.gz", "README")
    put(tmp_path, "sub-02/figures/sub-02_dseg.png")
    assert found(tmp_path) == {
        "sub-01_ses-a": [
            ("image", ["sub-01_ses-a_T1w.nii.gz"]),
            ("label", ["sub-01_ses-a_desc-brain_mask.nii.gz"]),
        ],
        "sub-02": [("image", ["sub-02_T1w.nii.gz"])],
    }


def test_pictures_their_masks_together(tmp_path: Path) -> None:
    put(tmp_path, "benign (2).png", "benign (2)_mask.png", "benign (2)_mask_1.png", "1.jpg")
    put(tmp_path, "1-mask.png", "normal (3).png")
    assert found(tmp_path) == {
        "1": [("image", ["1.jpg"]), ("label", ["1-mask.png"])],
        "benign (2)": [
            ("image", ["benign (2).png"]),
            ("label", ["benign (2)_mask.png", "benign (2)_mask_1.png"]),
        ],
        "normal (3)": [("image", ["normal (3).png"])],
    }
    assert set(found(tmp_path, subject_from="name")) == {"1", "benign (2)", "normal (3)"}


def test_slices_of_a_case_are_read_together_in_their_order(tmp_path: Path) -> None:
    put(tmp_path, *(f"case0005_slice{n:03d}.npz" for n in (2, 10, 0, 1)))
    put(tmp_path, "patient001_frame01_slice_2.h5", "patient001_frame01_slice_10.h5")
    cases = found(tmp_path)
    assert cases["case0005"] == [("image", [f"case0005_slice{n:03d}.npz" for n in (0, 1, 2, 10)])]
    assert cases["patient001_frame01"] == [
        ("image", ["patient001_frame01_slice_2.h5", "patient001_frame01_slice_10.h5"])
    ]


def test_dicom_goes_by_its_folder(tmp_path: Path) -> None:
    put(tmp_path / "study", "p1/a/1.dcm", "p1/b/2.dcm", "p1/label.nii.gz", "p2/3.dcm")
    assert {
        name: [role for role, _ in parts] for name, parts in found(tmp_path / "study").items()
    } == {
        "p1": ["image", "label"],
        "p2": ["image"],
    }
    assert set(found(tmp_path / "study/p2")) == {"p2"}
    assert set(found(tmp_path / "study/p1", subject_from="name")) == {"a", "b", "label"}


def test_a_table_beside_images_is_no_recording(tmp_path: Path) -> None:
    put(tmp_path, "s1/ct.nii.gz", "volumes.csv", "s1/series.1D")
    assert set(found(tmp_path)) == {"s1"}


@pytest.mark.parametrize(
    "name", ["x_gt.nii.gz", "x_mask.nii.gz", "x.seg.nrrd", "x_lab.nii", "x-mask2.png"]
)
def test_words_for_label_maps_at_the_end_of_a_name(name: str) -> None:
    path = PurePath(name)
    about = named(path, format_of(Path(name)) or "")
    assert (about.role, about.identity.name.partition(".")[0]) == ("label", "x")


def test_what_all_names_share_is_left_out() -> None:
    assert telling([("DOE", "ct"), ("DOE", "pet")]) == ["ct", "pet"]


def test_a_name_or_a_date_never_becomes_the_name_of_an_entry() -> None:
    files = [("Mueller", "Hans", "19450508", "ct"), ("Schmidt", "4711", "T1w"), ("x", "0001")]
    assert telling(files) == ["ct", "T1w", "0001"]
    assert telling([("DOE",)]) == [""]
    assert telling([("liver", "left"), ("Leber", "7")]) == ["liver_left", "7"]


def test_numbered_names_never_meet_a_name_that_stands() -> None:
    tokens: list[tuple[str, ...]] = [("ct",), ("ct",), ("ct", "1"), ("pt",)]
    decoded = Decoded("image", np.zeros((1, 1, 1)))
    names = entry_names([(Part("nifti", "image", (), own), decoded) for own in tokens])
    assert len(set(names)) == 4
    assert names[2:] == ["image_ct_1", "image_pt"]


@pytest.mark.parametrize("name", ["ct.nii.gz", "scan/1.dcm"])
def test_files_of_one_name_in_two_folders_are_not_one_subject(name: str, tmp_path: Path) -> None:
    put(tmp_path, f"p1/{name}", f"p2/{name}")
    (recording,) = discover(tmp_path, IngestOptions(subject_from="name"))
    assert recording.error is not None
    assert recording.error.code == "missing-input"
    assert all(r.error is None for r in discover(tmp_path, IngestOptions()))
    put(tmp_path / "other", "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz")
    (recording,) = discover(tmp_path / "other", IngestOptions(subject_from="name"))
    assert recording.error is None
