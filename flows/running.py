"""A run as the command line starts it: progress, signals, report and tracking around the flow."""

from __future__ import annotations

import contextlib
import logging
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from cohortflow.errors import Cancelled

log = logging.getLogger(__name__)


def run_request(request: Any, *, prefect: bool, after: Callable[[str], Any] | None = None) -> Any:
    """Run with progress, signals, report and tracking.

    ``after``: what follows the run, made of the command; by default its report and tracking.

    The plan is made first: a faulty pipeline is told, and a run that has nothing to compute ends,
    without waiting for Prefect to start.
    """
    from cohortflow.pipeline.estimate import project
    from flows.finish import after_run
    from tasks.planning import look
    from tasks.progress import Progress

    command = shlex.join(["cohortflow", *sys.argv[1:]])
    with stopped_by_signals() as stop, Progress() as progress:
        planned = look(request)
        if stop.is_set():
            raise Cancelled("stopped before anything ran")
        common: dict[str, Any] = {
            "stop": stop,
            "progress": progress,
            "after_run": (after or after_run)(command),
        }
        if prefect and project(planned.plan).units:
            from flows.cohort import run_with_prefect

            return run_with_prefect(request, **common)
        from flows.process import process_cohort

        return process_cohort(request, planned=planned, **common)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """The first Ctrl-C or SIGTERM ends the run cleanly, the second at once."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        log.warning("stopping: finished units are kept; once more to stop at once")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
