"""Progress of a run, step by step: bars in a terminal, a plain line a minute without one."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from tasks.logs import setup_logging

__all__ = ["Progress", "StepProgress", "open_progress", "setup_logging"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepProgress:
    """Where a step stands. ``done`` counts every settled unit, ``failed`` and ``kept`` among them.

    ``kept`` units stood finished before the run began; they say nothing about its rate.
    """

    step: str
    total: int
    done: int = 0
    failed: int = 0
    kept: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float | None:
        """Units per second in this run; none before the first is settled."""
        settled = self.done - self.kept
        return settled / self.seconds if settled and self.seconds > 0 else None

    @property
    def left_s(self) -> float | None:
        """Seconds left at this rate."""
        if self.done >= self.total:
            return 0.0
        return (self.total - self.done) / self.rate if self.rate else None

    def __str__(self) -> str:
        parts = [f"{self.step}: {self.done} of {self.total}"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.rate:
            parts.append(format_rate(self.rate))
        if self.left_s:
            parts.append(f"{format_duration(self.left_s)} left")
        return ", ".join(parts)


def format_rate(rate: float) -> str:
    """Units per second, or per minute or hour where that reads better."""
    for factor, unit in ((1, "s"), (60, "min")):
        if rate * factor >= 1:
            return f"{rate * factor:.1f}/{unit}"
    return f"{rate * 3600:.1f}/h"


def format_duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


Listener = Callable[[StepProgress], None]


class Progress:
    """Counts settled units of one or more steps; a context manager, to be fed from one thread.

    ``listener`` is called with every change, and decides itself how often to pass it on. Without a
    terminal a line per unfinished step is logged each ``interval_s`` seconds, and one at its end.
    """

    def __init__(
        self,
        *,
        interval_s: float = 60.0,
        listener: Listener | None = None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval_s = interval_s
        self._listener = listener
        self._clock = clock
        self._steps: dict[str, StepProgress] = {}
        self._began: dict[str, float] = {}
        self._lock = threading.Lock()
        self._latest = clock()
        self._ended = threading.Event()
        console = console or Console(stderr=True)
        self._bars = _Bars(console) if console.is_terminal else None

    def __enter__(self) -> Progress:
        if self._bars:
            self._bars.start()
        else:
            threading.Thread(target=self._tell_regularly, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._bars:
            self._bars.stop()

    def begin(self, step: str, total: int, kept: int = 0) -> None:
        """Announce a step, or more units of one; ``kept`` of its units are done already."""
        with self._lock:
            before = self._steps.get(step, StepProgress(step, 0))
            self._began.setdefault(step, self._clock())
            state = replace(
                before, total=before.total + total, done=before.done + kept, kept=before.kept + kept
            )
            self._steps[step] = state
        self._publish(state)

    def advance(self, step: str, *, failed: bool = False) -> None:
        """Count one more settled unit."""
        with self._lock:
            before = self._steps[step]
            self._latest = self._clock()
            state = replace(
                before,
                done=before.done + 1,
                failed=before.failed + failed,
                seconds=self._latest - self._began[step],
            )
            self._steps[step] = state
        self._publish(state)

    def report(self, step: str, done: int, total: int, outcome: dict[str, Any]) -> None:
        """Count an outcome of a step that nobody announced: it began when the last one moved."""
        if step not in self._steps:
            self._began[step] = self._latest
            self.begin(step, total)
        self.advance(step, failed=outcome["state"] != "done")

    def steps(self) -> list[StepProgress]:
        """Where every step stands, in the order they began."""
        with self._lock:
            return list(self._steps.values())

    def _publish(self, state: StepProgress) -> None:
        if self._bars:
            self._bars.show(state)
        elif state.done == state.total and state.done > state.kept:
            log.info("%s", state)
        if self._listener:
            self._listener(state)

    def _tell_regularly(self) -> None:
        while not self._ended.wait(self._interval_s):
            for state in self.steps():
                if state.done < state.total:
                    log.info("%s", state)


Report = Callable[[str, int, int, dict[str, Any]], None]


@contextlib.contextmanager
def open_progress(interval_s: float = 60.0, listener: Listener | None = None) -> Iterator[Report]:
    """Progress for the length of a run, as the function that outcomes are reported to."""
    with Progress(interval_s=interval_s, listener=listener) as progress:
        yield progress.report


class _Bars:
    """One bar per step in the terminal."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[left]}"),
            TextColumn("[red]{task.fields[failed]}"),
            console=console,
        )
        self._ids: dict[str, TaskID] = {}

    def start(self) -> None:
        self._bars.start()

    def stop(self) -> None:
        self._bars.stop()

    def show(self, state: StepProgress) -> None:
        if state.step not in self._ids:
            self._ids[state.step] = self._bars.add_task(state.step, rate="", left="", failed="")
        left = state.left_s
        self._bars.update(
            self._ids[state.step],
            total=state.total,
            completed=state.done,
            rate=format_rate(state.rate) if state.rate else "",
            left=f"{format_duration(left)} left" if left else "",
            failed=f"{state.failed} failed" if state.failed else "",
        )
