"""Ingest into a real store: what is read again, what is refused, and what is never kept."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohortflow import errors
from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.maintenance import forget
from cohortflow.recorder import MemoryRecorder
from cohortflow.sources import ingest as module
from cohortflow.sources.ingest import IngestOptions, IngestReport, ingest, remembered
from tests.sources.bold_images import oblique_affine, save, three_spheres, world

REGIONS, SAMPLES = 5, 20
GOOD = ("sub-01", "sub-02", "sub-03", "sub-04")


def numbers(seed: int, regions: int = REGIONS, samples: int = SAMPLES) -> str:
    values = np.random.default_rng(seed).standard_normal((samples, regions))
    header = "\t".join(f"#{i}" for i in range(1, regions + 1))
    return header + "\n" + "".join("\t".join(map(repr, row)) + "\n" for row in values.tolist())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Secret Hospital" / "source"
    folder.mkdir(parents=True)
    for seed, subject in enumerate(GOOD):
        (folder / f"{subject}.1D").write_text(numbers(seed))
    table(folder, dict.fromkeys(GOOD, "HC"))
    return folder


def table(folder: Path, groups: dict[str, str], more: str = "") -> None:
    rows = "".join(f"{subject}\t{group}\n" for subject, group in groups.items())
    (folder / "participants.tsv").write_text("participant_id\tgroup\n" + rows + more)


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return create_cohort(tmp_path / "cohort")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Subjects whose recording was parsed, in order."""
    seen: list[str] = []
    original = module.read_recording

    def counted(recording: Any, *rest: Any) -> Any:
        seen.append(recording.subject)
        return original(recording, *rest)

    monkeypatch.setattr(module, "read_recording", counted)
    return seen


def codes(report: IngestReport) -> dict[str, str]:
    return {subject: error["code"] for subject, error in report.refused.items()}


def test_subjects_entries_and_columns(source: Path, cohort: Cohort) -> None:
    recorder = MemoryRecorder()
    report = ingest(cohort, source, IngestOptions(repetition_times=2.5), recorder=recorder)
    assert report.new == GOOD
    assert recorder.last_progress == (4, 4)
    assert cohort.subjects == list(GOOD)
    assert cohort.participants["group"].tolist() == ["HC"] * 4
    assert cohort.participants["patient"].tolist() == list(GOOD)
    data = cohort["sub-02"]["series"]
    assert data["series"].dims == ("roi", "time")
    expected = np.loadtxt(source / "sub-02.1D").T
    np.testing.assert_array_equal(data["series"], expected)
    assert data["region"].values.tolist() == ["1", "2", "3", "4", "5"]
    assert data["network"].values.tolist() == ["all"] * 5
    assert data["valid"].values.all()
    assert data.attrs["tr_s"] == 2.5
    assert cohort.ingested.subjects["sub-02"].entries["series"].facts == {
        "rois": 5,
        "samples": 20,
        "tr_s": 2.5,
        "constant_regions": [],
        "networks": {"all": 5},
        "invalid_by_network": {},
    }


BAD: dict[str, tuple[bytes, str]] = {
    "nan": (numbers(9).replace("\n", "\nnan" + "\t1" * 4 + "\n", 1).encode(), "missing-values"),
    "two": (numbers(9, samples=2).encode(), "series-too-short"),
    "text": (numbers(9).encode() + b"motion detected\n" + b"1\t2\t3\t4\t5\n", "not-a-number"),
    "other": (numbers(9, regions=7).encode(), "region-count-mismatch"),
    "empty": (b"", "empty-input"),
}


def test_every_bad_recording_is_refused_by_name_and_every_other_goes_through(
    source: Path, cohort: Cohort
) -> None:
    for name, (content, _) in BAD.items():
        (source / f"{name}.1D").write_bytes(content)
    zipped = gzip.compress(numbers(9).encode())
    (source / "cut.1D.gz").write_bytes(zipped[: len(zipped) // 2])
    (source / "lacking.1D").write_text(numbers(9))
    (source / "double.1D").write_text(numbers(9))
    listed = dict.fromkeys([*GOOD, *BAD, "cut"], "HC")
    table(source, listed, more="double\tHC\ndouble\tMCI\n")
    report = ingest(cohort, source)
    assert report.new == GOOD
    expected = {name: code for name, (_, code) in BAD.items()}
    expected |= {"cut": "truncated-file"}
    expected |= {"lacking": "participant-missing", "double": "participant-duplicate"}
    assert codes(report) == expected
    assert len(cohort.subjects) == 4 + len(expected)
    assert cohort.participants.loc["nan", "group"] == "HC"
    for name, error in report.refused.items():
        assert error["message"].startswith(f"{name}: ")
        assert error == cohort.ingested.subjects[name].error
        assert not cohort.ingested.subjects[name].entries
    again = ingest(cohort, source)
    assert codes(again) == expected
    assert (again.number, again.unchanged) == (report.number, GOOD)


def test_a_subject_refused_earlier_is_tried_again(source: Path, cohort: Cohort) -> None:
    (source / "sub-03.1D").write_text(numbers(2, samples=2))
    first = ingest(cohort, source)
    assert codes(first) == {"sub-03": "series-too-short"}
    (source / "sub-03.1D").write_text(numbers(2))
    second = ingest(cohort, source)
    assert (second.new, second.refused) == (("sub-03",), {})
    assert cohort["sub-03"]["series"].sizes["time"] == SAMPLES
    assert cohort.participants["number"].tolist() == [1, 2, 3, 4]


def test_only_what_changed_is_read(source: Path, cohort: Cohort, reads: list[str]) -> None:
    ingest(cohort, source)
    assert sorted(reads) == list(GOOD)  # several at a time, in no order
    del reads[:]
    assert ingest(cohort, source).unchanged == GOOD
    os.utime(source / "sub-01.1D", (1, 1))
    assert ingest(cohort, source).unchanged == GOOD
    assert reads == []
    (source / "sub-01.1D").write_text(numbers(77))
    report = ingest(cohort, source)
    assert (report.changed, report.unchanged) == (("sub-01",), GOOD[1:])
    assert reads == ["sub-01"]


def test_size_and_time_come_before_digests(
    source: Path, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(cohort, source)
    monkeypatch.setattr(module, "file_digest", lambda *_: pytest.fail("a known file was read"))
    assert ingest(cohort, source).unchanged == GOOD


def test_options_that_change_arrays_change_keys_and_others_do_not(
    source: Path, cohort: Cohort
) -> None:
    ingest(cohort, source)
    assert ingest(cohort, source, IngestOptions(columns={"dx": "group"})).unchanged == GOOD
    assert ingest(cohort, source, IngestOptions(repetition_times=2.0)).changed == GOOD
    assert ingest(cohort, source, IngestOptions(transpose=True)).changed == GOOD
    assert cohort["sub-01"]["series"].sizes == {"roi": SAMPLES, "time": REGIONS}


def test_an_interrupted_ingest_goes_on_from_its_entries(
    source: Path, cohort: Cohort, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise errors.StoreUnavailable("the disk is away")

    with monkeypatch.context() as broken:
        broken.setattr(type(cohort.ingests), "append", fail)
        with pytest.raises(errors.StoreUnavailable):
            ingest(cohort, source)
    assert cohort.subjects == []
    del reads[:]
    assert ingest(cohort, source).new == GOOD
    assert reads == []


def test_a_lost_entry_is_written_again(source: Path, cohort: Cohort) -> None:
    ingest(cohort, source)
    cohort.storage.delete("subjects/sub-02")
    assert ingest(cohort, source).unchanged == GOOD
    assert cohort["sub-02"]["series"].sizes["time"] == SAMPLES


def test_participants_again_correct_a_column_and_read_nothing(
    source: Path, cohort: Cohort, reads: list[str]
) -> None:
    ingest(cohort, source)
    del reads[:]
    table(source, {**dict.fromkeys(GOOD, "HC"), "sub-02": "MCI"})
    report = ingest(cohort, source)
    assert (report.columns_changed, report.unchanged, reads) == (("sub-02",), GOOD, [])
    assert cohort.participants["group"].tolist() == ["HC", "MCI", "HC", "HC"]
    assert report.number == 2


def test_columns_follow_the_table_for_subjects_of_another_source(
    source: Path, cohort: Cohort, tmp_path: Path
) -> None:
    ingest(cohort, source)
    more = tmp_path / "more"
    more.mkdir()
    (more / "sub-05.1D").write_text(numbers(5))
    table(more, {"sub-05": "HC", "sub-01": "MCI"})
    report = ingest(cohort, more)
    assert (report.new, report.columns_changed) == (("sub-05",), ("sub-01",))
    assert report.absent == GOOD
    assert cohort.participants["group"].tolist() == ["MCI", "HC", "HC", "HC", "HC"]
    assert cohort.participants["number"].tolist() == [1, 2, 3, 4, 5]


def test_only_some(source: Path, cohort: Cohort) -> None:
    assert ingest(cohort, source, only=["sub-03"]).new == ("sub-03",)
    assert ingest(cohort, source, only=["sub-01"]).new == ("sub-01",)
    assert cohort.subjects == ["sub-01", "sub-03"]


def test_the_source_is_remembered(
    source: Path, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert remembered(cohort) is None
    monkeypatch.chdir(source.parent)
    options = IngestOptions(
        participants=Path("source/participants.tsv"), columns={"dx": "group"}, repetition_times=2.0
    )
    ingest(cohort, Path("source"), options)
    monkeypatch.chdir("/")
    again = remembered(cohort)
    assert again is not None
    assert again[0] == source
    assert ingest(cohort, *again).unchanged == GOOD


def test_what_is_empty_or_absent_is_refused_before_anything(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(errors.NoSuchSource):
        ingest(cohort, tmp_path / "absent")
    (tmp_path / "void").mkdir()
    with pytest.raises(errors.SelectionEmpty) as caught:
        ingest(cohort, tmp_path / "void")
    assert caught.value.exit_code == 4
    (tmp_path / "void" / "a.1D").write_text(numbers(0))
    with pytest.raises(errors.SelectionEmpty):
        ingest(cohort, tmp_path / "void", only=["b"])
    with pytest.raises(errors.UnknownName):
        ingest(cohort, tmp_path / "void", IngestOptions(atlas="nothing"))
    assert cohort.ingested.number == 0
    assert remembered(cohort) is None


def test_a_constant_region_is_a_warning_and_invalid(source: Path, cohort: Cohort) -> None:
    values = np.random.default_rng(0).standard_normal((SAMPLES, REGIONS))
    values[:, 3] = 7
    np.save(source / "sub-01.npy", values)
    (source / "sub-01.1D").unlink()
    recorder = MemoryRecorder()
    report = ingest(cohort, source, recorder=recorder)
    assert report.refused == {}
    assert [w["code"] for w in report.warnings["sub-01"]] == ["constant-region"]
    assert recorder.warnings[0]["message"] == "sub-01: 1 region without variance, not used: 4"
    assert cohort["sub-01"]["series"]["valid"].values.tolist() == [True] * 3 + [False, True]
    assert ingest(cohort, source).warnings == report.warnings


def test_an_atlas_names_regions_and_refuses_another_count(
    source: Path, cohort: Cohort, tmp_path: Path
) -> None:
    atlas = tmp_path / "atlas.csv"
    rows = [f"{n},r{n},{'AB'[n % 2]},{n},0,0" for n in (5, 4, 3, 2, 1)]
    atlas.write_text("\n".join(["number,label,network,x,y,z", *rows]) + "\n")
    (source / "sub-04.1D").write_text(numbers(3, regions=4))
    report = ingest(cohort, source, IngestOptions(atlas=str(atlas)))
    assert codes(report) == {"sub-04": "region-count-mismatch"}
    data = cohort["sub-01"]["series"]
    assert data["region"].values.tolist() == ["r5", "r4", "r3", "r2", "r1"]
    assert data["network"].values.tolist() == ["B", "A", "B", "A", "B"]
    np.testing.assert_array_equal(data["series"], np.loadtxt(source / "sub-01.1D").T[::-1])
    np.testing.assert_array_equal(data["x"], [5, 4, 3, 2, 1])


def test_images_become_series_where_the_atlas_has_coordinates(
    cohort: Cohort, tmp_path: Path
) -> None:
    affine, shape = oblique_affine(), (12, 12, 9)
    atlas = three_spheres(affine, shape)
    assert atlas.xyz_mm is not None
    truth = np.sin(np.arange(8.0))
    data = np.zeros((*shape, 8))
    data[np.linalg.norm(world(affine, shape) - atlas.xyz_mm[0], axis=-1) < 6] = truth
    images = tmp_path / "images"
    save(images / "A" / "rest.nii.gz", data, affine, tr=1.8)
    rows = [f"{label},{x},{y},{z}" for label, (x, y, z) in zip("abc", atlas.xyz_mm, strict=True)]
    (tmp_path / "spots.csv").write_text("\n".join(["label,x,y,z", *rows]) + "\n")
    assert codes(ingest(cohort, images)) == {"A": "several-times"}
    report = ingest(cohort, images, IngestOptions(atlas=f"spots={tmp_path / 'spots.csv'}"))
    assert report.new == ("A",)
    series = cohort["A"]["series"]
    np.testing.assert_allclose(series["series"][0], truth, atol=1e-12)
    assert series.attrs["tr_s"] == pytest.approx(1.8)
    assert series["valid"].values.tolist() == [True, False, False]


def test_ids_of_a_table_are_taken_by_prefix_and_said(source: Path, cohort: Cohort) -> None:
    for subject in GOOD:
        (source / f"{subject}.1D").rename(source / f"{subject.replace('sub-', 'S')}_rois.1D")
    table(source, {subject.replace("sub-", "S"): "HC" for subject in GOOD} | {"S09": "HC"})
    report = ingest(cohort, source)
    assert report.new == ("S01", "S02", "S03", "S04")
    assert any("4 ids are those of the column 'participant_id'" in note for note in report.notes)
    assert any("1 participants of the table have no recording" in note for note in report.notes)


def test_the_patient_of_a_session_and_of_a_chosen_column(
    source: Path, cohort: Cohort, tmp_path: Path
) -> None:
    for subject in GOOD:
        (source / f"{subject}.1D").rename(source / f"{subject[:5]}1_ses-{subject[4:]}.1D")
    (source / "participants.tsv").write_text("participant_id\tgroup\tfamily\nsub-01\tHC\tF7\n")
    ingest(cohort, source)
    assert cohort.subjects[0] == "sub-01_ses-01"
    assert set(cohort.participants["patient"]) == {"sub-01"}
    ingest(cohort, source, IngestOptions(patient_column="family"))
    assert set(cohort.participants["patient"]) == {"F7"}


def test_no_path_enters_the_store(source: Path, cohort: Cohort, tmp_path: Path) -> None:
    (source / "broken.1D.gz").write_bytes(b"x")
    (source / "two.1D").write_text("1 2\n")
    (source / "Erika Mustermann?.1D").write_text(numbers(1))
    (source / "text.1D").write_text("1 2\nErika Mustermann\n3 4\n")
    table(source, dict.fromkeys([*GOOD, "broken", "two", "text"], "HC"))
    options = IngestOptions(participants=source / "participants.tsv")
    report = ingest(cohort, source, options)
    assert len(report.refused) == 4
    told = json.dumps(report.to_json())
    kept = b"".join(
        gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        for path, _ in cohort.storage.walk("")
        for data in [cohort.storage.read(path)]
    )
    for private in ("Secret", "Hospital", str(tmp_path), "Mustermann", "Erika"):
        assert private.encode() not in kept
        assert private not in told
    assert str(source) in json.dumps(cohort.source_map.options)
    assert cohort.source_map.files("sub-01")[0].path == str(source / "sub-01.1D")


def test_a_file_without_permission_refuses_its_subject(
    source: Path, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = source / "sub-02.1D"
    closed.chmod(0)
    if os.geteuid() == 0:  # permissions do not bind root: it meets what anybody else would
        monkeypatch.setattr(io, "open", _refusing(closed, io.open))
    assert codes(ingest(cohort, source)) == {"sub-02": "unreadable-file"}


def _refusing(closed: Path, opened: Any) -> Any:
    def refusing(name: Any, *given: Any, **named: Any) -> Any:
        if str(name) == str(closed):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(name))
        return opened(name, *given, **named)

    return refusing


def test_a_dangling_link_refuses_its_subject(source: Path, cohort: Cohort) -> None:
    (source / "sub-02.1D").unlink()
    (source / "sub-02.1D").symlink_to(source / "gone")
    assert codes(ingest(cohort, source)) == {"sub-02": "unreadable-file"}


def test_a_clash_with_a_subject_of_the_cohort_is_refused(source: Path, cohort: Cohort) -> None:
    ingest(cohort, source)
    (source / "sub-01.1D").rename(source / "SUB-01.1D")
    (source / "participants.tsv").unlink()
    report = ingest(cohort, source)
    assert set(codes(report).values()) == {"unsafe-identifier"}
    assert "sub-01" in cohort.subjects
    assert "SUB-01" not in cohort.subjects


def test_a_forgotten_subject_stays_out_until_it_is_readmitted(cohort: Cohort, source: Path) -> None:
    ingest(cohort, source)
    forget(cohort, "sub-02")
    again = ingest(cohort, source)
    assert cohort.subjects == ["sub-01", "sub-03", "sub-04"]
    assert any("1 withdrawn" in note for note in again.notes)
    assert "sub-02" not in cohort.source_map.path.read_text()

    cohort.source_map.readmit(["sub-02"])
    assert ingest(cohort, source).new == ("sub-02",)
