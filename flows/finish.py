"""What follows a run that changed something: the report, then tracking."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from cohortflow.report.source import ReportSource
from tasks.reporting import report_run
from tasks.session import RunResult, Session

TRACKING_URI = "COHORTFLOW_TRACKING"
"""``off``, or the address of an MLflow server; unset: SQLite beside the source maps."""


def after_run(command: str) -> Callable[[Session, RunResult], RunResult]:
    """Render the report of a run that changed a state, and hand it to MLflow."""

    def finish(session: Session, result: RunResult) -> RunResult:
        if not result.changed or not result.counts:
            return dataclasses.replace(result, report=_standing_report(session))
        source, page = report_run(session.cohort, session.pipeline, command)
        if os.environ.get(TRACKING_URI) != "off" and Path(page).is_file():
            _track(source, Path(page), session)
        return dataclasses.replace(result, report=page)

    return finish


def _standing_report(session: Session) -> str | None:
    folder = session.cohort.storage.local_path(f"reports/{session.pipeline.slug}")
    pages = sorted(folder.glob("*/report.html")) if folder is not None and folder.is_dir() else []
    return str(pages[-1]) if pages else None


def _track(source: ReportSource, page: Path, session: Session) -> None:
    from tasks.tracking import track_run

    track_run(
        source,
        page,
        uri=os.environ.get(TRACKING_URI),
        experiment=session.pipeline.slug,
        run_id=session.run_id,
    )
