"""Process a cohort through a pipeline: the main flow.

Prefect knows the flow and its batches; the units of a batch are Dask's, and the store's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from cohortflow.cohort.leases import Lease, holder
from cohortflow.cohort.open_storage import open_storage
from cohortflow.errors import Cancelled
from cohortflow.pipeline.unit import Unit
from tasks.planning import Planned
from tasks.progress import Progress
from tasks.request import RunRequest, RunResult
from tasks.session import Session

log = logging.getLogger(__name__)

RunBatch = Callable[[Session, str, Sequence[Unit], int], dict[str, int]]
AfterRun = Callable[[Session, RunResult], RunResult]


def process_cohort(
    request: RunRequest,
    *,
    stop: threading.Event | None = None,
    run_batch: RunBatch | None = None,
    progress: Progress | None = None,
    after_run: AfterRun | None = None,
    planned: Planned | None = None,
) -> RunResult:
    """Run every step over every subject, batch by batch, under a lease. Knows no Prefect.

    ``planned``: a plan made just before, taken where it still stands.
    """
    run_batch = run_batch or _plain_batch
    run = Session(request, stop=stop, progress=progress, planned=planned)
    with run as session, _lease(session) as lease:
        lease.on_lost = lambda: _stop(session)
        session.begin()
        for step in session.pipeline.steps:
            for number, units in enumerate(session.batches(step.id)):
                run_batch(session, step.id, units, number)
                if lease.lost:
                    _stop(session)
            session.close_step(step.id)
            if session.stop.is_set():
                break
        result = session.finish()
        if after_run is not None and not result.cancelled:
            result = after_run(session, result)
    return result


def _stop(session: Session) -> None:
    if not session.stop.is_set():
        log.warning("another run took over while this one was silent: stopping")
        session.stop.set()


def _lease(session: Session) -> Lease:
    """The lease of this pipeline on this cohort; waiting for it ends when the run is stopped."""
    # Not the patient one: a beat that waits is a beat too late.
    storage, slug = open_storage(session.request.cohort), session.pipeline.slug
    who = holder(storage, slug) if session.request.wait else None
    if who is not None:
        log.info(
            "waiting for run %s of process %s on %s",
            who.get("run"),
            who.get("pid"),
            who.get("host"),
        )

    def pause(seconds: float) -> None:
        if session.stop.wait(seconds):
            raise Cancelled("stopped while waiting for another run of this pipeline")

    return Lease.acquire(
        storage,
        slug,
        run_id=session.run_id,
        wait=session.request.wait,
        silence_s=session.patience.silence_s,
        sleep=pause,
    )


def _plain_batch(session: Session, step: str, units: Sequence[Unit], number: int) -> dict[str, int]:
    return session.run_batch(step, units)
