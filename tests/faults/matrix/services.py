"""A server that a run tells of itself dies under it: the run goes on, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.faults.matrix.cell import RUN_S, Cell, Stuck
from tests.faults.matrix.running import BIN, until

START_S = 300.0


def prefect_dies(cell: Cell) -> None:
    """The run is told to a Prefect server, which is killed."""
    settings = {"PREFECT_HOME": str(cell.folder / "prefect"), "DO_NOT_TRACK": "true"}
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with _server(cell, command, f"{url}/health", settings) as server:
        run = cell.start(
            "fault",
            plan=cell.plan("wait"),
            options=("--prefect",),
            environment={**settings, "PREFECT_API_URL": url},
        )
        since = cell.reached(run)["time"]
        _kill(server)
        cell.let_go()
        cell.ends_with(run, 0)
    cell.others_are_done(None)
    cell.settled_after(since)
    cell.check("the run goes on" in run.said(), f"nothing said: {run.said()[-1500:]}")
    cell.costs_little(apart=False)
    cell.heals(exactly=True)


def mlflow_dies(cell: Cell) -> None:
    """The run would be tracked by an MLflow server, which is killed; later it is back."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{cell.folder}/mlflow.db",
        "--default-artifact-root", str(cell.folder / "artifacts"),
    ]  # fmt: skip
    tracked = {"COHORTFLOW_TRACKING": url}
    with _server(cell, command, f"{url}/health", {}) as server:
        run = cell.start("fault", plan=cell.plan("wait"), environment=tracked)
        since = cell.reached(run)["time"]
        _kill(server)
        cell.let_go()
        cell.ends_with(run, 0)
    cell.others_are_done(None)
    cell.settled_after(since)
    cell.check("tracking-unavailable" in run.said(), f"not named: {run.said()[-1500:]}")
    cell.check(len(_outbox(cell)) == 1, f"in the outbox: {_outbox(cell)}")
    cell.costs_little(apart=False)
    cell.heals(exactly=True)
    with _server(cell, command, f"{url}/health", {}):
        again = cell.start("again", pipeline="the-same", environment=tracked)
        cell.ends_with(again, 0)
        cell.check(not _outbox(cell), f"still in the outbox: {_outbox(cell)}")
        names = sorted(_tracked(url))
        cell.check(len(names) == 2, f"tracked once each: {names}")


def _outbox(cell: Cell) -> list[str]:
    folders = (cell.folder / "home" / "outbox").glob("[!.]*")
    return sorted(path.name for path in folders)


def _tracked(url: str) -> list[str]:
    """Names of all runs that MLflow has finished."""
    api = f"{url}/api/2.0/mlflow"
    found = httpx.post(f"{api}/experiments/search", json={"max_results": 100}, timeout=30).json()
    ids = [one["experiment_id"] for one in found["experiments"]]
    runs = httpx.post(f"{api}/runs/search", json={"experiment_ids": ids}, timeout=30).json()
    return [run["info"]["run_name"] for run in runs.get("runs", [])]


@contextlib.contextmanager
def _server(
    cell: Cell, command: list[str], health: str, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[Any]]:
    log = (cell.folder / f"{command[0]}.log").open("a")
    with log:
        process = subprocess.Popen(
            [Path(BIN).with_name(command[0]), *command[1:]],
            env={**os.environ, **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        if not until(lambda: _healthy(health) or process.poll() is not None, START_S):
            raise Stuck(f"no server answered at {health}")
        yield process
    finally:
        _kill(process)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        time.sleep(0.2)
        return False


def _kill(server: subprocess.Popen[Any]) -> None:
    """The server and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait(RUN_S)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
