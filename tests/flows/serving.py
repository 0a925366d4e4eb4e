"""``cohortflow serve`` on free ports, with a generated study and servers of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from cohortflow.phantoms.ar1 import write_ar1_cohort
from flows.environment import shared_settings
from flows.ingest import IngestRequest, ingest_source
from tests.cli.conftest import PIPELINE
from tests.faults.killing import BIN

STUDY = "jane-doe-study"
LONG = "  - classify: {network: DMN, degree: 0, epochs: 100000, reads: {matrices: pairwise_rois}}\n"
START_S = 420.0
RUN_S = 600.0
ASK_S = 120.0
STOP_S = 30.0
"""Promised: nothing of ours is left this long after SIGTERM."""


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


class Served:
    """A study and what serves it."""

    def __init__(
        self, folder: Path, *, pipeline: str = PIPELINE, prefect: str | None = None
    ) -> None:
        self.label = folder.name
        self.cohort = folder / STUDY / "cohort"
        self.pipeline = folder / STUDY / "three-steps.yaml"
        self.source = folder / "source"
        self.prefect_port, self.mlflow_port, self.report_port = free_ports(3)
        self.api = prefect or f"http://127.0.0.1:{self.prefect_port}/api"
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(folder / "prefect"),
            "COHORTFLOW_TRACKING": "off",
        }
        self.environment.pop("PREFECT_PROFILES_PATH", None)
        if prefect:
            self.environment["PREFECT_API_URL"] = prefect
        self.process: subprocess.Popen[str] | None = None
        self.output = folder / "serve.log"
        write_ar1_cohort(self.source, subjects=8, regions=5, samples=40, affected=(1, 3))
        self.pipeline.parent.mkdir()
        self.pipeline.write_text(pipeline)

    def ingest(self) -> None:
        atlas = str(self.source / "atlas.tsv")
        ingest_source(IngestRequest(str(self.source), str(self.cohort), {"atlas": atlas}))

    def start(self, *options: str) -> None:
        """Until both deployments are published."""
        command = [
            str(BIN),
            "serve",
            str(self.pipeline),
            str(self.cohort),
            "--workers",
            "1",
            "--label",
            self.label,
            "--prefect-port",
            str(self.prefect_port),
            "--mlflow-port",
            str(self.mlflow_port),
            "--report-port",
            str(self.report_port),
            *options,
        ]
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=subprocess.STDOUT, text=True,
                start_new_session=True,
            )  # fmt: skip
        self.wait(lambda: "reports " in self.said, "serving", START_S)

    @property
    def said(self) -> str:
        return self.output.read_text()

    def address(self, name: str) -> str:
        """What serve printed beside a name."""
        found = re.search(rf"^{name} +(\S+)$", self.said, re.MULTILINE)
        assert found, self.said
        return found[1]

    def wait(self, ready: Callable[[], bool], what: str, within_s: float = RUN_S) -> None:
        until = time.monotonic() + within_s
        while not ready():
            assert self.process is None or self.process.poll() is None, self.said
            assert time.monotonic() < until, f"no {what} after {within_s:.0f} s:\n{self.said}"
            time.sleep(0.3)

    def post(self, path: str, **body: Any) -> Any:
        answer = httpx.post(f"{self.api}{path}", json=body, timeout=ASK_S)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def ask(self, deployment: str, **parameters: Any) -> str:
        """The id of a new run of a deployment."""
        path = f"/deployments/{self.deployment(deployment)}/create_flow_run"
        return str(self.post(path, parameters=parameters)["id"])

    def deployment(self, name: str) -> str:
        return self.address(name).split("/deployment/")[1].split("/")[0]

    def run(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.api}/flow_runs/{run}", timeout=ASK_S).json()
        return found

    def state(self, run: str) -> str:
        return str((self.run(run)["state"] or {}).get("name"))

    def wait_for(self, run: str, *states: str, within_s: float = RUN_S) -> dict[str, Any]:
        self.wait(lambda: self.state(run) in states, f"state {states} of a run", within_s)
        return self.run(run)

    def lines(self, run: str) -> list[str]:
        """What the Logs tab of a run shows of ours."""
        of = {"flow_run_id": {"any_": [run]}}
        found = self.post("/logs/filter", logs=of, sort="TIMESTAMP_ASC")
        return [line["message"] for line in found if line["name"] == "cohortflow"]

    def artifacts(self, run: str) -> dict[str, dict[str, Any]]:
        """The artifacts of one run, by the last word of their keys."""
        found = self.post("/artifacts/filter", artifacts={"flow_run_id": {"any_": [run]}})
        return {one["key"].rpartition("-")[2]: one for one in found}

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        """All runs of a deployment, those to come among them, in the order they are due."""
        of = {"deployment_id": {"any_": [self.deployment(deployment)]}}
        found = self.post("/flow_runs/filter", flow_runs=of, sort="EXPECTED_START_TIME_ASC")
        return [run for run in found if run["state"] is not None]

    def batches(self, run: str) -> list[str]:
        """Names of the task runs of one run."""
        found = self.post("/task_runs/filter", flow_runs={"id": {"any_": [run]}})
        return sorted(task["name"] for task in found)

    def cancel(self, run: str) -> None:
        """As the button in the pages does."""
        self.post(f"/flow_runs/{run}/set_state", state={"type": "CANCELLING"}, force=False)

    def engine(self) -> psutil.Process:
        """The process of the one run in progress."""
        (found,) = [p for p in self.processes() if "prefect.engine" in p.cmdline()]
        return found

    def is_training(self) -> bool:
        return bool(list(self.cohort.glob("work/*")))

    def processes(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> list[psutil.Process]:
        """End it as from ``kill``; who of its processes is left after what is promised."""
        assert self.process is not None
        whole = self.processes()
        self.process.send_signal(number)
        started = time.monotonic()
        self.process.wait(timeout=120)
        left = STOP_S - (time.monotonic() - started)
        return psutil.wait_procs(whole, timeout=max(left, 0.1))[1]

    def kill(self) -> None:
        """Whatever is left, at the end of a test."""
        if self.process is None:
            return
        whole = []
        if self.process.poll() is None:
            whole = [psutil.Process(self.process.pid), *self.processes()]
        for process in whole:
            if process.is_running():
                process.kill()
        psutil.wait_procs(whole, timeout=30)


@contextmanager
def prefect_server(folder: Path) -> Iterator[str]:
    """The address of a Prefect server that nobody here serves with, set as ``infra`` has it."""
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        **shared_settings(),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_API_PORT": str(port),
    }
    environment.pop("PREFECT_PROFILES_PATH", None)
    process = subprocess.Popen(
        [str(BIN.with_name("prefect")), "server", "start"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/api"
    try:
        until = time.monotonic() + START_S
        while not _answers(url):
            assert process.poll() is None, "the Prefect server ended"
            assert time.monotonic() < until, "the Prefect server did not start"
            time.sleep(0.3)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def study(folder: Path, **changes: Any) -> Iterator[Served]:
    """A study that was ingested; what serves it is gone at the end."""
    found = Served(folder, **changes)
    found.ingest()
    try:
        yield found
    finally:
        found.kill()
