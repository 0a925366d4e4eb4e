"""What counts as a recording, in every shape a source may have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohortflow.errors import BadParameter, MissingInput, NoSuchSource, UnsafeIdentifier
from cohortflow.sources.discover import discover
from cohortflow.sources.options import IngestOptions
from tests.sources.bold_images import oblique_affine, save

ROWS = "1\t2\n3\t5\n4\t4\n"


def put(root: Path, *names: str, text: str = ROWS) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def subjects(source: Path, **options: object) -> list[str]:
    return [r.subject for r in discover(source, IngestOptions(**options))]  # type: ignore[arg-type]


def test_a_folder_of_files_in_every_format(tmp_path: Path) -> None:
    put(tmp_path, "a.1D", "b.1D.gz", "c.csv", "d.TSV", "e.npy")
    put(tmp_path, ".hidden.1D", "._a.1D", "notes.txt", "participants.json", "deep/.x/f.1D")
    assert subjects(tmp_path) == ["a", "b", "c", "d", "e"]


def test_a_folder_per_subject_and_a_single_file(tmp_path: Path) -> None:
    put(tmp_path, "s1/run/rest.1D", "s2/rest.1D")
    assert subjects(tmp_path) == ["s1", "s2"]
    assert subjects(tmp_path / "s1" / "run" / "rest.1D") == ["rest"]


def test_tables_that_the_options_name_are_no_recordings(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "b.csv")
    put(tmp_path, "people.csv", text="id,site\na,X\nb,Y\n")
    put(tmp_path, "tr.csv", text="site,tr_s\nX,2\nY,3\n")
    put(tmp_path, "regions.csv", text="label\nl\nr\n")
    found = discover(
        tmp_path,
        IngestOptions(
            participants=tmp_path / "people.csv",
            repetition_times=str(tmp_path / "tr.csv"),
            atlas=f"mine={tmp_path / 'regions.csv'}",
        ),
    )
    assert [(r.subject, r.tr_s, r.columns) for r in found] == [
        ("a", 2.0, {"site": "X"}),
        ("b", 3.0, {"site": "Y"}),
    ]


def test_a_derivatives_tree_gives_its_preprocessed_images_in_mni_space(tmp_path: Path) -> None:
    volume = np.zeros((2, 2, 2, 3), np.float32)
    func = "sub-01/ses-1/func/sub-01_ses-1_task-rest"
    for space in ("_space-T1w", "_space-MNI152NLin2009cAsym", ""):
        save(tmp_path / f"{func}{space}_desc-preproc_bold.nii.gz", volume, oblique_affine())
    save(tmp_path / f"{func}_boldref.nii.gz", volume[..., 0], oblique_affine())
    save(tmp_path / "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz", volume[..., 0], oblique_affine())
    put(tmp_path, f"{func}_desc-confounds_timeseries.tsv", f"{func}_events.tsv")
    put(tmp_path, "participants.tsv", text="participant_id\tgroup\nsub-01\tHC\n")
    (found,) = discover(tmp_path, IngestOptions(atlas="dosenbach160"))
    assert (found.subject, found.patient, found.format) == ("sub-01_ses-1", "sub-01", "fmriprep")
    assert found.columns == {"group": "HC"}
    assert [path.name.split("_desc-")[1] for path in found.files] == [
        "preproc_bold.nii.gz",
        "confounds_timeseries.tsv",
    ]


def test_bids_time_series_tables_are_recordings(tmp_path: Path) -> None:
    put(tmp_path, "sub-01/func/sub-01_task-rest_timeseries.tsv", "sub-01/func/sub-01_events.tsv")
    assert subjects(tmp_path) == ["sub-01"]


def test_a_cohort_inside_the_source_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path, "a.1D", "cohort/subjects/x/data.npy")
    put(tmp_path, "cohort/cohort.json", text="{}")
    assert subjects(tmp_path) == ["a"]


def test_two_recordings_of_one_subject_refuse_it_and_no_other(tmp_path: Path) -> None:
    put(tmp_path, "sub-01_run-1.1D", "sub-01_run-2.1D", "sub-02_run-1.1D")
    first, second = discover(tmp_path)
    assert isinstance(first.error, MissingInput)
    assert "subject_from" in str(first.error)
    assert (second.subject, second.error) == ("sub-02", None)
    by_name = discover(tmp_path, IngestOptions(subject_from="name"))
    assert [(r.subject, r.patient) for r in by_name][:2] == [
        ("sub-01_run-1", "sub-01"),
        ("sub-01_run-2", "sub-01"),
    ]


def test_unusable_and_clashing_ids_are_refused_under_a_name_that_tells_nothing(
    tmp_path: Path,
) -> None:
    put(tmp_path, "S1.1D", "s1.1D", "what?.1D", "ok.1D")
    found = {r.path.name: r for r in discover(tmp_path)}
    assert found["S1.1D"].error is None
    for name in ("s1.1D", "what?.1D"):
        assert isinstance(found[name].error, UnsafeIdentifier)
        assert found[name].subject.startswith("file-")
        assert str(found[name].error).startswith(found[name].subject)
    assert found["ok.1D"].error is None


def test_usage_faults_are_raised_before_anything(tmp_path: Path) -> None:
    with pytest.raises(NoSuchSource) as caught:
        discover(tmp_path / "absent")
    assert caught.value.exit_code == 5
    put(tmp_path, "a.1D")
    with pytest.raises(BadParameter):
        discover(tmp_path, IngestOptions(subject_from="regex:("))
