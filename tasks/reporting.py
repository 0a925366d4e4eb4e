"""Render the report of a run and put it beside the cohort."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.run_view import RunView
from cohortflow.pipeline.model import Pipeline
from cohortflow.report.from_run import RunSource
from cohortflow.report.render import render_report

FILES = ("report.html", "report.json")


def report_run(cohort: Cohort, pipeline: Pipeline, command: str) -> tuple[RunSource, str]:
    """Render the newest run; returns its source and the address of ``report.html``."""
    run = RunView(cohort, pipeline.slug)
    source = RunSource(run, pipeline, command=command)
    folder = f"reports/{pipeline.slug}/{run.index.number:06d}"
    with tempfile.TemporaryDirectory(prefix="cohortflow-report-") as temporary:
        render_report(source, Path(temporary))
        for name in FILES:
            cohort.storage.write(f"{folder}/{name}", (Path(temporary) / name).read_bytes())
    local = cohort.storage.local_path(f"{folder}/report.html")
    return source, str(local) if local is not None else f"{cohort.url}/{folder}/report.html"
