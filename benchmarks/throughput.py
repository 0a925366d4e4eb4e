"""Units of ten milliseconds on two workers: plan, engine, store and index, beside bare Dask."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks._cohorts import records_only
from benchmarks._results import Row, measure, save, show
from benchmarks._stages import CATALOGUE, compute
from cohortflow.pipeline.document import load_document
from cohortflow.pipeline.parse import parse_pipeline
from tasks.request import RunRequest
from tasks.session import Session

PIPELINE = "title: ten milliseconds\ninputs: {series: roi_series}\nsteps:\n  - {stage}\n"
WORKERS = 2


def dask_map(units: int, repeat: int) -> Row:
    """``Client.map`` over as many worker processes, one task a unit, nothing stored."""
    from distributed import Client, LocalCluster

    address = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, **address)
    with cluster, Client(cluster) as client:

        def work() -> None:
            client.gather(client.map(compute, range(units), pure=False))

        return measure("dask .map, nothing stored", units, work, repeat)


def cohortflow_run(stage: str, units: int, repeat: int, note: str) -> Row:
    """The same work as units of a step: planned, run, committed, logged, in the index."""
    row = Row(f"cohortflow, {note}", units, note="with plan, commit, log and index")
    for _ in range(repeat):
        with tempfile.TemporaryDirectory(prefix="cohortflow-bench-") as folder:
            row.seconds.append(_run_once(Path(folder) / "cohort", stage, units))
    return row


def _run_once(folder: Path, stage: str, units: int) -> float:
    cohort = records_only(folder, units)
    document = load_document(PIPELINE.replace("{stage}", stage), "ten.yaml")
    pipeline = parse_pipeline(document, "ten", CATALOGUE)
    request = RunRequest("ten", cohort.url, workers=WORKERS, threads=1)
    with Session(request, pipeline=pipeline, catalogue="benchmarks._stages:CATALOGUE") as session:
        planning = measure("", units, session.begin)
        session.engine()  # workers start once a run, not once a unit

        def work() -> None:
            for step in pipeline.steps:
                for batch in session.batches(step.id):
                    session.run_batch(step.id, batch)
                session.close_step(step.id)

        working = measure("", units, work)
        counts = session.finish().counts
    if counts != {"done": units}:
        raise RuntimeError(f"not every unit came out: {counts}")
    return planning.best + working.best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cohortflow-bench-") as home:
        os.environ |= {"COHORTFLOW_HOME": f"{home}/private"}
        peer = dask_map(options.units, options.repeat)
        ours = cohortflow_run("ten_milliseconds", options.units, options.repeat, "no array")
    show([peer, ours], peer)
    save("throughput", [peer, ours], vars(options))


if __name__ == "__main__":
    main()
