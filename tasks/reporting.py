"""Render the report of a run and put it beside the cohort."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pydantic

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.documents import read_document
from cohortflow.cohort.run_view import RunView
from cohortflow.errors import CohortflowError
from cohortflow.pipeline.model import Pipeline
from cohortflow.report.from_run import RunSource
from cohortflow.report.render import render_report
from cohortflow.reproduction.describe import manifest_of
from tasks.subject_pages import write_subject_pages

log = logging.getLogger(__name__)

FILES = ("report.html", "report.json")


def report_run(
    cohort: Cohort,
    pipeline: Pipeline,
    command: str,
    *,
    links: Mapping[str, str] | None = None,
    also: Callable[[RunSource, Path], None] = lambda source, page: None,
) -> str:
    """Render the newest run that finished; the address of ``report.html``.

    ``links``: addresses of the run's pages elsewhere; a report that is rendered again keeps its
    own. ``also`` is handed the page as a local file, wherever the cohort is.
    """
    run = RunView(cohort, pipeline.slug)
    folder = f"reports/{pipeline.slug}/{run.index.number:06d}"
    known = _known_links(cohort, folder) if links is None else links
    pages = partial(write_subject_pages, cohort)
    source = RunSource(run, pipeline, command=command, links=known, pages=pages)
    with tempfile.TemporaryDirectory(prefix="cohortflow-report-") as temporary:
        render_report(source, Path(temporary), _manifest(run, pipeline))
        for name in FILES:
            cohort.storage.write(f"{folder}/{name}", (Path(temporary) / name).read_bytes())
        also(source, Path(temporary) / FILES[0])
    local = cohort.storage.local_path(f"{folder}/report.html")
    return str(local) if local is not None else f"{cohort.url}/{folder}/report.html"


def _manifest(run: RunView, pipeline: Pipeline) -> dict[str, Any] | None:
    """How the run was computed; None, and a report nobody can reproduce, where it is not known."""
    try:
        manifest = manifest_of(run, pipeline)
    except (CohortflowError, pydantic.ValidationError) as error:
        log.warning("this report cannot be computed again: %s", error)
        return None
    return None if manifest is None else manifest.model_dump(mode="json")


def _known_links(cohort: Cohort, folder: str) -> dict[str, str]:
    if not cohort.storage.exists(f"{folder}/report.json"):
        return {}
    report = read_document(cohort.storage, f"{folder}/report.json")
    return dict(report["environment"].get("links", {}))
