"""``cohortflow serve``: servers on this machine, two deployments,
and a runner of what they ask for.

Runs are started by Prefect's own runner, in this process: each in a process of its own, which the
runner watches, cancels and reports as crashed. A work pool with a worker would do the same with one
more process and one more thing to register; for many machines ``infra/prefect.yaml`` has it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.errors import AddressTaken
from cohortflow.pipeline.load import load_pipeline
from flows.addresses import REPORTS_URL
from flows.serve_processes import running, wait_for
from flows.serve_reports import ABOUT, HOST, report_server
from flows.serve_request import ServeRequest
from flows.serve_servers import mlflow_server, prefect_server
from flows.served import COHORT, PIPELINE
from tasks.tracking import PAGES_URL

LOOK_S = 2.0


def serve(request: ServeRequest, *, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Serve until ``stop``; named errors where something cannot be started."""
    pipeline = load_pipeline(request.run.pipeline, request.run.settings)
    cohort = open_cohort(request.run.cohort)
    with ExitStack() as stack:
        reports = stack.enter_context(_reports(cohort, request.report_port))
        prefect = stack.enter_context(running(prefect_server(request.prefect_port)))
        wanted = mlflow_server(request.mlflow_port)
        mlflow = stack.enter_context(running(wanted)) if wanted else None
        servers = [server for server in (prefect, mlflow) if server is not None]
        for server in servers:
            wait_for(server, stop)
        os.environ |= {
            "PREFECT_API_URL": f"{prefect.server.address}/api",
            PIPELINE: request.run.pipeline,
            COHORT: cohort.url,
            REPORTS_URL: reports,
            PAGES_URL: mlflow.server.address if mlflow else "",
        }
        # Prefect reads the address of its server when it is first imported.
        from flows.serve_runs import published

        runs = stack.enter_context(published(request, pipeline, cohort))
        for line in runs.lines():
            say(line)
        say(f"reports     {reports}/{pipeline.slug}/latest/report.html")
        if mlflow:
            say(f"tracking    {mlflow.server.address}")
        while not stop.wait(LOOK_S):
            runs.check()
            for server in servers:
                server.restart_if_ended()
        say("stopping: runs in progress are ended cleanly; the next one goes on from there")


@contextlib.contextmanager
def _reports(cohort: Cohort, port: int) -> Iterator[str]:
    """The address of this cohort's reports: that of another process of ours, or of this one."""
    try:
        with report_server(cohort, port) as server:
            yield server.address
    except OSError as error:
        address = f"http://{HOST}:{port}"
        if not _serves(address, cohort):
            raise AddressTaken(
                "the address for reports is taken by something else",
                where=address,
                hint="--report-port chooses another.",
            ) from error
        yield address


def _serves(address: str, cohort: Cohort) -> bool:
    try:
        found = httpx.get(f"{address}{ABOUT}", timeout=2.0).json()
    except (httpx.HTTPError, ValueError):
        return False
    return isinstance(found, dict) and found.get("cohort") == cohort.id
