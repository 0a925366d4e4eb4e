"""What a unit does when its moment comes: loaded by the flow and the workers of a run under test.

``FAULTS_PLAN`` says in JSON which unit misbehaves at which of its moments, how, and how many of its
attempts; without it nothing does. ``FAULTS_TRACE`` is the file every start and end is appended to.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

PLAN = "FAULTS_PLAN"
TRACE = "FAULTS_TRACE"
TIMEOUT = "FAULTS_TIMEOUT_S"
CLOCK = "FAULTS_CLOCK"
"""``SECONDS FOLDER``: by how much the wall clock jumps once the moment of that cell is reached."""
REACHED = "reached.json"
GO = "go"
WAIT_LIMIT_S = 500.0

_current = ("", "")


@cache
def plan() -> dict[str, Any] | None:
    text = os.environ.get(PLAN)
    return json.loads(text) if text else None


def starts(step: str, who: str) -> None:
    """A unit of a step begins; ``who`` tells it from its neighbours."""
    global _current
    _current = (step, who)
    _note("start", step, who)


def ends() -> None:
    _note("end", *_current)


def moment(phase: str) -> None:
    """One of the moments of the current unit: misbehave here, if here is where."""
    planned = plan()
    if planned is None or (planned["step"], planned["who"]) != _current:
        return
    if planned["phase"] != phase or _attempt(planned) > planned["times"]:
        return
    DOES[planned["does"]](planned)


def _note(event: str, step: str, who: str) -> None:
    path = os.environ.get(TRACE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{event}\t{step}\t{who}\t{os.getpid()}\t{time.time():.3f}\n")


def _attempt(planned: dict[str, Any]) -> int:
    with open(f"{planned['folder']}/attempts", "a", encoding="utf-8") as file:
        file.write("x")
        file.flush()
        return file.tell()


def _reached(planned: dict[str, Any]) -> None:
    """Say once that the moment came, with this process and the time."""
    path = Path(planned["folder"]) / REACHED
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"pid": os.getpid(), "time": time.time()}))
        draft.rename(path)


def _hang(planned: dict[str, Any]) -> None:
    _reached(planned)
    while True:
        time.sleep(1)


def _hang_holding_the_gil(planned: dict[str, Any]) -> None:
    _reached(planned)
    ctypes.PyDLL(None).sleep(3600)


def _exit(planned: dict[str, Any]) -> None:
    _reached(planned)
    os._exit(1)


def _die(planned: dict[str, Any]) -> None:
    _reached(planned)
    os.kill(os.getpid(), signal.SIGKILL)


def _hog(planned: dict[str, Any]) -> None:
    _reached(planned)
    held = []
    for _ in range(400):
        held.append(bytearray(b"x" * (10 * 2**20)))
        time.sleep(0.02)


def _raise(planned: dict[str, Any]) -> None:
    _reached(planned)
    raise ZeroDivisionError("the stage divides by zero")


def _stop(planned: dict[str, Any]) -> None:
    _reached(planned)
    os.kill(os.getpid(), signal.SIGSTOP)


def _jump(planned: dict[str, Any]) -> None:
    """The moment itself is what ``jump_the_clock`` looks for; then some time passes."""
    _reached(planned)
    time.sleep(1)


def jump_the_clock() -> None:
    """From now on ``time.time`` of this process follows ``CLOCK``."""
    seconds, _, folder = os.environ[CLOCK].partition(" ")
    reached = os.path.join(folder, REACHED)
    real, jumped = time.time, False

    def jumping() -> float:
        nonlocal jumped
        jumped = jumped or os.path.exists(reached)
        return real() + (float(seconds) if jumped else 0.0)

    time.time = jumping


def _wait(planned: dict[str, Any]) -> None:
    """Stand still until the harness has done what it does, then go on as if nothing were."""
    _reached(planned)
    until = time.monotonic() + WAIT_LIMIT_S
    while not (Path(planned["folder"]) / GO).exists() and time.monotonic() < until:
        time.sleep(0.01)


DOES: dict[str, Callable[[dict[str, Any]], None]] = {
    "hang": _hang,
    "hang-holding-the-gil": _hang_holding_the_gil,
    "exit": _exit,
    "die": _die,
    "hog": _hog,
    "raise": _raise,
    "stop": _stop,
    "jump": _jump,
    "wait": _wait,
}
