"""Names and kinds of files that no folder of a cohort may take over, and no reader may wait for."""

from __future__ import annotations

import os
import socket
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from cohortflow.sources.ingest import IngestOptions
from tests.hostile.measuring import ingested, stored_names
from tests.hostile.seeds import nifti

UNSAFE: tuple[str | bytes, ...] = (
    b"bad\xff.nii", b"\xff\xfe/a.nii", "tab\there.nii", "new\nline/a.nii", "bell\a.nii",
    "escape\x1b[2J.nii", "turned\u202egnp.nii", "zero\u200bwidth.nii", "\u2028.nii", "-rf.nii",
    "~root.nii", "x" * 101 + ".nii", "y" * 200 + "/a.nii", " blank/a.nii", "behind /a.nii",
    "dot./a.nii", "colon:x.nii", "star*.nii", "what?.nii", "at@x.nii", "pipe|x.nii", 'quote".nii',
    "back\\slash.nii", "a\\..\\up.nii", "less<more>.nii", "CON.nii", "nul/a.nii", "com1.x/a.nii",
)  # fmt: skip
"""Names that no subject may have."""


def put(source: Path, name: str | bytes) -> None:
    path = os.path.join(os.fsencode(source), os.fsencode(name))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(nifti())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    put(tmp_path / "source", "good.nii")
    return tmp_path / "source"


def test_names_that_are_no_ids(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in UNSAFE:
        put(source, name)
    measured = ingested(source, monkeypatch)
    assert Counter(measured.codes.values()) == {"unsafe-identifier": len(UNSAFE)}
    assert all(subject.startswith("file-") for subject in measured.codes)
    assert stored_names(measured.cohort) == {"good"}
    told = str(measured.report.refused)
    assert told.isprintable()
    assert "\x1b" not in told


def test_names_that_differ_in_case_only(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Case.nii", "case.nii", "STRASSE.nii", "straße.nii"):
        put(source, name)
    measured = ingested(source, monkeypatch)
    assert list(measured.codes.values()) == ["unsafe-identifier"] * 2


def test_one_name_in_two_spellings_is_one_subject(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for form, name in (("NFC", "ct"), ("NFD", "pet")):
        put(source, f"{unicodedata.normalize(form, 'café')}/{name}.nii")
    measured = ingested(source, monkeypatch)
    assert not measured.codes
    assert set(measured.cohort.ingested.subjects["café"].entries) == {"image_ct", "image_pet"}


def test_what_is_no_file_of_the_source(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "folder.nii.gz").mkdir()
    for name in ("pipe.nii", "pipe"):
        os.mkfifo(source / name)
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        monkeypatch.chdir(source)  # such a name may have 108 bytes
        one.bind("socket.nii")
        other.bind("socket")
    outside = source.parent / "outside"
    put(outside, "a.nii")
    links = {
        "out.nii": outside / "a.nii", "folder-out": outside, "dangling.nii": "nowhere.nii",
        "loop.nii": "loop.nii", "device.nii": "/dev/zero", "device": "/dev/zero",
        "above.nii": "../outside/a.nii", "around": source, "twice.nii": "out.nii",
    }  # fmt: skip
    for name, target in links.items():
        os.symlink(target, source / name)
    measured = ingested(source, monkeypatch)
    folder = next(s for s in measured.codes if s.startswith("file-"))
    assert measured.codes == {
        "pipe": "unreadable-file", "socket": "unreadable-file", "out": "outside-source",
        "dangling": "unreadable-file", "loop": "unreadable-file", "device": "unreadable-file",
        "above": "outside-source", "twice": "outside-source", folder: "outside-source",
    }  # fmt: skip
    assert stored_names(measured.cohort) == {"good"}


@pytest.mark.parametrize("pattern", [r"regex:(.+)/", r"regex:(.+)\.nii", r"regex:.*(\.\.).*"])
def test_a_rule_cannot_lead_out_of_the_cohort(
    pattern: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(source, "a/b/c..d.nii")
    (source / "good.nii").unlink()
    measured = ingested(source, monkeypatch, IngestOptions(subject_from=pattern))
    assert list(measured.codes.values()) == ["unsafe-identifier"]
    assert not stored_names(measured.cohort)


def test_hidden_files_and_cohorts_are_no_recordings(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".hidden.nii", "._good.nii", ".git/a.nii", "_work/a.nii", "other/a.nii"):
        put(source, name)
    (source / "other" / "cohort.json").write_text("{}")
    measured = ingested(source, monkeypatch)
    assert measured.report.new == ("good",)
    assert not measured.codes
