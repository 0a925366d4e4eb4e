"""A server that runs is used; one that is missing is started, watched, and gone at the end."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cohortflow.cohort.cohort import create_cohort
from cohortflow.errors import AddressTaken, Cancelled, ServerAway
from flows import serve_processes
from flows.serve import _reports
from flows.serve_processes import Server, running, says, wait_for
from flows.serve_reports import report_server
from tests.flows.serving import free_ports

SERVE = """
import http.server, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"yes")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server leaves behind has less time to end by itself, what is silent to answer."""
    monkeypatch.setattr(serve_processes, "END_S", 0.5)
    monkeypatch.setattr(serve_processes, "ASK_S", 0.5)


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def server(tmp_path: Path, code: str = SERVE) -> Server:
    (port,) = free_ports(1)
    return Server(
        "Example",
        f"http://127.0.0.1:{port}",
        lambda address: says(address, "/", "yes"),
        [sys.executable, "-c", code, str(port)],
        tmp_path / "logs" / "example.log",
    )


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_a_missing_one_is_started_and_gone_at_the_end_with_what_it_started(tmp_path: Path) -> None:
    with running(server(tmp_path)) as found:
        wait_for(found, threading.Event())
        assert found.process is not None
        whole = [psutil.Process(found.process.pid)]
        whole += whole[0].children(recursive=True)
        assert len(whole) == 2
    assert [process for process in whole if not is_over(process)] == []


def test_one_that_runs_is_used_and_left(tmp_path: Path) -> None:
    wanted = server(tmp_path)
    with running(wanted) as first:
        wait_for(first, threading.Event())
        with running(wanted) as second:
            assert second.process is None
        assert first.process is not None
        assert first.process.poll() is None


def test_one_that_ended_by_itself_is_started_again(tmp_path: Path) -> None:
    with running(server(tmp_path)) as found:
        wait_for(found, threading.Event())
        assert found.process is not None
        before = psutil.Process(found.process.pid)
        left = before.children()
        before.kill()
        found.process.wait()
        found.restart_if_ended()
        wait_for(found, threading.Event())
        for child in left:
            child.kill()


def test_an_address_that_something_else_has_is_refused_by_name(tmp_path: Path, taken: int) -> None:
    wanted = Server("Example", f"http://127.0.0.1:{taken}", lambda _: False, ["true"])
    with pytest.raises(AddressTaken, match="Example"), running(wanted):
        pass
    cohort = create_cohort(tmp_path / "cohort")
    with pytest.raises(AddressTaken, match="reports"), _reports(cohort, taken):
        pass


def test_reports_of_this_cohort_are_served_once(tmp_path: Path) -> None:
    cohort = create_cohort(tmp_path / "cohort")
    other = create_cohort(tmp_path / "other")
    with report_server(cohort, 0) as found:
        port = found.server_address[1]
        with _reports(cohort, port) as address:
            assert address == found.address
        with pytest.raises(AddressTaken), _reports(other, port):
            pass


def test_one_that_was_named_must_answer() -> None:
    with (
        pytest.raises(ServerAway, match="does not answer"),
        running(Server("Prefect", "http://127.0.0.1:9", lambda _: False)),
    ):
        pass


def test_one_that_does_not_start_says_where_it_told_why(tmp_path: Path) -> None:
    wanted = server(tmp_path, "raise SystemExit('no such store')")
    with pytest.raises(ServerAway, match=r"example\.log"), running(wanted) as found:
        wait_for(found, threading.Event())
    assert "no such store" in wanted.output.read_text()


def test_waiting_ends_when_it_is_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    wanted = server(tmp_path, "import time; time.sleep(600)")
    with pytest.raises(Cancelled), running(wanted) as found:
        wait_for(found, stop)
