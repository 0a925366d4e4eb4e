"""Cost per unit of engine and store when a unit does nothing, beside Prefect's own ``.map``."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path

HOME = tempfile.TemporaryDirectory(prefix="cohortflow-bench-")
os.environ["PREFECT_HOME"] = HOME.name
os.environ.pop("PREFECT_API_URL", None)

from flows.environment import set_defaults  # noqa: E402 - before Prefect is imported

set_defaults()

from benchmarks._cohorts import records_only  # noqa: E402
from benchmarks._results import Row, save, show  # noqa: E402
from benchmarks._stages import CATALOGUE  # noqa: E402
from cohortflow.pipeline.document import load_document  # noqa: E402
from cohortflow.pipeline.parse import parse_pipeline  # noqa: E402
from tasks.request import RunRequest  # noqa: E402
from tasks.session import Session  # noqa: E402

PIPELINE = "title: nothing\ninputs: {{series: roi_series}}\nsteps:\n  - {stage}\n"


def prefect_map(units: int, repeat: int) -> Row:
    """Bare Prefect: one task per unit by ``.map`` in the default thread pool, nothing stored."""
    from prefect import flow, task, unmapped
    from prefect.cache_policies import NO_CACHE

    @task(cache_policy=NO_CACHE, persist_result=False)
    def nothing(subject: int, cohort: str) -> None:
        return None

    row = Row("prefect .map, nothing stored", units)

    @flow
    def bare(subjects: list[int]) -> None:
        started = time.perf_counter()
        nothing.map(subjects, cohort=unmapped("somewhere")).result()
        row.seconds.append(time.perf_counter() - started)

    for _ in range(repeat):
        bare(list(range(units)))
    return row


def cohortflow_run(name: str, stage: str, cluster: str, units: int, repeat: int) -> Row:
    """Engine, store and index: plan, run every unit, commit it, write the index."""
    row = Row(name, units, note="with plan, commit, log and index")
    for _ in range(repeat):
        with tempfile.TemporaryDirectory(prefix="cohortflow-bench-") as folder:
            row.seconds.append(_run_once(Path(folder) / "cohort", stage, cluster, units))
    return row


def _run_once(folder: Path, stage: str, cluster: str, units: int) -> float:
    cohort = records_only(folder, units)
    document = load_document(PIPELINE.format(stage=stage), "nothing.yaml")
    pipeline = parse_pipeline(document, "nothing", CATALOGUE)
    request = RunRequest("nothing", cohort.url, cluster=cluster)
    catalogue = "benchmarks._stages:CATALOGUE"
    with Session(request, pipeline=pipeline, catalogue=catalogue) as session:
        started = time.perf_counter()
        session.begin()
        planned = time.perf_counter() - started
        session.engine()  # workers start once a run, not once a unit
        started = time.perf_counter()
        for step in pipeline.steps:
            for batch in session.batches(step.id):
                session.run_batch(step.id, batch)
            session.close_step(step.id)
        result = session.finish()
        seconds = planned + time.perf_counter() - started
    if result.counts != {"done": units}:
        raise RuntimeError(f"not every unit came out: {result.counts}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    cases = [
        (f"cohortflow, {what}, {where}", stage, cluster)
        for cluster, where in (("local", "worker processes"), ("none", "own process"))
        for stage, what in (("no_array", "no array"), ("small_array", "one 2 kB array"))
    ]
    peer = prefect_map(options.units, options.repeat)
    for handler in logging.getLogger().handlers:  # Prefect's, on the terminal
        handler.setLevel(logging.WARNING)
    rows = [cohortflow_run(*case, options.units, options.repeat) for case in cases]
    show([peer, *rows], peer)
    save("overhead", [peer, *rows], vars(options))


if __name__ == "__main__":
    main()
