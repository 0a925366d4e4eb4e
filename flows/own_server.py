"""The server that Prefect starts for one run: left to end after the run, and never without it.

A signal to all processes of a run (Ctrl-C in a terminal, SIGTERM of a service manager) would end
the server before it heard how the run ended; and a run that is killed would leave it behind for
ever.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psutil

APPLICATION = "prefect.server.api.server:create_app"

_WATCHER = """
import os, signal, sys, time
def started(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""
pid = int(sys.argv[1])
before = started(pid)
os.read(0, 1)
for number, wait_s in ((None, 6), (signal.SIGTERM, 6), (signal.SIGKILL, 0)):
    try:
        if started(pid) != before:
            break
        if number is not None:
            os.kill(pid, number)
    except ProcessLookupError:
        break
    until = time.monotonic() + wait_s
    while time.monotonic() < until and started(pid) == before:
        time.sleep(0.1)
        if not before:
            break
"""
"""Reads from a pipe that the run holds open: at its end the run is over, however it ended."""


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """What Prefect starts in here is in a session of its own, and goes when this process has."""
    from prefect.server.api import server

    module: Any = server
    plain = module.subprocess
    started = functools.partial(subprocess.Popen, start_new_session=True)
    module.subprocess = SimpleNamespace(**{**vars(plain), "Popen": started})
    try:
        yield
    finally:
        module.subprocess = plain
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                if APPLICATION in child.cmdline():
                    _watch(child.pid)


_held: list[int] = []
_lock = threading.Lock()


def _watch(server: int) -> None:
    read, write = os.pipe()
    with _lock:
        _held.append(write)  # closed by the system when this process ends
    subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _WATCHER, str(server)],
        stdin=read,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(read)
