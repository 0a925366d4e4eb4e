"""The main flow as Prefect sees it: one flow run, one task run per batch of a step.

Prefect is told what happens; it decides nothing. The store is the truth.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, State

from cohortflow.pipeline.unit import Unit
from flows.process import AfterRun, process_cohort
from tasks.progress import Progress
from tasks.session import RunRequest, RunResult, Session


@task(
    name="batch",
    task_run_name="{step} {number}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
def batch_task(step: str, number: int, work: Callable[[], dict[str, int]]) -> State[Any]:
    """One batch; its units settle themselves, so the batch completes and says how they ended."""
    counts = work()
    message = ", ".join(f"{n} {state}" for state, n in counts.items())
    return Completed(message=message, name="Completed" if set(counts) <= {"done"} else "PartlyDone")


def run_with_prefect(
    request: RunRequest,
    *,
    stop: threading.Event,
    progress: Progress | None = None,
    after_run: AfterRun | None = None,
) -> RunResult:
    """Process a cohort inside a Prefect flow run."""
    results: list[RunResult] = []

    def batch(session: Session, step: str, units: Sequence[Unit], number: int) -> dict[str, int]:
        counts: dict[str, int] = {}

        def work() -> dict[str, int]:
            counts.update(session.run_batch(step, units))
            return counts

        batch_task(step, number, work)
        return counts

    @flow(
        name="cohort",
        flow_run_name=f"{request.pipeline}",
        persist_result=False,
        validate_parameters=False,
        log_prints=False,
    )
    def cohort(pipeline: str, cohort: str, settings: list[str]) -> State[Any]:
        result = process_cohort(
            request, stop=stop, run_batch=batch, progress=progress, after_run=after_run
        )
        results.append(result)
        message = ", ".join(f"{n} {state}" for state, n in sorted(result.counts.items()))
        return Completed(
            message=message, name="Completed" if result.exit_code == 0 else "PartlyDone"
        )

    cohort(request.pipeline, request.cohort, list(request.settings))
    return results[0]
