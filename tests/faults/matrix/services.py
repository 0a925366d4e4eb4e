"""A server that a run tells of itself dies under it: the run goes on, and nothing is lost."""

from __future__ import annotations

from functools import partial

import httpx

from tests.faults.matrix.cell import Cell
from tests.servers.processes import free_port, kill, prefect_command, serving


def prefect_dies(cell: Cell) -> None:
    """The run is told to a Prefect server, which is killed."""
    settings = {"PREFECT_HOME": str(cell.folder / "prefect"), "DO_NOT_TRACK": "true"}
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    log = cell.folder / "prefect.log"
    with serving(prefect_command(port), f"{url}/health", log=log, settings=settings) as server:
        run = cell.start(
            "fault",
            plan=cell.plan("wait"),
            options=("--prefect",),
            environment={**settings, "PREFECT_API_URL": url},
        )
        since = cell.reached(run)["time"]
        kill(server)
        cell.let_go()
        cell.ends_with(run, 0)
    cell.others_are_done(None)
    cell.settled_after(since)
    cell.check("the run goes on" in run.said(), f"nothing said: {run.said()[-1500:]}")
    cell.costs_little(apart=False)
    cell.heals(exactly=True)


def mlflow_dies(cell: Cell) -> None:
    """The run would be tracked by an MLflow server, which is killed; later it is back."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{cell.folder}/mlflow.db",
        "--default-artifact-root", str(cell.folder / "artifacts"),
    ]  # fmt: skip
    tracked = {"COHORTFLOW_TRACKING": url}
    server_of = partial(
        serving, command, f"{url}/health", log=cell.folder / "mlflow.log", settings={}
    )
    with server_of() as server:
        run = cell.start("fault", plan=cell.plan("wait"), environment=tracked)
        since = cell.reached(run)["time"]
        kill(server)
        cell.let_go()
        cell.ends_with(run, 0)
    cell.others_are_done(None)
    cell.settled_after(since)
    cell.check("tracking-unavailable" in run.said(), f"not named: {run.said()[-1500:]}")
    cell.check(len(_outbox(cell)) == 1, f"in the outbox: {_outbox(cell)}")
    cell.costs_little(apart=False)
    cell.heals(exactly=True)
    with server_of():
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
