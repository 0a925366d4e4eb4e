"""Units that misbehave on purpose, importable by worker processes under this module's name."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any


def _done(spec: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {
        "key": spec["key"],
        "step": spec["step"],
        "subject": spec["subject"],
        "state": "done",
        "error": None,
        "seconds": 0.0,
        "warnings": [],
        "facts": facts,
    }


def _note(spec: dict[str, Any]) -> int:
    """Append a line to the unit's own file; how often it was started, this time included."""
    path = Path(spec["folder"]) / spec["key"]
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(path.read_text().splitlines())


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Do what ``spec["does"]`` says."""
    return globals()["does_" + spec["does"]](spec)


def does_nothing(spec: dict[str, Any]) -> dict[str, Any]:
    return _done(spec)


def does_note(spec: dict[str, Any]) -> dict[str, Any]:
    return _done(spec, starts=_note(spec))


def does_sleep(spec: dict[str, Any]) -> dict[str, Any]:
    starts = _note(spec)
    time.sleep(spec["sleep_s"])
    return _done(spec, starts=starts)


def does_raise(spec: dict[str, Any]) -> dict[str, Any]:
    raise ZeroDivisionError("the fake divides by zero")


def does_exit(spec: dict[str, Any]) -> dict[str, Any]:
    sys.exit(3)


def does_die(spec: dict[str, Any]) -> dict[str, Any]:
    _note(spec)
    os._exit(1)


def does_die_once(spec: dict[str, Any]) -> dict[str, Any]:
    starts = _note(spec)
    if starts == 1:
        os._exit(1)
    return _done(spec, starts=starts)


def does_hang(spec: dict[str, Any]) -> dict[str, Any]:
    _note(spec)
    time.sleep(600)
    return _done(spec)


def does_hog(spec: dict[str, Any]) -> dict[str, Any]:
    held = []
    while True:
        held.append(bytearray(b"x" * (20 * 2**20)))
        time.sleep(0.02)


def does_fail_twice(spec: dict[str, Any]) -> dict[str, Any]:
    starts = _note(spec)
    if starts > 2:
        return _done(spec, starts=starts)
    error = {"code": "flaky", "message": "away", "hint": "", "transient": True}
    return _done(spec) | {"state": "failed", "error": error}


def does_report(spec: dict[str, Any]) -> dict[str, Any]:
    """What a unit sees of its process."""
    import numpy as np
    from threadpoolctl import threadpool_info

    import tasks

    np.ones((8, 8)) @ np.ones((8, 8))
    return _done(
        spec,
        modules=sorted(sys.modules),
        tasks=str(Path(tasks.__file__).parent),
        threads=os.environ.get("OMP_NUM_THREADS"),
        blas=[pool["num_threads"] for pool in threadpool_info()],
        pid=os.getpid(),
    )
