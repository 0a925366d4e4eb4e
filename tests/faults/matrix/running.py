"""A real ``cohortflow run`` in a process group of its own, and whatever it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.matrix import misbehave

BIN = Path(sys.executable).with_name("cohortflow")
HOOKS = Path(__file__).with_name("hooks")
ROOT = Path(__file__).parents[3]
CELL = "FAULTS_CELL"


class Run:
    """One run of the command line on one cohort, told apart by a mark in its environment."""

    def __init__(
        self,
        folder: Path,
        cohort: Path,
        *,
        name: str,
        pipeline: str = "four-steps",
        options: Sequence[str] = (),
        plan: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        trace: str = "trace",
    ) -> None:
        self.folder = folder
        self.mark = f"{name}-{uuid.uuid4().hex[:12]}"
        self.log = folder / f"{self.mark}.log"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HOOKS), str(ROOT), str(ROOT / "src")]),
            "COHORTFLOW_HOME": str(folder / "home"),
            "COHORTFLOW_TRACKING": "off",
            misbehave.TRACE: str(folder / trace),
            CELL: self.mark,
            **({misbehave.PLAN: json.dumps(plan)} if plan is not None else {}),
            **(environment or {}),
        }
        if not {"--prefect", "--no-prefect"} & set(options):
            options = [*options, "--no-prefect"]
        if "--cluster" not in options:
            options = [*options, "--workers", "2"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [BIN, "run", f"{pipeline}.yaml", cohort, *options],
                cwd=folder,
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, timeout_s: float) -> int | None:
        """The exit code; None when it has not ended by then."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def alive(self) -> list[int]:
        """Every living process of this run, whoever its parent is now."""
        return alive(self.mark)

    def gone_within(self, seconds: float) -> bool:
        return until(lambda: not self.alive(), seconds)

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        for pid in self.alive():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(30)


def alive(mark: str) -> list[int]:
    """Processes, zombies apart, with the mark in their environment."""
    wanted = f"{CELL}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                environment = Path(f"/proc/{name}/environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(name))
    return found


def until(ready: Callable[[], Any], seconds: float) -> bool:
    """Whether it came true in time."""
    limit = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True
