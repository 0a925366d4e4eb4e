"""The demo: a generated cohort through the whole main pipeline, with no server and no download."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from cohortflow.phantoms.ar1 import write_ar1_cohort
from flows.ingest import IngestRequest, ingest_source
from tasks.request import RunRequest, RunResult

NETWORKS = {"DMN": 34, "FP": 21, "OP": 22, "SM": 33, "CO": 32, "CB": 18}
"""Regions by network, as in the Dosenbach atlas."""

FULL_SETTINGS = (
    f"axes.network=[{', '.join(NETWORKS)}]",
    "axes.degree=[0, 1, 2]",
    "diagrams.max_degree=2",
    "axes.seed=[0, 1, 2, 3, 4]",
    "classify.epochs=100",
    "classify_correlation.epochs=100",
    "peak.epochs=100",
)


def run_demo(folder: Path, *, full: bool, run: Callable[[RunRequest], RunResult]) -> RunResult:
    """Generate, ingest, run, and leave ``report.html`` in ``folder``; resumes an interrupted one.

    ``full``: the size of the published study, 160 regions in six networks, H0 to H2, five seeds.
    """
    name = "-full" if full else ""
    source, cohort = folder / f"source{name}", folder / f"cohort{name}"
    if not (source / "participants.tsv").is_file():
        _generate(source, full=full)
    ingest_source(IngestRequest(str(source), str(cohort), {"atlas": str(source / "atlas.tsv")}))
    request = RunRequest(
        "demo-persistent-homology", str(cohort), settings=FULL_SETTINGS if full else ()
    )
    result = run(request)
    if result.report is not None:  # a run that was stopped has none
        for suffix in ("html", "json"):
            copy = folder / f"report{name}.{suffix}"
            shutil.copyfile(Path(result.report).with_suffix(f".{suffix}"), copy)
    return result


def _generate(source: Path, *, full: bool) -> None:
    if not full:
        write_ar1_cohort(source)
        return
    starts = [sum(list(NETWORKS.values())[:i]) for i in range(len(NETWORKS))]
    affected = tuple(start + step for start in starts for step in (2, 5, 9))
    sizes = tuple(NETWORKS.values())
    write_ar1_cohort(
        source, networks=tuple(NETWORKS), sizes=sizes, regions=sum(sizes), affected=affected
    )
