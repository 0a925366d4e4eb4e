"""What runs inside a worker process: a few units, one after the other, and their outcomes.

Nothing here may import Prefect, and units arrive as the *name* of a function plus JSON-able specs,
so that a worker needs no object of the flow process.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from cohortflow.errors import CohortflowError, StageFailed
from tasks.peak_memory import peak_memory_bytes
from tasks.teller import Teller

Outcome = dict[str, Any]
UnitFunction = Callable[[dict[str, Any]], Outcome]

FLOW_PID = "COHORTFLOW_FLOW_PID"
_PR_SET_PDEATHSIG = 1


@cache
def load_function(name: str) -> UnitFunction:
    """The function called ``package.module:function``."""
    module, _, attribute = name.partition(":")
    function: UnitFunction = getattr(importlib.import_module(module), attribute)
    return function


def failed_outcome(
    spec: dict[str, Any],
    error: CohortflowError,
    *,
    seconds: float = 0.0,
    details: str = "",
) -> Outcome:
    """Outcome of a unit that could not speak for itself; ``by: engine`` tells it from its own."""
    named = {**error.to_json(), "transient": error.transient, "traceback": details}
    return {
        "key": spec.get("key"),
        "step": spec.get("step"),
        "subject": spec.get("subject"),
        "state": "failed",
        "error": named,
        "seconds": seconds,
        "warnings": [],
        "by": "engine",
    }


def run_one(function: str, spec: dict[str, Any]) -> Outcome:
    """Run one unit; whatever it raises becomes a failed outcome.
    Adds this process's peak memory."""
    started = time.perf_counter()
    try:
        outcome = load_function(function)(spec)
        json.dumps(outcome)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary of a unit
        named = error if isinstance(error, CohortflowError) else _unexpected(function, error)
        details = traceback.format_exc()
        seconds = time.perf_counter() - started
        outcome = failed_outcome(spec, named, seconds=seconds, details=details)
    return {**outcome, "peak_memory_bytes": peak_memory_bytes()}


def _unexpected(function: str, error: BaseException) -> CohortflowError:
    return StageFailed(
        f"{type(error).__name__}: {error}",
        where=function,
        hint="The unit's own error handling was bypassed; the traceback is kept with the failure.",
    )


def run_chunk(function: str, flight: str, topic: str, specs: Sequence[dict[str, Any]]) -> None:
    """Run units one after the other in this worker, telling the flow of each as it settles.

    Outcomes travel as events, in order and ahead of the task's own end: the flow knows which unit a
    dead worker was at, and needs no second round trip to fetch results.
    """
    from distributed import get_worker

    teller = Teller(get_worker(), topic)
    teller.tell(flight, -1, "", at_once=True)
    for position, spec in enumerate(specs):
        outcome = run_one(function, spec)
        notable = position == len(specs) - 1 or outcome["state"] != "done"
        teller.tell(flight, position, json.dumps(outcome), at_once=notable)


def dask_setup(worker: Any) -> None:
    """Preload hook of our own worker processes: live no longer than the flow,
    leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _leave_no_locks()
    _die_with_parent()
    _import_early()


def _import_early() -> None:
    """Import what every unit needs before a worker is given any: a unit's clock runs for itself."""
    for name in ("cohortflow.pipeline.execute", "cohortflow.cohort.arrays", "zarr.storage"):
        importlib.import_module(name)


def _leave_no_locks() -> None:
    """Locks without names: a killed worker cannot remove those, and each would be complained of.

    Workers start no processes, but numcodecs makes a lock in each.
    """
    if "fork" in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("fork", force=True)


def _die_with_parent() -> None:
    if not sys.platform.startswith("linux"):
        return  # elsewhere Dask's own pipe to the parent ends the worker, if later
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    flow = os.environ.get(FLOW_PID)
    if flow and os.getppid() != int(flow):
        os._exit(1)  # the flow died before the line above
