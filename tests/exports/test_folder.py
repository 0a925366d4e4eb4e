"""The folder of an export: whole files, the same bytes, never over another's."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from cohortflow.cohort.cohort import Cohort
from cohortflow.errors import DiskFull, ExportTargetTaken, StoreTooNew
from cohortflow.exports.export import ExportReport, export
from cohortflow.exports.folder import ExportFolder
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from tests.exports.samples import GRIDS, run_of, segmented, volume

SUBJECTS = {name: GRIDS[code] for name, code in (("a", "RAS"), ("b", "LPS"), ("c", "ASL-oblique"))}
MANIFEST = "cohortflow-export.json"


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return segmented(tmp_path / "cohort", SUBJECTS)


def nifti(cohort: Cohort, out: Path, **asked: Any) -> ExportReport:
    return export(cohort, out, "nifti", Asked(**asked), ExportOptions())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_twice_is_once(cohort: Cohort, tmp_path: Path) -> None:
    assert nifti(cohort, tmp_path / "out").written == 3
    before = contents(tmp_path / "out")
    times = [path.stat().st_mtime_ns for path in sorted((tmp_path / "out").glob("*.nii.gz"))]
    again = nifti(cohort, tmp_path / "out")
    assert (again.written, again.unchanged) == (0, 3)
    assert contents(tmp_path / "out") == before
    assert times == [p.stat().st_mtime_ns for p in sorted((tmp_path / "out").glob("*.nii.gz"))]
    nifti(cohort, tmp_path / "elsewhere")
    assert contents(tmp_path / "elsewhere") == before


def test_a_new_result_takes_the_place_of_the_old(cohort: Cohort, tmp_path: Path) -> None:
    nifti(cohort, tmp_path / "out")
    before = contents(tmp_path / "out")
    changed = volume(SUBJECTS["a"])
    run_of(cohort, "organs", {"segment": ("volume", [("a", {}, changed)])})
    assert nifti(cohort, tmp_path / "out").written == 1
    after = contents(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {MANIFEST, "a_segment.nii.gz"}
    # those of before are still told of
    assert after[MANIFEST].count(b".nii.gz") == 3


@pytest.mark.parametrize(
    "what", ["a stranger's folder", "a file", "another format", "another cohort"]
)
def test_what_is_not_ours_is_left_alone(cohort: Cohort, tmp_path: Path, what: str) -> None:
    out = tmp_path / "out"
    if what == "a file":
        out.write_text("mine")
    elif what == "a stranger's folder":
        out.mkdir()
        (out / "notes.txt").write_text("mine")
    else:
        nifti(cohort, out)
        manifest = (out / MANIFEST).read_text()
        other = {"another format": ("nifti", "bids"), "another cohort": (cohort.id, "0")}[what]
        (out / MANIFEST).write_text(manifest.replace(*other))
    before = out.read_bytes() if out.is_file() else contents(out)
    with pytest.raises(ExportTargetTaken):
        nifti(cohort, out)
    assert before == (out.read_bytes() if out.is_file() else contents(out))


@pytest.mark.parametrize("listed", [True, False])
def test_a_file_that_someone_changed_is_left_alone(
    cohort: Cohort, tmp_path: Path, listed: bool
) -> None:
    nifti(cohort, tmp_path / "out", subjects=("a",) if listed else ("b",))
    (tmp_path / "out" / "a_segment.nii.gz").write_bytes(b"drawn by hand for hours")
    with pytest.raises(ExportTargetTaken, match="a_segment"):
        nifti(cohort, tmp_path / "out")
    assert (tmp_path / "out" / "a_segment.nii.gz").read_bytes() == b"drawn by hand for hours"


def test_the_cohort_itself_is_no_place_for_an_export(cohort: Cohort, tmp_path: Path) -> None:
    before = contents(tmp_path / "cohort")
    with pytest.raises(ExportTargetTaken, match="cohort itself"):
        nifti(cohort, tmp_path / "cohort" / "out")
    assert contents(tmp_path / "cohort") == before


def test_an_export_of_a_newer_version(cohort: Cohort, tmp_path: Path) -> None:
    nifti(cohort, tmp_path / "out")
    manifest = tmp_path / "out" / MANIFEST
    manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(StoreTooNew):
        nifti(cohort, tmp_path / "out")


@pytest.mark.parametrize("at", range(6))
def test_an_interrupted_export_leaves_whole_files_and_goes_on(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    whole = tmp_path / "whole"
    nifti(cohort, whole)
    out, count, replace = tmp_path / "out", 0, os.replace

    def stopped(source: Any, target: Any) -> None:
        nonlocal count
        if count == at:
            raise KeyboardInterrupt
        count += 1
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stopped)
        if at < 5:
            with pytest.raises(KeyboardInterrupt):
                nifti(cohort, out)
        else:
            nifti(cohort, out)
    for name, data in contents(out).items():
        if name.endswith(".nii.gz"):
            assert data == contents(whole)[name]
    # also when what was to be written has changed meanwhile
    run_of(cohort, "organs", {"segment": ("volume", [("a", {}, volume(SUBJECTS["a"]))])})
    nifti(cohort, out, steps=("segment",))
    assert not [name for name in contents(out) if name.startswith(".cohortflow")]


def test_a_disk_that_is_full_has_its_name(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Any, target: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DiskFull):
        nifti(cohort, tmp_path / "out")
    assert not contents(tmp_path / "out")


def test_a_tree_is_replaced_whole(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path / "out", "id", "ome-zarr")
    folder.start()
    first = folder.write_tree("a.zarr", {"zarr.json": b"1", "c/0": b"x"})
    folder.finish({"items": [{"files": {"a.zarr/": first}}]})
    again = ExportFolder(tmp_path / "out", "id", "ome-zarr")
    again.start()
    again.write_tree("a.zarr", {"zarr.json": b"2"})
    assert contents(tmp_path / "out" / "a.zarr") == {"zarr.json": b"2"}
    (tmp_path / "out" / "a.zarr" / "mine").write_text("x")
    third = ExportFolder(tmp_path / "out", "id", "ome-zarr")
    with pytest.raises(ExportTargetTaken):
        third.write_tree("a.zarr", {"zarr.json": b"3"})
