"""The store goes away under a run, and comes back: during the run, or only after it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.matrix import patches
from tests.faults.matrix.cell import Cell

AWAY_S = 3.0
DISK_MIB = 24


def vanishes(cell: Cell) -> None:
    """The cohort's folder is gone, as a disk that is unmounted."""
    aside = cell.folder / "aside"

    def leave() -> None:
        cell.cohort.rename(aside)

    def return_() -> None:
        cell.check(not cell.cohort.exists(), "something was written where the store had been")
        aside.rename(cell.cohort)

    _away(cell, leave, return_, "store-unavailable")


def fills_up(cell: Cell) -> None:
    """The disk has no byte left, and then it has."""
    with _small_disk(cell):
        filler = cell.cohort.parent / "filler"

        def leave() -> None:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                for size in (2**16, 2**9, 1) if patches.DISK not in cell.environment else ():
                    with contextlib.suppress(OSError):
                        while file.write(b"x" * size):
                            pass

        _away(cell, leave, filler.unlink, "disk-full")


def _away(cell: Cell, leave: Callable[[], None], return_: Callable[[], None], code: str) -> None:
    """Even seeds: back after seconds, the run goes on. Odd ones: back after the run has ended."""
    run = cell.start("fault", plan=cell.plan("wait"))
    cell.reached(run)
    since = time.time()
    leave()
    cell.let_go()
    if cell.lasting:
        cell.ends_with(run, 1, 3)
        cell.settled_s = time.time() - since
        return_()
        cell.check(code in run.said(), f"not named: {run.said()[-1500:]}")
        cell.check("Traceback" not in run.said(), f"a traceback: {run.said()[-1500:]}")
    else:
        time.sleep(AWAY_S)
        return_()
        cell.ends_with(run, 0)
        cell.others_are_done(None)
        cell.settled_after(since)
    cell.all_whole()
    cell.heals(exactly=True)


@contextlib.contextmanager
def _small_disk(cell: Cell) -> Iterator[None]:
    """The cohort on a file system of its own, of a few megabytes."""
    disk = cell.folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", disk]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    if not mounted:  # only root may: then the storage is told that there is no room
        cell.environment[patches.DISK] = str(cell.cohort.parent / "filler")
        cell.seen["disk"] = "errors injected at the storage"
        yield
        return
    try:
        subprocess.run(["cp", "-a", cell.cohort, disk], check=True)
        cell.cohort = disk / Path(cell.cohort).name
        cell.seen["disk"] = f"a tmpfs of {DISK_MIB} MiB"
        yield
    finally:
        for run in cell.runs:
            run.end()
        subprocess.run(["umount", "-l", disk], check=False)
