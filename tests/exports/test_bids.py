"""BIDS-Derivatives: the BIDS validator is the judge."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cohortflow.cohort.cohort import Cohort
from cohortflow.exports.bids_names import bids_names, description_label
from cohortflow.exports.export import export
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from tests.exports.samples import GRIDS, Row, cohort_of, labels, run_of, volume
from tests.geometry.strangers import by_nibabel
from tests.geometry.test_canary_conversions import check

IDS = ("sub-01_ses-a", "sub-01_ses-b", "sub-02", "Müller (3)", "x_1", "x1")
GRID = GRIDS["LPS-oblique"]


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    half = labels(GRID, source_shape=[4, 4, 4])
    columns: dict[str, dict[str, Any]] = {one: {"age": 70, "scan site": "A B"} for one in IDS}
    columns["sub-01_ses-b"]["age"] = 71
    columns["x1"] = {"age": None}
    cohort = cohort_of(
        tmp_path / "cohort",
        {one: {"T1w": ("volume", volume(GRID))} for one in IDS},
        columns,
        refused=["sub-09"],
    )
    rows: list[Row] = [(one, {"fold": i % 2}, labels(GRID)) for i, one in enumerate(IDS)]
    run_of(
        cohort,
        "organs",
        {
            "find_organs": ("label_map", rows),
            "resample": ("volume", [("sub-02", {}, volume(GRID))]),
            "coarse": ("label_map", [("sub-02", {}, half)]),
        },
    )
    return cohort


def validate(folder: Path) -> list[dict[str, Any]]:
    """What the validator complains of. It carries its schema and is given no network."""
    tool = Path(sys.executable).parent / "bids-validator-deno"
    done = subprocess.run(
        [tool, "--format", "json", folder],
        env={
            "PATH": str(tool.parent),
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HOME": str(folder.parent),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    issues: list[dict[str, Any]] = json.loads(done.stdout)["issues"]["issues"]
    return issues


def test_the_validator_is_content(cohort: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "out"
    own = ExportOptions(grid="own")
    assert export(cohort, out, "bids", Asked(), own).missing == []
    export(cohort, out, "bids", Asked(entry="T1w"), own)
    assert {issue["code"] for issue in validate(out)} == {"TOO_FEW_AUTHORS"}, "nobody told them"
    told = ExportOptions(grid="own", authors=("A. Meier", "B. Okafor"))
    export(cohort, out, "bids", Asked(entry="T1w"), told)
    assert validate(out) == []
    stem = out / "sub-01" / "ses-a" / "anat" / "sub-01_ses-a_space-orig_desc-findOrgansFold0_dseg"
    check(by_nibabel(stem.with_suffix(".nii.gz")).zyx(), "LPS-oblique")
    assert stem.with_suffix(".tsv").read_text().splitlines()[:2] == ["index\tname", "1\tletter L"]
    coarse = out / "sub-02" / "anat" / "sub-02_space-orig_res-coarse_desc-coarse_dseg.json"
    assert json.loads(coarse.read_text())["Resolution"] == "2 × 3 × 2.5 mm (i, j, k)"
    assert (out / "sub-02" / "anat" / "sub-02_space-orig_desc-T1w_T1w.nii.gz").exists()
    assert (out / "sub-02" / "anat" / "sub-02_space-orig_desc-resample_image.nii.gz").exists()
    card = json.loads((out / "dataset_description.json").read_text())
    assert card["GeneratedBy"][0]["Name"] == "cohortflow"
    assert card["Authors"] == ["A. Meier", "B. Okafor"]
    assert "organs" in card["GeneratedBy"][0]["Description"]


def test_a_validator_that_is_content_with_everything_is_none(
    cohort: Cohort, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(cohort, out, "bids", Asked(entry="T1w", subjects=("sub-02",)), ExportOptions())
    (out / "sub-02" / "anat" / "sub-02_wrong.nii.gz").write_bytes(b"")
    assert any(issue.get("severity") == "error" for issue in validate(out))


def test_the_tables_tell_the_cohort_columns_and_the_study_ids(
    cohort: Cohort, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(cohort, out, "bids", Asked(entry="T1w"), ExportOptions())
    lines = [line.split("\t") for line in (out / "participants.tsv").read_text().splitlines()]
    assert lines[0] == ["participant_id", "study_id", "age", "scan_site"]
    rows = {row[1]: row for row in lines[1:]}
    assert rows["sub-02"] == [
        "sub-sub02" if "sub-sub02" in rows else "sub-02",
        "sub-02",
        "70",
        "A B",
    ]
    assert rows["Müller (3)"][0] == "sub-MLler3" or rows["Müller (3)"][0].isascii()
    assert rows["x1"][2:] == ["n/a", "n/a"]
    assert lines[1][:3] == ["sub-01", "n/a", "n/a"]  # its sessions differ
    sessions = (out / "sub-01" / "sub-01_sessions.tsv").read_text().splitlines()
    assert sessions[1:] == ["ses-a\tsub-01_ses-a\t70\tA B", "ses-b\tsub-01_ses-b\t71\tA B"]


def test_a_subject_that_has_left_stays_in_the_tables(cohort: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(cohort, out, "bids", Asked(entry="T1w"), ExportOptions())
    left = [one for one in cohort.ingested.subjects.values() if one.id != "sub-02"]
    cohort.ingests.append(left, {})
    export(cohort, out, "bids", Asked(entry="T1w"), ExportOptions())
    assert "sub-02\tsub-02\tn/a" in (out / "participants.tsv").read_text()
    assert [issue for issue in validate(out) if issue["severity"] == "error"] == []


def test_names_stay_apart() -> None:
    names = bids_names(["x_1", "x1", "X-1", "sub-01", "01", "日本"])
    stems = [name.stem.casefold() for name in names.values()]
    assert len(set(stems)) == len(stems)
    assert names["sub-01"].stem == "sub-01"
    assert all(name.subject.isascii() and name.subject.isalnum() for name in names.values())
    assert bids_names(["x1", "x_1", "sub-01"])["x_1"] == bids_names(["x_1", "x1"])["x_1"]
    assert (
        description_label("find_organs", {"fold": 0, "variant": "a-b"})
        == "findOrgansFold0VariantAB"
    )
