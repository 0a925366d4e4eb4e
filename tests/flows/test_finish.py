"""What follows a run cannot change how it ended:
a report or MLflow that breaks is told in the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cohortflow.cohort.cohort import create_cohort
from cohortflow.report import SECTIONS, render
from flows.finish import TRACKING_URI, after_run
from tasks import tracking
from tasks.request import RunRequest, RunResult
from tasks.session import Session
from tests.pipeline.running import CATALOGUE, ingest_texts
from tests.pipeline.world import parse

TEXT = """
inputs: {text: table}
steps: [shout]
report: [methods]
"""


def breaks(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("nobody thought of this")


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Session, RunResult]]:
    """A run of three subjects, one of which failed."""
    monkeypatch.setenv(TRACKING_URI, "off")
    cohort = create_cohort(tmp_path / "cohort")
    ingest_texts(cohort, {"a": "one ", "b": "broken", "c": "three "})
    request = RunRequest("world", cohort.url, cluster="none")
    catalogue = "tests.pipeline.running:CATALOGUE"
    pipeline = parse(TEXT, CATALOGUE)
    with Session(request, pipeline=pipeline, catalogue=catalogue) as session:
        session.begin()
        for units in session.batches("shout"):
            session.run_batch("shout", units)
        session.close_step("shout")
        yield session, session.finish()


def report_of(result: RunResult) -> Any:
    assert result.report is not None
    return json.loads(Path(result.report).with_suffix(".json").read_text("utf-8"))


def test_a_section_that_breaks_shows_its_failure_and_the_rest_is_rendered(
    ended: tuple[Session, RunResult],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(SECTIONS, "methods", breaks)
    result = after_run("cohortflow run world cohort")(*ended)
    assert result.exit_code == ended[1].exit_code == 3
    sections = report_of(result)["sections"]
    (block,) = sections["methods"]["blocks"]
    assert (block["tone"], block["code"]) == ("error", "report-section-failed")
    assert "section methods" in block["text"]
    assert "ZeroDivisionError: nobody thought of this" in block["text"]
    assert "cohortflow report" in block["hint"]
    others = [
        b.get("code") for name in sections if name != "methods" for b in sections[name]["blocks"]
    ]
    assert "report-section-failed" not in others
    assert sections["timings"]["blocks"][0]["rows"][0]["units"] == 3
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [ZeroDivisionError("unforeseen"), OSError(28, "disk full")])
def test_a_report_that_breaks_leaves_the_run_as_it_ended(
    ended: tuple[Session, RunResult],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def raising(*_: object) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(render, "verdict", raising)
        result = after_run("cohortflow run world cohort")(*ended)
    assert (result.exit_code, result.report) == (3, None)
    assert f"cohortflow report {ended[0].cohort.url} --pipeline world" in caplog.text
    assert "Traceback" in caplog.text
    again = after_run("cohortflow run world cohort")(*ended)
    assert report_of(again)["verdict"]["units"] == {"done": 2, "failed": 1}


def test_tracking_that_breaks_leaves_the_run_and_its_report(
    ended: tuple[Session, RunResult],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(TRACKING_URI, "sqlite:///never-written.db")
    monkeypatch.setattr(tracking, "track_run", breaks)
    with caplog.at_level(logging.ERROR):
        result = after_run("cohortflow run world cohort")(*ended)
    assert result.exit_code == 3
    assert report_of(result)["verdict"]["units_total"] == 3
    assert "not tracked" in caplog.text
