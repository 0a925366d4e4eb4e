"""A server in a process group of its own, waited for and gone at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

START_S = 300.0
END_S = 60.0


class NoServer(Exception):
    """A server that did not answer."""


def prefect_command(port: int) -> list[str]:
    return ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]


@contextlib.contextmanager
def serving(
    command: Sequence[str], health: str, *, log: Path, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[Any]]:
    """A program of this environment, until its address of health answers; killed at the end."""
    with log.open("a") as said:
        process = subprocess.Popen(
            [Path(sys.executable).with_name(command[0]), *command[1:]],
            env={**os.environ, **settings},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + START_S
        while not healthy(health):
            if process.poll() is not None or time.monotonic() > until:
                raise NoServer(f"no server answered at {health}: {log.read_text()[-1500:]}")
            time.sleep(0.2)
        yield process
    finally:
        kill(process)


def healthy(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def kill(server: subprocess.Popen[Any]) -> None:
    """The server and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait(END_S)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
