"""What follows a run: the report and its tracking where something changed; the page of the runs."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cohortflow.cohort.documents import numbers
from cohortflow.errors import CohortflowError, ReportFailed
from cohortflow.report.source import ReportSource
from flows.addresses import report_page
from tasks.cohort_pages import write_cohort_page
from tasks.nights import night_of
from tasks.reporting import report_run
from tasks.request import RunResult
from tasks.session import Session

if TYPE_CHECKING:
    from tasks.tracking import TrackingResult

log = logging.getLogger(__name__)

TRACKING_URI = "COHORTFLOW_TRACKING"
"""``off``, or the address of an MLflow server; unset: SQLite beside the source maps."""


def after_run(command: str) -> Callable[[Session, RunResult], RunResult]:
    """Render the report of a run that changed a state, and hand it to MLflow; then the pages.

    The run has ended and its index is written: nothing that goes wrong here changes how it ended.
    """

    def finish(session: Session, result: RunResult) -> RunResult:
        again = f"cohortflow report {session.cohort.url} --pipeline {session.pipeline.slug}"
        with _run_stands(f"no report was rendered [{ReportFailed.code}]; {again} renders it"):
            result = _report(session, result, command)
        with _run_stands("the page of the runs was not written"):
            night_of(session, result)
        if result.changed:
            with _run_stands("the page of the cohort was not written"):
                write_cohort_page(session.cohort)
        return result

    return finish


@contextlib.contextmanager
def _run_stands(told: str) -> Iterator[None]:
    """The boundary of what follows a run: an error is told in the log,
    and is no error of the run."""
    try:
        yield
    except CohortflowError as error:
        log.error("%s: %s [%s]", told, error, error.code)
    except Exception:
        log.exception(told)


def _report(session: Session, result: RunResult, command: str) -> RunResult:
    standing = _standing_report(session, result)
    if not result.counts or (not result.changed and standing is not None):
        return dataclasses.replace(result, report=standing)
    tracked: list[TrackingResult] = []

    def track(source: ReportSource, page: Path) -> None:
        if _tracks():
            with _run_stands("not tracked"):
                tracked.append(_track(source, page, session))

    links = _links(session, result)
    report = report_run(session.cohort, session.pipeline, command, links=links, also=track)
    mlflow = tracked[0].page if tracked else None
    return dataclasses.replace(result, report=report, mlflow_page=mlflow)


def _links(session: Session, result: RunResult) -> dict[str, str]:
    """Pages of this run elsewhere. MLflow has no run yet: its page is one that will find it."""
    links = {"Prefect": result.prefect_page}
    if _tracks():
        with _run_stands("the report has no link to MLflow"):
            from tasks.tracking import search_page

            uri, experiment = os.environ.get(TRACKING_URI), session.pipeline.slug
            links["MLflow"] = search_page(uri=uri, experiment=experiment, run_id=session.run_id)
    return {name: page for name, page in links.items() if page}


def _tracks() -> bool:
    return os.environ.get(TRACKING_URI) != "off"


def _standing_report(session: Session, result: RunResult) -> str | None:
    """The report of the last run that changed something; None where it was never rendered."""
    storage, slug = session.cohort.storage, session.pipeline.slug
    newest = max(numbers(storage, f"reports/{slug}"), default=0)
    if newest < session.changed_in(result):
        return None
    path = f"reports/{slug}/{newest:06d}/report.html"
    local = storage.local_path(path)
    return str(local) if local is not None else f"{session.cohort.url}/{path}"


def _track(source: ReportSource, page: Path, session: Session) -> TrackingResult:
    from tasks.tracking import track_run

    slug, index = session.pipeline.slug, int(source.environment["index"])
    return track_run(
        source,
        page,
        uri=os.environ.get(TRACKING_URI),
        experiment=slug,
        run_id=session.run_id,
        shown_at=report_page(f"{slug}/{index:06d}/report.html", os.environ),
    )
