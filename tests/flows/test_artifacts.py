"""What artifacts say of a run, and what they must not say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cohortflow.pipeline.unit import Unit
from flows import addresses
from flows.artifacts import failures_of, lines_of, progress_of, report_of, units_of
from tasks.progress import StepProgress
from tasks.request import RunResult

ERROR = {
    "code": "series-too-short",
    "message": "/data/jane-doe/jane_doe.nii.gz: 12 samples",
    "hint": "Record longer.",
    "replay": "cohortflow replay /data/jane-doe/cohort 0123",
}


def unit(step: str, subject: str | None, state: Any = "done", error: Any = None) -> Unit:
    return Unit(
        step=step, stage=step, kind="table", subject=subject, labels=(), key=f"{step}{subject}" * 8,
        recipe=None, inputs={}, input_digests={}, columns="", state=state, error=error,
    )  # fmt: skip


RESULT = RunResult(
    run_id="abc", index=3, counts={"done": 5, "failed": 1}, timings=[], changed=True,
    cancelled=False, report="/data/jane-doe/cohort/reports/three-steps/000003/report.html",
)  # fmt: skip


def rows(shown: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shown.data)
    return found


def test_progress_is_of_what_this_run_settles() -> None:
    steps = [StepProgress("a", 8, done=8), StepProgress("b", 8, done=2, failed=1, seconds=1.0)]
    assert progress_of(steps, 20, ended=False).data == 50.0
    assert "b: 2 of 8, 1 failed" in progress_of(steps, 20, ended=False).about
    assert progress_of(steps, 10, ended=False).data == 99.0, "not all before the end"
    assert progress_of(steps, 20, ended=True).data == 100.0


def test_units_by_state_a_row_per_step() -> None:
    units = [unit("a", "01"), unit("a", "02", "failed", ERROR), unit("b", None, "blocked")]
    assert rows(units_of(units)) == [
        {"step": "a", "done": 1, "failed": 1, "quarantined": 0, "blocked": 0, "pending": 0},
        {"step": "b", "done": 0, "failed": 0, "quarantined": 0, "blocked": 1, "pending": 0},
    ]


def test_failures_stand_by_cause_with_few_subjects_and_a_command() -> None:
    units = [unit("a", f"{i:02d}", "failed", ERROR) for i in range(7)]
    (row,) = rows(failures_of([*units, unit("b", "01")]))
    assert (row["step"], row["cause"], row["units"]) == ("a", "series-too-short", 7)
    assert row["subjects"] == "00, 01, 02, 03, 04 and 2 more"
    assert row["hint"] == "Record longer."
    assert row["run one again"] == f"cohortflow replay COHORT {units[0].key[:16]}"
    assert failures_of([unit("a", "01")]) is None


def test_the_logs_tab_says_what_failed_and_where_the_report_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(addresses.REPORTS_URL, "http://127.0.0.1:4280")
    failures = failures_of([unit("a", f"{i:02d}", "failed", ERROR) for i in range(2)])
    report = report_of("three-steps", replace(RESULT, mlflow_page="http://127.0.0.1:5000/#/1"))
    assert lines_of([one for one in (failures, report) if one]) == [
        "a: 2 failed by series-too-short (00, 01)",
        "Run abc: 5 done, 1 failed",
        "Open the report: http://127.0.0.1:4280/three-steps/000003/report.html",
        "Open the run in MLflow: http://127.0.0.1:5000/#/1",
    ]


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:4280"])
def test_no_artifact_names_a_place_or_a_person(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(addresses.REPORTS_URL, url)
    shown = [failures_of([unit("a", "01", "failed", ERROR)]), report_of("three-steps", RESULT)]
    found = [one for one in shown if one]
    assert "jane" not in json.dumps([vars(one) for one in found] + lines_of(found)).lower()


def test_the_report_is_linked_where_a_server_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(addresses.REPORTS_URL, "http://127.0.0.1:4280")
    shown = report_of("three-steps", replace(RESULT, mlflow_page="http://127.0.0.1:5000/#/runs/1"))
    assert shown is not None
    assert "](http://127.0.0.1:4280/three-steps/000003/report.html)" in shown.data
    assert "](http://127.0.0.1:5000/#/runs/1)" in shown.data
    assert "](http://127.0.0.1:4280/three-steps/000003/report.html)" in shown.about
    monkeypatch.delenv(addresses.REPORTS_URL)
    shown = report_of("three-steps", replace(RESULT, report=None))
    assert shown is not None
    assert "http" not in shown.data


def test_the_address_of_prefects_pages_holds_no_password() -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

    named = {PREFECT_API_URL: "http://anna:secret@127.0.0.1:4200/api"}
    with temporary_settings(named, restore_defaults={PREFECT_UI_URL}):
        assert addresses.prefect_pages() == "http://127.0.0.1:4200/v2"
