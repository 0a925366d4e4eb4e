"""Progress: counts, rates, time left, plain lines and bars."""

from __future__ import annotations

import io
import logging
import sys
import time

import pytest
from rich.console import Console

from tasks.logs import setup_logging
from tasks.progress import Progress, StepProgress, format_duration, format_rate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def plain() -> Console:
    return Console(file=io.StringIO(), force_terminal=False)


def test_rate_and_time_left_count_only_what_this_run_did() -> None:
    clock = Clock()
    seen: list[StepProgress] = []
    with Progress(console=plain(), clock=clock, listener=seen.append) as progress:
        progress.begin("diagrams", total=24, kept=4)
        clock.now += 10
        for number in range(5):
            progress.advance("diagrams", failed=number == 0)
    assert seen[0].rate is None
    assert seen[0].left_s is None
    assert seen[-1] == StepProgress("diagrams", total=24, done=9, failed=1, kept=4, seconds=10.0)
    assert seen[-1].rate == pytest.approx(0.5)
    assert seen[-1].left_s == pytest.approx(30)
    assert str(seen[-1]) == "diagrams: 9 of 24, 1 failed, 30.0/min, 30 s left"


def test_an_unannounced_step_began_when_the_last_one_moved() -> None:
    clock = Clock()
    with Progress(console=plain(), clock=clock) as progress:
        for step in ("standardise", "diagrams"):
            for done in (1, 2):
                clock.now += 5
                progress.report(step, done, 2, {"state": "done"})
        first, second = progress.steps()
    assert (first.seconds, second.seconds) == (10.0, 10.0)
    assert (first.left_s, second.left_s) == (0.0, 0.0)


def test_without_a_terminal_a_step_is_told_regularly_also_while_nothing_settles(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="tasks.progress")
    with Progress(console=plain(), interval_s=0.05) as progress:
        progress.begin("train", total=1)
        time.sleep(0.3)
        told = len(caplog.messages)
        progress.advance("train")
    assert 2 <= told <= 7
    assert caplog.messages[0] == "train: 0 of 1"
    assert caplog.messages[-1].startswith("train: 1 of 1")


def test_a_quick_step_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tasks.progress")
    with Progress(console=plain()) as progress:
        progress.begin("score", total=500)
        for _ in range(500):
            progress.advance("score")
    assert len(caplog.messages) == 1


def test_a_terminal_gets_bars_and_no_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tasks.progress")
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with Progress(console=console, clock=(clock := Clock())) as progress:
        progress.begin("diagrams", total=4)
        clock.now += 2
        progress.advance("diagrams")
        progress.advance("diagrams", failed=True)
    assert caplog.messages == []
    for shown in ("diagrams", "2/4", "1.0/s", "2 s left", "1 failed"):
        assert shown in screen.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (3599.6, "1 h 00 min"), (7500, "2 h 05 min")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("rate", "text"), [(12.34, "12.3/s"), (0.5, "30.0/min"), (0.01, "36.0/h")])
def test_rates_read_well(rate: float, text: str) -> None:
    assert format_rate(rate) == text


@pytest.fixture
def logging_restored() -> object:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    levels = {name: logging.getLogger(name).level for name in ("cohortflow", "tasks", "flows")}
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize(
    ("verbosity", "told"),
    [
        (-1, ["tasks warning", "other warning"]),
        (0, ["tasks info", "tasks warning", "other warning"]),
        (1, ["tasks debug", "tasks info", "tasks warning", "other warning"]),
    ],
)
def test_verbosity(verbosity: int, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    setup_logging(verbosity)
    setup_logging(verbosity)  # again changes nothing
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)  # as progress bars do
    for name in ("tasks", "other"):
        for level in ("debug", "info", "warning"):
            getattr(logging.getLogger(f"{name}.module"), level)(f"{name} {level}")
    assert [line.split(maxsplit=2)[2] for line in screen.getvalue().splitlines()] == told
