"""Render the report of a run and put it beside the cohort."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.run_view import RunView
from cohortflow.pipeline.model import Pipeline
from cohortflow.report.from_run import RunSource
from cohortflow.report.render import render_report

FILES = ("report.html", "report.json")


def report_run(
    cohort: Cohort,
    pipeline: Pipeline,
    command: str,
    *,
    also: Callable[[RunSource, Path], None] = lambda source, page: None,
) -> str:
    """Render the newest run that finished; the address of ``report.html``.

    ``also`` is handed the page as a local file, wherever the cohort is.
    """
    run = RunView(cohort, pipeline.slug)
    source = RunSource(run, pipeline, command=command)
    folder = f"reports/{pipeline.slug}/{run.index.number:06d}"
    with tempfile.TemporaryDirectory(prefix="cohortflow-report-") as temporary:
        render_report(source, Path(temporary))
        for name in FILES:
            cohort.storage.write(f"{folder}/{name}", (Path(temporary) / name).read_bytes())
        also(source, Path(temporary) / FILES[0])
    local = cohort.storage.local_path(f"{folder}/report.html")
    return str(local) if local is not None else f"{cohort.url}/{folder}/report.html"
