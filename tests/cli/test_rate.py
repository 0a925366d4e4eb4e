"""``cohortflow rate``: a file from a page into the cohort."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import Cohort, create_cohort
from tests.cli.conftest import CommandLine
from tests.cohort import samples


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    made = create_cohort(tmp_path / "cohort")
    samples.ingest(made, "ann-1", "bob-1")
    made.indexes("organs").begin({"run": "r", "keys": []}).finish({})
    return made


def ratings(cohort: Cohort, file: Path, *subjects: str) -> Path:
    lines = [{"subject": s, "verdict": "pass", "rated": "2026-03-02T10:00:00Z"} for s in subjects]
    told = {"schema": 1, "kind": "cohortflow ratings", "cohort": cohort.id, "pipeline": "organs"}
    file.write_text(json.dumps({**told, "rater": "r1", "ratings": lines}))
    return file


def test_a_file_is_kept_and_said(cli: CommandLine, cohort: Cohort, tmp_path: Path) -> None:
    file = ratings(cohort, tmp_path / "ratings.json", "ann-1", "bob-1")
    found = cli("rate", cohort.url, file)
    assert found.code == 0
    assert "2 ratings of organs by r1: kept\n" in found.out
    assert "cohortflow report" in found.out
    assert "kept already" in cli("rate", cohort.url, file).out
    told = cli("rate", cohort.url, file, "--json").json()
    assert (told["new"], told["ratings"], told["rater"], len(told["key"])) == (False, 2, "r1", 64)


def test_a_file_that_is_none(cli: CommandLine, cohort: Cohort, tmp_path: Path) -> None:
    missing = cli("rate", cohort.url, tmp_path / "Anna-Muster.json")
    assert (missing.code, "unreadable-file" in missing.err) == (1, True)
    assert "Anna" not in missing.err
    stranger = ratings(cohort, tmp_path / "ratings.json", "ann-1", "someone")
    refused = cli("rate", cohort.url, stranger)
    assert (refused.code, "bad-ratings" in refused.err) == (1, True)
    assert "someone" not in refused.err
    left = cli("rate", cohort.url, stranger, "--leave-out-unknown")
    assert "1 left out" in left.out
