"""The demo: a generated cohort through the whole main pipeline, with no server and no download."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from cohortflow.phantoms.ar1 import write_ar1_cohort
from flows.ingest import IngestRequest, ingest_source
from tasks.session import RunRequest, RunResult

FULL = (
    "axes.degree=[0, 1, 2]",
    "diagrams.max_degree=2",
    "axes.seed=[0, 1, 2, 3, 4]",
    "classify.epochs=100",
    "classify_correlation.epochs=100",
)


def run_demo(folder: Path, *, full: bool, run: Callable[[RunRequest], RunResult]) -> RunResult:
    """Generate, ingest, run, and leave ``report.html`` in ``folder``; resumes an interrupted one."""
    source, cohort = folder / "source", folder / "cohort"
    if not (source / "participants.tsv").is_file():
        write_ar1_cohort(source)
    ingest_source(IngestRequest(str(source), str(cohort), {"atlas": str(source / "atlas.tsv")}))
    request = RunRequest("demo-persistent-homology", str(cohort), settings=FULL if full else ())
    result = run(request)
    if result.report is not None:
        for name in ("report.html", "report.json"):
            shutil.copyfile(Path(result.report).with_name(name), folder / name)
    return result
