"""Status: counts, causes with a command, age of what was trained, disk by step."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cohortflow.cohort.cohort import Cohort, create_cohort, open_cohort
from cohortflow.cohort.maintenance import gc
from cohortflow.report.ages import age
from cohortflow.stages import CATALOGUE as STAGES
from flows.finish import after_run
from flows.process import process_cohort
from flows.status_lines import tell_status
from tasks.request import RunRequest
from tasks.status import cohort_status
from tests.pipeline.running import CATALOGUE, ingest_texts

PIPELINE = """
inputs: {text: table}
steps:
  - shout
  - learn: {reads: {tables: shout}}
  - merge: {reads: {tables: shout}}
"""


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunRequest:
    """Three subjects, one of which fails."""
    monkeypatch.setenv("COHORTFLOW_TRACKING", "off")
    for name, stage in CATALOGUE.items():
        monkeypatch.setitem(STAGES, name, stage)
    (tmp_path / "small.yaml").write_text(PIPELINE)
    cohort = create_cohort(tmp_path / "cohort")
    ingest_texts(cohort, {"a": "one ", "b": "broken", "c": "three "})
    return RunRequest(str(tmp_path / "small.yaml"), cohort.url, cluster="none")


@pytest.fixture
def cohort(request_: RunRequest) -> Cohort:
    process_cohort(request_, after_run=after_run("cohortflow run"))
    return open_cohort(request_.cohort)


def said(found: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    tell_status(found, lambda columns, rows: None, lines.append)
    return lines


def test_units_by_step_and_failures_by_cause(cohort: Cohort) -> None:
    found = cohort_status(cohort)
    steps = {row["step"]: row["counts"] for row in found["steps"]}
    assert steps == {
        "ingest": {"done": 3},
        "shout": {"done": 2, "failed": 1},
        "learn": {"done": 1},
        "merge": {"done": 1},
    }
    (cause,) = found["failures"]
    assert (cause["step"], cause["state"], cause["code"]) == ("shout", "failed", "undefined-result")
    assert (cause["units"], cause["subjects"]) == (1, ["b"])
    key = next(u["key"] for u in found["units"] if u["state"] == "failed")
    assert cause["replay"] == f"cohortflow replay {cohort.url} {key[:16]}"
    assert f"  {cause['replay']}" in said(found)


def test_a_run_says_what_failed_of_what_it_was_asked_for(request_: RunRequest) -> None:
    (cause,) = process_cohort(request_).failures
    assert (cause["step"], cause["state"], cause["units"]) == ("shout", "failed", 1)
    assert cause["subjects"] == ["b"]
    key = next(u["key"] for u in cohort_status(open_cohort(request_.cohort))["units"]
               if u["state"] == "failed")  # fmt: skip
    assert cause["replay"] == f"cohortflow replay {request_.cohort} {key[:16]}"
    assert process_cohort(replace(request_, subjects=("a",))).failures == []
    ingest_texts(open_cohort(request_.cohort), dict.fromkeys("abc", "broken"))
    states = {(c["step"], c["state"]): c["units"] for c in process_cohort(request_).failures}
    assert states == {("shout", "failed"): 3, ("merge", "blocked"): 1}, "learn stands"


def test_what_blocks_is_a_cause_of_its_own(request_: RunRequest, cohort: Cohort) -> None:
    ingest_texts(cohort, {"a": "broken", "b": "broken", "c": "broken"})
    process_cohort(request_)
    causes = {(c["step"], c["state"]): c for c in cohort_status(cohort)["failures"]}
    assert causes["merge", "blocked"]["message"] == "all 3 inputs failed"
    assert causes["merge", "blocked"]["replay"] == "", "there is nothing to run again"
    assert causes["shout", "failed"]["units"] == 3


def test_the_model_is_as_old_as_the_run_that_made_it(request_: RunRequest, cohort: Cohort) -> None:
    ingest_texts(cohort, {"a": "one ", "b": "broken", "c": "other", "d": "four"})
    process_cohort(request_, after_run=after_run("cohortflow run"))
    (row,) = cohort_status(cohort)["selections"]
    assert (row["weights"], row["index"]) == (1, 1)
    ended = cohort.indexes("small").get(1).summary
    assert ended is not None
    assert row["trained"] == [ended["finished"]] * 2
    assert (row["new"], row["changed"], row["corrected"], row["newer"]) == (1, 1, 0, 2)
    assert any("trained before 1 new, 1 changed subjects" in line for line in said({
        "counts": {}, "steps": [], "runs": [], "failures": [], "selections": [row]}))  # fmt: skip


def test_the_model_keeps_its_age_over_a_run_with_other_parameters(
    request_: RunRequest, cohort: Cohort
) -> None:
    process_cohort(replace(request_, settings=["learn.word=other"]))
    (row,) = cohort_status(cohort)["selections"]
    assert (row["weights"], row["index"]) == (1, 2)
    process_cohort(request_)
    (row,) = cohort_status(cohort)["selections"]
    assert (row["weights"], row["index"]) == (1, 1)


def test_who_only_changed_folds_is_not_new(request_: RunRequest) -> None:
    Path(request_.pipeline).write_text(
        """
inputs: {text: table}
splits: {cv: {folds: 3}}
axes: {fold: {split: cv}}
steps:
  - learn: {over: [fold], reads: {tables: text}, where: {split: cv/train}}
"""
    )
    cohort = open_cohort(request_.cohort)
    ingest_texts(cohort, {name: name for name in "mnopqr"})
    process_cohort(request_)
    ingest_texts(cohort, {name: name for name in "abcmnopqrxyz"})
    process_cohort(request_)
    (row,) = cohort_status(cohort)["selections"]
    assert (row["selections"], row["new"], row["newer"]) == (3, 6, 6)


def test_a_model_whose_run_is_not_kept_is_older_than_what_is(
    request_: RunRequest, cohort: Cohort
) -> None:
    process_cohort(request_)
    gc(cohort, keep=1)
    (row,) = cohort_status(cohort)["selections"]
    assert row["trained"] is None
    assert age(row).startswith(f"trained before {datetime.date.today().year}-")


def test_disk_use_is_told_by_step_where_it_is_asked_for(cohort: Cohort) -> None:
    assert "disk" not in cohort_status(cohort)
    disk = {(r["stage"], r["of"]): r for r in cohort_status(cohort, disk=True)["disk"]}
    assert disk["shout", "small shout"]["entries"] == 2
    assert disk["text", "ingest"]["entries"] == 3
    assert disk["learn", "small learn"]["bytes"] > 0
    assert sum(r["bytes"] for r in disk.values()) == sum(n for _, n in cohort.storage.walk(""))


def test_the_page_of_the_cohort_lies_beside_the_reports_and_goes_when_somebody_is_forgotten(
    cohort: Cohort,
) -> None:
    from cohortflow.cohort.maintenance import forget

    page = Path(cohort.url) / "reports" / "cohort.html"
    assert '"subjects":["a","b","c"]' in page.read_text("utf-8")
    report = next(Path(cohort.url).glob("reports/small/*/report.html")).read_text("utf-8")
    for link in re.findall(r'<p class="links".*?</p>', report):
        assert re.findall('href="([^"]+)"', link) == ["../nights.html", "../../cohort.html"]
    forget(cohort, "b")
    assert not page.exists()


def test_the_history_is_made_again_from_the_indexes_where_it_is_lost(
    request_: RunRequest, cohort: Cohort
) -> None:
    import json

    history = Path(cohort.url) / "reports" / "small" / "nights.json"
    before = json.loads(history.read_text())["lines"]
    history.unlink()
    process_cohort(request_, after_run=after_run("cohortflow run"))
    after = json.loads(history.read_text())["lines"]
    assert [line["index"] for line in after] == [1, 2]
    timing = ("started", "finished", "seconds")
    told = [{k: v for k, v in line.items() if k not in timing} for line in (before[0], after[0])]
    assert told[0] == told[1]
