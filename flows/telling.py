"""Telling Prefect without depending on it: work is done once, whatever becomes of the telling."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect import get_client
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from cohortflow.errors import Cancelled
from flows.own_server import apart

log = logging.getLogger(__name__)

AWAY = (PrefectException, httpx.HTTPError, RuntimeError, OSError)
"""What Prefect raises where its server does not start, does not answer or refuses."""
LOOK_S = 5.0

Result = TypeVar("Result")


class Telling:
    """Work that Prefect is told of, until it is away for the first time."""

    def __init__(self) -> None:
        self.away = False

    def __call__(
        self, through_prefect: Callable[[Callable[[], Result]], object], work: Callable[[], Result]
    ) -> Result:
        """What ``work`` returns or raises. It runs once: in ``through_prefect``, or else alone."""
        results: list[Result] = []
        errors: list[BaseException] = []

        def once() -> Result:
            try:
                results.append(work())
            except BaseException as error:
                errors.append(error)
                raise
            return results[0]

        if self.away:
            return work()
        try:
            through_prefect(once)
        except AWAY as error:
            if not errors:
                self.away = True
                log.warning("Prefect could not be told, the run goes on: %s", _first_line(error))
        if errors:
            raise errors[0]
        return results[0] if results else work()


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def reach(stop: threading.Event) -> None:
    """Open Prefect's API once, which starts a server of this process where none is set."""
    errors: list[Exception] = []

    def open_once() -> None:
        try:
            with apart(), get_client(sync_client=True):
                pass
        except AWAY as error:
            errors.append(error)

    thread = threading.Thread(target=open_once, name="prefect", daemon=True)
    thread.start()
    while thread.is_alive():
        if stop.wait(0.05):
            raise Cancelled("stopped before anything ran")
    if errors:
        raise errors[0]


@contextlib.contextmanager
def cancellable(stop: threading.Event, on_sigterm: Any) -> Iterator[None]:
    """Inside a flow run: *Cancel* in the UI sets ``stop``, and SIGTERM does what it did before."""
    ended = threading.Event()
    if PREFECT_API_URL.value() and flow_run.id:  # nobody can reach a server of this process
        watch = threading.Thread(
            target=_watch, args=(stop, ended, UUID(flow_run.id)), name="cancelled?", daemon=True
        )
        watch.start()
    if callable(on_sigterm) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)  # Prefect's own would crash the run
    try:
        yield
    finally:
        ended.set()


def _watch(stop: threading.Event, ended: threading.Event, run: UUID) -> None:
    while not ended.wait(LOOK_S):
        try:
            with get_client(sync_client=True) as client:
                state = client.read_flow_run(run).state
        except AWAY:
            continue  # away for now
        if state is not None and (state.is_cancelling() or state.is_cancelled()):
            log.warning("cancelled in Prefect: stopping, finished units are kept")
            stop.set()
            return
