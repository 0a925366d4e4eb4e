"""A run is ended from outside: nothing is torn, little is lost, the same command goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence

from tests.faults.matrix.cell import Cell

INTERRUPTED = 130


def killed(*, group: bool, options: Sequence[str] = ()) -> Callable[[Cell], None]:
    """SIGKILL, which no process can prepare for."""

    def play(cell: Cell) -> None:
        run = cell.start(
            "fault", plan=cell.plan("wait"), options=options, environment=_prefect(cell)
        )
        cell.reached(run)
        since = time.time()
        run.signal(signal.SIGKILL, group=group)
        cell.leaves_nothing(run)
        cell.settled_s = time.time() - since
        run.wait(10)
        cell.all_whole()
        cell.heals(exactly=True)
        cell.costs_little(apart=False)

    return play


def asked_to_end(
    number: signal.Signals, *, group: bool, options: Sequence[str] = ()
) -> Callable[[Cell], None]:
    """A signal that asks: the run ends by itself, in seconds, and says how to go on."""

    def play(cell: Cell) -> None:
        run = cell.start(
            "fault", plan=cell.plan("wait"), options=options, environment=_prefect(cell)
        )
        cell.reached(run)
        since = time.time()
        run.signal(number, group=group)
        cell.ends_with(run, INTERRUPTED)
        cell.settled_s = time.time() - since
        cell.check("Traceback" not in run.said(), f"a traceback: {run.said()[-1500:]}")
        cell.check("goes on from here" in run.said(), "it does not say how to go on")
        cell.all_whole()
        cell.heals(exactly=True)
        cell.costs_little(apart=False)

    return play


def _prefect(cell: Cell) -> dict[str, str]:
    return {"PREFECT_HOME": str(cell.folder / "prefect"), "DO_NOT_TRACK": "true"}
