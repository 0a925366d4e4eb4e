"""The main flow as Prefect sees it: one flow run, one task run per batch of a step.

Prefect is told what happens; it decides nothing. The store is the truth, and a run goes on where
Prefect cannot be reached.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from cohortflow.errors import Cancelled as Stopped
from cohortflow.errors import CohortflowError
from cohortflow.pipeline.unit import Unit
from flows.addresses import prefect_pages
from flows.artifacts import shown_in_prefect
from flows.process import AfterRun, process_cohort
from flows.telling import Telling, cancellable, reach
from tasks.progress import Progress
from tasks.request import RunRequest, RunResult
from tasks.session import Session

PLAIN: dict[str, Any] = {
    "persist_result": False,
    "validate_parameters": False,
    "log_prints": False,
}
"""Of every flow: Prefect keeps no result, checks no parameter and takes no print."""


@task(
    name="batch",
    task_run_name="{step} {number}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
def batch_task(step: str, number: int, work: Callable[[], dict[str, int]]) -> State[Any]:
    """One batch; its units settle themselves, so the batch completes and says how they ended."""
    try:
        counts = work()
    except CohortflowError as error:
        return _ended_by(error)
    if "cancelled" in counts:
        return Cancelled(message=_text(counts))
    return _completed(counts, whole=set(counts) <= {"done"})


def run_with_prefect(
    request: RunRequest,
    *,
    stop: threading.Event,
    progress: Progress | None = None,
    after_run: AfterRun | None = None,
) -> RunResult:
    """Process a cohort inside a Prefect flow run; without one where Prefect is away."""
    told = Telling()
    on_sigterm = signal.getsignal(signal.SIGTERM)
    slug = Path(request.pipeline).stem  # of a file its name alone: its folder may say whose study

    def through_prefect(work: Callable[[], RunResult]) -> None:
        @flow(name="cohort", flow_run_name=slug, **PLAIN)
        def cohort(pipeline: str, settings: list[str]) -> State[Any]:
            return _state_of(work, stop, on_sigterm)

        reach(stop)
        cohort(slug, list(request.settings), return_state=True)

    return told(through_prefect, lambda: _process(request, told, stop, progress, after_run))


def run_in_flow(
    request: RunRequest,
    *,
    stop: threading.Event,
    progress: Progress | None = None,
    after_run: AfterRun | None = None,
) -> State[Any]:
    """Process a cohort inside the flow run that Prefect has started; how it ended."""
    on_sigterm = signal.getsignal(signal.SIGTERM)
    told = Telling()
    return _state_of(lambda: _process(request, told, stop, progress, after_run), stop, on_sigterm)


def _process(
    request: RunRequest,
    told: Telling,
    stop: threading.Event,
    progress: Progress | None,
    after_run: AfterRun | None,
) -> RunResult:
    with shown_in_prefect(Path(request.pipeline).stem, progress) as artifacts:

        def batch(
            session: Session, step: str, units: Sequence[Unit], number: int
        ) -> dict[str, int]:
            artifacts.begin(session)
            return told(
                lambda work: batch_task(step, number, work, return_state=True),
                lambda: session.run_batch(step, units),
            )

        def after(session: Session, result: RunResult) -> RunResult:
            result = replace(result, prefect_page=_page())
            result = after_run(session, result) if after_run is not None else result
            artifacts.end(session, result)
            return result

        return process_cohort(
            request, stop=stop, run_batch=batch, progress=progress, after_run=after
        )


def _page() -> str | None:
    """The page of the flow run that this is called in; None where no server shows it."""
    pages, run = prefect_pages(), flow_run.id
    return f"{pages}/runs/flow-run/{run}" if pages and run else None


def _state_of(work: Callable[[], RunResult], stop: threading.Event, on_sigterm: Any) -> State[Any]:
    try:
        with cancellable(stop, on_sigterm):
            result = work()
    except CohortflowError as error:
        return _ended_by(error)
    if result.cancelled:
        return Cancelled(message=_text(result.counts))
    return _completed(result.counts, whole=result.exit_code == 0)


def _completed(counts: dict[str, int], *, whole: bool) -> State[Any]:
    return Completed(message=_text(counts), name="Completed" if whole else "PartlyDone")


def _ended_by(error: CohortflowError) -> State[Any]:
    """Of a named error its code and message, without the places it names."""
    ended = Cancelled if isinstance(error, Stopped) else Failed
    return ended(message=f"{error.code}: {error.message}")


def _text(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
