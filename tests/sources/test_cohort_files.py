"""Files of no subject: what is taken in, what is refused, what is read again,
what stays private."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load, save

from cohortflow import errors
from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.maintenance import forget, fsck, gc
from cohortflow.sources import cohort_files
from cohortflow.sources.cohort_files import FORMATS
from cohortflow.sources.ingest import IngestOptions, IngestReport, ingest, remembered

SERIES = "a\tb\n" + "".join(f"{i}\t{i * i % 7}\n" for i in range(6))
ATLAS = "region,network,weight,note\n1,DMN,0.5,\n2,FP,1.5,n/a\n3,,2,odd\n"


def weights(value: float = 1.0) -> bytes:
    return save({"layer": np.full((2, 3), value, np.float32), "bias": np.zeros(3, np.float16)})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Secret Hospital"
    folder.mkdir()
    for subject in ("sub-01", "sub-02"):
        (folder / f"{subject}.1D").write_text(SERIES)
    return folder


@pytest.fixture
def sam(tmp_path: Path) -> Path:
    path = tmp_path / "of Dr Miller" / "sam.safetensors"
    path.parent.mkdir()
    path.write_bytes(weights())
    return path


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return create_cohort(tmp_path / "cohort")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files whose bytes were read, in order."""
    seen: list[str] = []
    original = cohort_files._read

    def counted(path: Path, where: str) -> bytes:
        seen.append(path.name)
        return original(path, where)

    monkeypatch.setattr(cohort_files, "_read", counted)
    return seen


def take(cohort: Cohort, source: Path, **files: Path) -> IngestReport:
    return ingest(cohort, source, IngestOptions(files=files))


def table_of(cohort: Cohort, name: str) -> pd.DataFrame:
    data = cohort.entries.open(cohort.ingested.files[name].ref).read_file("table.parquet")
    return pd.read_parquet(io.BytesIO(data))


# --- taking in ------------------------------------------------------------------------------------


def test_weights_are_taken_in_as_they_are(cohort: Cohort, source: Path, sam: Path) -> None:
    report = take(cohort, source, sam=sam)
    assert (report.files, report.new) == ({"sam": "new"}, ("sub-01", "sub-02"))
    file = cohort.ingested.files["sam"]
    assert (file.name, file.kind, file.bytes) == ("sam", "weights", sam.stat().st_size)
    assert file.ref == EntryRef(None, "sam", file.key)
    entry = cohort.entries.open(file.ref)
    assert entry.read_file("weights.safetensors") == sam.read_bytes()
    assert load(entry.read_file("weights.safetensors"))["layer"].shape == (2, 3)
    card = json.loads(entry.read_file("card.json"))
    assert (card["sha256"], card["trained_on"]) == (file.digest, "unknown")
    assert card["tensors"] == {"layer": ["F32", 2, 3], "bias": ["F16", 3]}
    record = cohort.entries.record(file.ref)
    assert record is not None
    assert (list(record.subjects), list(record.weights)) == ([], [])
    assert fsck(cohort, deep=True) == []


def test_tables_of_every_format_become_the_same_table(
    cohort: Cohort, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(ATLAS)
    (tmp_path / "b.TSV").write_text(ATLAS.replace(",", "\t"))
    take(cohort, source, a=tmp_path / "a.csv", b=tmp_path / "b.TSV")
    first = table_of(cohort, "a")
    assert first["region"].tolist() == [1, 2, 3]
    assert first["weight"].tolist() == [0.5, 1.5, 2.0]
    assert first["network"].isna().tolist() == [False, False, True]
    assert first["note"].isna().tolist() == [True, True, False]
    first.to_parquet(tmp_path / "c.parquet")
    take(cohort, source, c=tmp_path / "c.parquet")
    for name in ("b", "c"):
        pd.testing.assert_frame_equal(table_of(cohort, name), first)


def test_a_table_inside_the_source_is_no_recording(cohort: Cohort, source: Path) -> None:
    (source / "labels.csv").write_text("1,2\n3,4\n5,6\n7,8\n")
    report = take(cohort, source, atlas=source / "labels.csv")
    assert report.new == ("sub-01", "sub-02")
    again = ingest(cohort, source)
    assert (again.new, again.refused) == ((), {}), "also when it is not named again"


BAD: dict[str, tuple[bytes, type[errors.CohortflowError], int]] = {
    "empty.safetensors": (b"", errors.EmptyInput, 1),
    "cut.safetensors": (weights()[:-4], errors.TruncatedFile, 1),
    "other.safetensors": (b"PK\3\4 a zip archive, as torch.save writes", errors.TruncatedFile, 1),
    "none.safetensors": (save({}), errors.EmptyInput, 1),
    "empty.csv": (b"", errors.EmptyInput, 1),
    "ragged.csv": (b"a,b\n1,2\n3\n", errors.UnreadableFile, 1),
    "twice.csv": (b"a,a\n1,2\n", errors.UnreadableFile, 1),
    "header.csv": (b"a,b\n", errors.EmptyInput, 1),
    "binary.tsv": (b"a\tb\n\xff\xfe\n", errors.UnreadableFile, 1),
    "text.parquet": (b"a,b\n1,2\n", errors.TruncatedFile, 1),
    "weights.pt": (b"pickled", errors.UnreadableFile, 1),
    "noextension": (b"1", errors.UnreadableFile, 1),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_named_and_nothing_is_written(
    cohort: Cohort, source: Path, sam: Path, tmp_path: Path, name: str
) -> None:
    content, error, code = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error) as caught:
        take(cohort, source, sam=sam, zoo=tmp_path / name)
    assert caught.value.exit_code == code
    assert "file zoo" in str(caught.value)
    if name in ("weights.pt", "noextension"):
        assert all(suffix in str(caught.value) for suffix in FORMATS)
    assert cohort.storage.list("") == ["cohort.json"]
    assert cohort.source_map.cohort_files == {}


def test_a_truncated_parquet_is_named(cohort: Cohort, source: Path, tmp_path: Path) -> None:
    whole = tmp_path / "a.parquet"
    pd.DataFrame({"x": range(1000)}).to_parquet(whole)
    data = bytearray(whole.read_bytes())
    for broken in (data[:-8], data[:20] + b"\0" * 40 + data[60:]):
        whole.write_bytes(broken)
        with pytest.raises(errors.TruncatedFile, match="file a"):
            take(cohort, source, a=whole)


def test_no_such_file_is_refused_before_anything(cohort: Cohort, source: Path, sam: Path) -> None:
    with pytest.raises(errors.NoSuchSource, match="file sam") as caught:
        take(cohort, source, sam=sam.with_name("gone.safetensors"))
    assert caught.value.exit_code == 5
    assert str(sam.parent) not in str(caught.value), "where it lies is private"
    folder = sam.with_name("folder.safetensors")
    folder.mkdir()
    with pytest.raises(errors.UnreadableFile):
        take(cohort, source, sam=folder)
    assert cohort.storage.list("") == ["cohort.json"]


def test_names_that_cannot_be_folders_or_differ_in_case_only(
    cohort: Cohort, source: Path, sam: Path
) -> None:
    for name in ("a/b", "..", "", "1st", "a@b"):
        with pytest.raises(ValueError, match="pattern"):
            IngestOptions(files={name: sam})
    take(cohort, source, sam=sam)
    with pytest.raises(errors.UsageError, match="'SAM' and 'sam'"):
        take(cohort, source, SAM=sam)


# --- again ----------------------------------------------------------------------------------------


def test_a_known_file_is_not_read_again(
    cohort: Cohort, source: Path, sam: Path, reads: list[str]
) -> None:
    number = take(cohort, source, sam=sam).number
    again = ingest(cohort, source)
    assert (again.files, again.number, reads) == ({"sam": "unchanged"}, number, [sam.name])
    os.utime(sam, (1, 1))
    touched = ingest(cohort, source)
    assert (touched.files, touched.number, len(reads)) == ({"sam": "unchanged"}, number, 2)
    ingest(cohort, source)
    assert len(reads) == 2, "its new time is remembered"


def test_a_changed_file_is_taken_in_by_the_nightly_ingest(
    cohort: Cohort, source: Path, sam: Path
) -> None:
    take(cohort, source, sam=sam)
    before = cohort.ingested.files["sam"]
    sam.write_bytes(weights(2.0))
    known = remembered(cohort)
    assert known is not None
    report = ingest(cohort, *known)
    after = cohort.ingested.files["sam"]
    assert (report.files, report.unchanged) == ({"sam": "changed"}, ("sub-01", "sub-02"))
    assert before.key != after.key
    assert cohort.entries.open(after.ref).read_file("weights.safetensors") == weights(2.0)


def test_one_more_file_leaves_the_others_watched(cohort: Cohort, source: Path, sam: Path) -> None:
    take(cohort, source, sam=sam)
    (source.parent / "atlas.csv").write_text(ATLAS)
    take(cohort, source, atlas=source.parent / "atlas.csv")
    sam.write_bytes(weights(2.0))
    assert ingest(cohort, source).files == {"atlas": "unchanged", "sam": "changed"}


def test_a_remembered_file_that_is_gone_or_broken_stays_as_it_was_taken_in(
    cohort: Cohort, source: Path, sam: Path
) -> None:
    take(cohort, source, sam=sam)
    before = cohort.ingested.files
    sam.write_bytes(weights(2.0)[:-4])
    (source / "sub-03.1D").write_text(SERIES)
    report = ingest(cohort, source)
    assert report.refused_files["sam"]["code"] == "truncated-file"
    assert report.new == ("sub-03",), "one bad file costs no subject"
    assert (cohort.ingested.files, report.files) == (before, {})
    sam.unlink()
    assert ingest(cohort, source).refused_files["sam"]["code"] == "no-such-source"
    sam.write_bytes(weights(2.0))
    assert ingest(cohort, source).files == {"sam": "changed"}


def test_an_entry_that_is_gone_is_taken_in_again(cohort: Cohort, source: Path, sam: Path) -> None:
    take(cohort, source, sam=sam)
    ref = cohort.ingested.files["sam"].ref
    cohort.storage.delete(ref.path)
    assert [p.code for p in fsck(cohort)] == ["missing-entry"]
    assert ingest(cohort, source).files == {"sam": "unchanged"}
    assert cohort.entries.exists(ref)


def test_the_same_bytes_under_another_extension_are_read_anew(
    cohort: Cohort, source: Path, tmp_path: Path
) -> None:
    text = "a,b;c\n1,2;3\n"
    (tmp_path / "t.csv").write_text(text)
    (tmp_path / "t.tsv").write_text(text)
    take(cohort, source, t=tmp_path / "t.csv")
    assert table_of(cohort, "t").columns.tolist() == ["a", "b;c"]
    assert take(cohort, source, t=tmp_path / "t.tsv").files == {"t": "changed"}
    assert table_of(cohort, "t").columns.tolist() == ["a,b;c"]


# --- the store ------------------------------------------------------------------------------------


def test_no_path_enters_the_store(cohort: Cohort, source: Path, sam: Path) -> None:
    take(cohort, source, sam=sam)
    for path, _ in cohort.storage.walk(""):
        content = cohort.storage.read(path)
        assert b"Miller" not in content
        assert "Miller" not in path
    assert cohort.source_map.cohort_files["sam"].path == str(sam)


def test_gc_keeps_what_the_newest_ingest_names(cohort: Cohort, source: Path, sam: Path) -> None:
    take(cohort, source, sam=sam)
    first = cohort.ingested.files["sam"].ref
    sam.write_bytes(weights(2.0))
    ingest(cohort, source)
    second = cohort.ingested.files["sam"].ref
    for day in (0.0, 1e6):
        gc(cohort, now=lambda day=day: day)  # type: ignore[misc]
    assert (cohort.entries.exists(first), cohort.entries.exists(second)) == (False, True)
    assert fsck(cohort, deep=True) == []


def test_forgetting_a_subject_keeps_the_files_and_names_tables_that_tell_of_it(
    cohort: Cohort, source: Path, sam: Path, tmp_path: Path
) -> None:
    (tmp_path / "ratings.csv").write_text("subject,rating\nsub-01,3\nsub-02,4\n")
    (tmp_path / "atlas.csv").write_text(ATLAS)
    files = {"ratings": tmp_path / "ratings.csv", "atlas": tmp_path / "atlas.csv", "sam": sam}
    take(cohort, source, **files)
    before = cohort.ingested.files
    result = forget(cohort, "sub-02")
    assert cohort.ingested.files == before
    assert all(cohort.entries.exists(file.ref) for file in before.values())
    assert result.mentions == [before["ratings"].ref.path]
    assert forget(cohort, "sub-01").mentions == [before["ratings"].ref.path]
