"""Outcomes of quick units leave together, in order, and none waits longer than it may."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tasks import teller as module
from tasks.teller import TELL_S, Teller


class Worker:
    """A worker whose loop runs when it is told to."""

    def __init__(self) -> None:
        self.loop = self
        self.events: list[list[Any]] = []
        self.ready: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.later: list[Callable[[], None]] = []

    def add_callback(self, function: Callable[..., Any], *given: Any) -> None:
        self.ready.append((function, given))

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        assert seconds == TELL_S
        self.later.append(function)

    def log_event(self, topic: str, words: list[Any]) -> None:
        assert topic == "topic"
        self.events.append(words)

    def turn(self) -> None:
        while self.ready:
            function, given = self.ready.pop(0)
            function(*given)

    def time_passes(self) -> None:
        self.turn()
        due, self.later = self.later, []
        for function in due:
            function()
        self.turn()


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_quick_ones_leave_together_after_a_while(worker: Worker, clock: list[float]) -> None:
    teller = Teller(worker, "topic")
    for position in range(3):
        clock[0] += TELL_S / 10
        teller.tell("f", position, "x")
    worker.turn()
    assert worker.events == []
    assert len(worker.later) == 1, "one timer, not one a unit"
    worker.time_passes()
    assert worker.events == [[("f", 0, "x"), ("f", 1, "x"), ("f", 2, "x")]]
    worker.time_passes()
    assert len(worker.events) == 1


def test_slow_ones_leave_at_once(worker: Worker, clock: list[float]) -> None:
    teller = Teller(worker, "topic")
    for position in range(2):
        clock[0] += TELL_S
        teller.tell("f", position, "x")
    worker.turn()
    assert worker.events == [[("f", 0, "x")], [("f", 1, "x")]]
    assert worker.later == []


def test_what_must_not_wait_takes_along_what_waits(worker: Worker, clock: list[float]) -> None:
    teller = Teller(worker, "topic")
    teller.tell("f", 0, "x")
    teller.tell("f", 1, "failed", at_once=True)
    worker.turn()
    assert worker.events == [[("f", 0, "x"), ("f", 1, "failed")]]
    worker.time_passes()
    assert len(worker.events) == 1, "the timer finds nothing left"


def test_two_threads_keep_the_order(worker: Worker) -> None:
    teller = Teller(worker, "topic")
    stop = threading.Event()

    def flush() -> None:
        while not stop.is_set():
            teller.flush()

    other = threading.Thread(target=flush)
    other.start()
    for position in range(5000):
        teller.tell("f", position, "", at_once=position % 7 == 0)
    stop.set()
    other.join()
    teller.flush()
    worker.turn()
    told = [position for words in worker.events for _, position, _ in words]
    assert told == list(range(5000))
