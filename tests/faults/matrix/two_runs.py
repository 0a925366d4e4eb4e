"""Two runs on one cohort: of two attempts at one unit exactly one commits, and both are whole."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.maintenance import fsck
from tests.faults.matrix.cell import Cell

REFUSED = 5
SILENCE_S = 3


def wakes(cell: Cell) -> None:
    """A stopped run is taken for dead, another takes over and finishes, the first one wakes."""
    silence = {"COHORTFLOW_SILENCE_S": str(SILENCE_S)}
    first = cell.start("first", plan=cell.plan("wait"), environment=silence)
    cell.reached(first)
    first.signal(signal.SIGSTOP, group=True)
    since = time.time()
    second = cell.start("second", options=("--wait",), environment=silence)
    cell.ends_with(second, 0)
    cell.settled_after(since)
    before = _record(cell, "four-steps")
    cell.let_go()
    first.signal(signal.SIGCONT, group=True)
    cell.ends_with(first, 0, 130)
    cell.check("another run took over" in first.said(), f"unaware: {first.said()[-1500:]}")
    _both_whole(cell, before, torn=True)


def share(cell: Cell) -> None:
    """Two pipelines at once that ask for the same units; one stands in the middle of one."""
    first = cell.start("first", plan=cell.plan("wait"))
    since = cell.reached(first)["time"]
    second = cell.start("second", pipeline="the-same")
    cell.ends_with(second, 0)
    before = _record(cell, "the-same")
    cell.let_go()
    cell.ends_with(first, 0)
    cell.settled_after(since)
    _both_whole(cell, before)


def comes_second(cell: Cell) -> None:
    """A second run of the same pipeline is refused by name, or waits."""
    first = cell.start("first", plan=cell.plan("wait"))
    since = cell.reached(first)["time"]
    refused = cell.start("refused")
    cell.ends_with(refused, REFUSED)
    cell.check("lease-held" in refused.said(), f"not named: {refused.said()[-500:]}")
    waiting = cell.start("waiting", options=("--wait",))
    time.sleep(1)
    cell.check(waiting.process.poll() is None, "it did not wait")
    cell.let_go()
    cell.ends_with(first, 0)
    cell.settled_after(since)
    cell.ends_with(waiting, 0)
    cell.costs_little(apart=False)
    _both_whole(cell, None)


def _record(cell: Cell, slug: str) -> tuple[Path, bytes]:
    """The record of the unit that both runs compute, as it stands now."""
    row = cell.rows(slug)[(cell.step, cell.who)]
    path = cell.cohort / row.ref.path / "entry.json"
    return path, path.read_bytes()


def _both_whole(cell: Cell, before: tuple[Path, bytes] | None, *, torn: bool = False) -> None:
    """``torn``: a worker may have been ended in the middle of a commit, and gc removes that."""
    if before is not None:
        path, record = before
        cell.check(path.read_bytes() == record, "a second attempt took the place of the first")
    found = fsck(open_cohort(cell.cohort))
    left = [one for one in found if not (torn and one.code in ("orphan", "leftover"))]
    cell.check(not left, f"left behind: {left}")
    cell.others_are_done(None)
    cell.all_whole()
    cell.heals(exactly=True)
