"""Archives where a source is expected, and tables that grow, lie or hold no text."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from cohortflow import errors
from cohortflow.cohort.cohort import create_cohort
from cohortflow.sources.ingest import IngestOptions, ingest
from tests.hostile.measuring import ingested, peak_bytes, reset_peak, stored_names
from tests.hostile.seeds import nifti, zeros_zipped, zipped

ROWS = "".join(f"{a}\t{a * 2}\t{a % 3}\n" for a in range(30))


def archive(kind: str) -> bytes:
    target = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as file:
            file.writestr("../../up.nii", nifti())
    else:
        with tarfile.open(fileobj=target, mode="w:gz" if kind == "tar.gz" else "w") as file:
            about = tarfile.TarInfo("../../up.nii")
            about.size = len(nifti())
            file.addfile(about, io.BytesIO(nifti()))
    return target.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_is_no_source_and_is_not_unpacked(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"source.{kind}"
    path.write_bytes(archive(kind))
    measured = ingested(path, monkeypatch)
    assert list(measured.codes.values()) == ["unreadable-file"]
    assert not stored_names(measured.cohort)
    assert not list(tmp_path.rglob("up.nii"))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_named_as_an_image(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    for ending in ("nii", "nii.gz", "dcm", "nrrd", "mha", "h5", "png"):
        (tmp_path / "source" / f"{ending.replace('.', '-')}.{ending}").write_bytes(archive(kind))
    measured = ingested(tmp_path / "source", monkeypatch)
    assert set(measured.codes.values()) <= {"unreadable-file", "truncated-file"}
    assert len(measured.codes) == 7
    assert not stored_names(measured.cohort)


SERIES = {
    "bomb.1D.gz": ("decompression-bomb", zeros_zipped(2048)),
    "bomb-of-text.1D.gz": ("decompression-bomb", gzip.compress(b"1 2 3\n" * 2**20) * 40),
    "twice.1D.gz": ("unreadable-file", zipped(zipped(ROWS.encode()))),
    "cut.1D.gz": ("truncated-file", zipped(ROWS.encode())[:40]),
    "zero-byte.1D": ("unreadable-file", ROWS.replace("5", "\0", 1).encode()),
    "latin.1D": ("unreadable-file", b"\xff\xfe" + ROWS.encode()),
    "words.1D": ("not-a-number", (ROWS + "=1+1\t1\t2\n").encode()),
    "ragged.1D": ("unreadable-file", (ROWS + "1\t2\n" + ROWS).encode()),
    "nan.1D": ("missing-values", (ROWS + "nan\t1\t2\n" + ROWS).encode()),
    "infinite.1D": ("missing-values", (ROWS + "1e999\t1\t2\n" + ROWS).encode()),
    "one-line.1D": ("series-too-short", b"1\t2\t3\n"),
    "other-regions.1D": ("region-count-mismatch", b"1\t2\n" * 30),
    "empty.1D": ("empty-input", b""),
    "blank.1D": ("empty-input", b" \n\n"),
    "pickle.npy": ("unreadable-file", b"\x93NUMPY\1\0v\0{'descr': '|O', 'fortran_order': False, "
                   b"'shape': (3, 3), }".ljust(127) + b"\n" + b"cos\nsystem\n(S'true'\ntR."),
}  # fmt: skip


def test_series_of_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for good in ("good-1", "good-2"):
        (source / f"{good}.1D").write_text(ROWS)
    for name, (_, data) in SERIES.items():
        (source / name).write_bytes(data)
    measured = ingested(source, monkeypatch)
    expected = {name.split(".")[0]: code for name, (code, _) in SERIES.items()}
    assert measured.codes == expected
    # A series is known to be other than most only when all are read: its entry names no subject.
    assert {"good-1", "good-2"} <= stored_names(measured.cohort) <= {
        "good-1", "good-2", "other-regions",
    }  # fmt: skip
    assert measured.longest_s < 5
    assert measured.own_bytes < 2**30


PARTICIPANTS: dict[str, tuple[type[errors.CohortflowError], bytes]] = {
    "empty": (errors.EmptyInput, b""),
    "comments": (errors.EmptyInput, b"# nothing\n"),
    "nul": (errors.UnreadableFile, b"participant_id\tgroup\nsub-1\tA\0B\n"),
    "latin": (errors.UnreadableFile, b"participant_id\tgroup\nsub-1\t\xe9\n"),
    "utf-16": (errors.UnreadableFile, "participant_id\tgroup\nsub-1\tA\n".encode("utf-16")),
    "ragged": (errors.UnreadableFile, b"participant_id\tgroup\nsub-1\tA\tB\n"),
    "short": (errors.UnreadableFile, b"participant_id\tgroup\nsub-1\n"),
    "no-id": (errors.UnknownName, b"who\tgroup\nsub-1\tA\n"),
    "column-twice": (errors.UnreadableFile, b"participant_id\tage\tage\nsub-1\t1\t2\n"),
    "long-field": (errors.UnreadableFile, b"participant_id\tgroup\nsub-1\t" + b"x" * 10**6),
    "million-columns": (
        errors.TooLarge,
        b"participant_id\t" + b"\t".join(b"%d" % n for n in range(10**6)) + b"\n",
    ),
    "million-alike": (errors.TooLarge, b"participant_id" + b"\ta" * 10**6 + b"\n"),
    "picture": (errors.UnreadableFile, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
}


@pytest.mark.parametrize("name", PARTICIPANTS)
def test_participants(name: str, tmp_path: Path) -> None:
    error, data = PARTICIPANTS[name]
    (tmp_path / "sub-1.nii").write_bytes(nifti())
    (tmp_path / "participants.tsv").write_bytes(data)
    cohort = create_cohort(tmp_path / "_cohort")
    with pytest.raises(error) as raised:
        ingest(cohort, tmp_path, IngestOptions())
    assert raised.value.where.startswith("participants.tsv")
    assert not stored_names(cohort)


def test_a_packed_table_that_grows(tmp_path: Path) -> None:
    (tmp_path / "sub-1.nii").write_bytes(nifti())
    (tmp_path / "table.tsv.gz").write_bytes(zeros_zipped(2048))
    reset_peak()
    before = peak_bytes("self")
    with pytest.raises(errors.TooLarge):
        ingest(
            create_cohort(tmp_path / "_cohort"),
            tmp_path,
            IngestOptions(participants=tmp_path / "table.tsv.gz"),
        )
    assert peak_bytes("self") - before < 2**30


def test_ids_of_a_table_are_looked_up_and_never_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "sub-1.nii").write_bytes(nifti())
    ids = ("../../up", "/etc", "sub-1", "..", "=1+1", "a\\b", "-rf")
    rows = "".join(f"{who}\tA\n" for who in ids)
    (source / "participants.tsv").write_text("participant_id\tgroup\n" + rows)
    measured = ingested(source, monkeypatch)
    assert measured.report.new == ("sub-1",)
    assert stored_names(measured.cohort) == {"sub-1"}
    assert {path.name for path in tmp_path.iterdir()} == {"source", "cohort"}
