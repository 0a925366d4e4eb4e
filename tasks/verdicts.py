"""Errors of units that could not speak for themselves, in the engine's words."""

from __future__ import annotations

from cohortflow.errors import OutOfMemory, StageFailed, UnitTimeout, WorkerLost


def not_started(worker: str, reason: str) -> StageFailed:
    """The unit could not be sent, read or imported over there."""
    return StageFailed(
        "the unit could not be started on its worker",
        where=worker,
        found=reason,
        hint="The workers' Python must have the same cohortflow installed as the flow's.",
    )


def worker_lost(worker: str, *, memory: bool) -> WorkerLost:
    """The worker process ended under the unit."""
    if memory:
        return OutOfMemory(
            "its worker process exceeded its memory limit and was ended",
            where=worker,
            hint="Give each worker more memory (--memory), or run fewer of them (--workers).",
        )
    return WorkerLost(
        "its worker process died",
        where=worker,
        hint="A crash in native code, or the system ran out of memory and ended it (see dmesg).",
    )


def no_worker(seconds: float) -> WorkerLost:
    """All workers are gone and none came back."""
    return WorkerLost(
        f"no worker for {seconds:.0f} s",
        hint="Look at the workers' own output; then run again: finished units are kept.",
    )


def timed_out(unit: str, limit_s: float) -> UnitTimeout:
    """The unit did not end within its limit, counted from its own start."""
    return UnitTimeout(
        f"not finished {limit_s:g} s after its start; its worker process was replaced",
        where=unit,
        hint="Give the step a longer time-out, or look at the unit's log for where it hangs.",
    )
