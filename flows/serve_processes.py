"""Servers of this machine: one that runs is used,
one that is missing is started and ended with us."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from cohortflow.errors import AddressTaken, Cancelled, ServerAway

log = logging.getLogger(__name__)

START_S = 300.0
END_S = 10.0
ASK_S = 2.0


@dataclass(frozen=True)
class Server:
    """``answers``: whether what listens at the address is this server. No ``command``: not ours."""

    name: str
    address: str
    answers: Callable[[str], bool]
    command: Sequence[str] = ()
    output: Path = Path(os.devnull)
    environment: Mapping[str, str] = field(default_factory=dict)


class Running:
    """A server that answers; ``process`` where it is ours."""

    def __init__(self, server: Server, process: subprocess.Popen[bytes] | None) -> None:
        self.server = server
        self.process = process

    def restart_if_ended(self) -> None:
        """Start our own again where it ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            name, code = self.server.name, self.process.returncode
            log.warning("%s ended with %d and is started again", name, code)
            self.process = _start(self.server)


@contextlib.contextmanager
def running(server: Server) -> Iterator[Running]:
    """The server at its address, started where nothing listens there; it may not answer yet."""
    if server.answers(server.address):
        yield Running(server, None)
        return
    if not server.command:
        raise ServerAway(
            f"{server.name} does not answer",
            where=server.address,
            hint="Start it, or unset its address: one is then started here.",
        )
    if _is_taken(server.address):
        raise AddressTaken(
            f"the address for {server.name} is taken by something else",
            where=server.address,
            hint="Choose another port, or end what listens there.",
        )
    found = Running(server, _start(server))
    try:
        yield found
    finally:
        assert found.process is not None
        _end(found.process)


def wait_for(found: Running, stop: threading.Event) -> None:
    """Until it answers."""
    server, until = found.server, time.monotonic() + START_S
    while not server.answers(server.address):
        ended = found.process is not None and found.process.poll() is not None
        if ended or time.monotonic() > until:
            raise ServerAway(
                f"{server.name} {'ended' if ended else 'does not answer'}",
                where=server.address,
                hint=f"What it said is in {server.output}.",
            )
        if stop.wait(0.2):
            raise Cancelled("stopped while servers were starting")


def says(address: str, path: str, expected: str) -> bool:
    """Whether GET answers with this text."""
    try:
        answer = httpx.get(f"{address}{path}", timeout=ASK_S)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and answer.text.strip() == expected


def _is_taken(address: str) -> bool:
    url = httpx.URL(address)
    with socket.socket() as asked:
        asked.settimeout(ASK_S)
        return asked.connect_ex((url.host, url.port or 80)) == 0


def _start(server: Server) -> subprocess.Popen[bytes]:
    server.output.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(server.output, "wb") as output:
        # A session of its own: Ctrl-C in a terminal is for us, who end it last.
        return subprocess.Popen(
            list(server.command),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **server.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and those it started: asked, then made to."""
    with contextlib.suppress(psutil.NoSuchProcess):
        end_all([psutil.Process(process.pid)], END_S)
    process.wait()


def end_all(asked: Sequence[psutil.Process], within_s: float) -> None:
    """SIGTERM to these, and SIGKILL to whoever is left of them and theirs after a while."""
    whole = list(asked)
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            whole += process.children(recursive=True)
            process.terminate()
    _, left = psutil.wait_procs(whole, timeout=within_s)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=END_S)
