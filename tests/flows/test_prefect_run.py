"""What Prefect is told of a real run, read back through its own client."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cohortflow.cohort.cohort import open_cohort
from cohortflow.phantoms.ar1 import write_ar1_cohort
from flows.ingest import IngestRequest, ingest_source
from tests.cli.conftest import PIPELINE
from tests.faults.killing import BIN

pytestmark = pytest.mark.slow

READ_BACK = """
import json, sys
from prefect import get_client

with get_client(sync_client=True) as client:
    flows = client.read_flow_runs()
    tasks = client.read_task_runs()
    print("READ " + json.dumps({
        "flows": [
            [f.name, f.state_type.value, f.state_name, f.parameters, f.state.message] for f in flows
        ],
        "tasks": sorted([t.name, t.state_type.value, t.state_name] for t in tasks),
    }))
"""
CANCEL = """
from prefect import get_client
from prefect.states import Cancelling

with get_client(sync_client=True) as client:
    (flow_run,) = client.read_flow_runs()
    print(client.set_flow_run_state(flow_run.id, Cancelling(), force=True).status)
"""


class Prefect:
    """A study and a Prefect of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cohort = folder / "jane-doe-study" / "cohort"
        self.pipeline = folder / "jane-doe-study" / "three-steps.yaml"
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(folder / "prefect"),
            "COHORTFLOW_TRACKING": "off",
            # On a busy machine a server takes longer than the 20 s after which a run goes on alone.
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        }
        self.environment.pop("PREFECT_PROFILES_PATH", None)
        source = folder / "source"
        write_ar1_cohort(source, subjects=8, regions=5, samples=40, affected=(1, 3))
        ingest_source(
            IngestRequest(str(source), str(self.cohort), {"atlas": str(source / "atlas.tsv")})
        )
        self.pipeline.write_text(PIPELINE)

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        command = [BIN, "run", self.pipeline, self.cohort, "--workers", "1", *options]
        return subprocess.Popen(
            command,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *options: str, **environment: str) -> tuple[int, str]:
        process = self.start(*options, **environment)
        said, _ = process.communicate(timeout=240)
        return process.returncode, said

    def python(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self.environment, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout

    def read_back(self) -> dict[str, Any]:
        (line,) = [x for x in self.python(READ_BACK).splitlines() if x.startswith("READ ")]
        found: dict[str, Any] = json.loads(line.removeprefix("READ "))
        return found


@pytest.fixture
def study(tmp_path: Path) -> Prefect:
    return Prefect(tmp_path)


BATCHES = ["diagrams 0", "pairwise_rois 0", "rank_sum_map 0", "standardise 0"]


def test_one_flow_run_and_one_task_run_per_batch(study: Prefect) -> None:
    code, said = study.run()
    assert code == 0, said
    assert "leaked" not in said
    told = study.read_back()
    ((name, state, _, parameters, message),) = told["flows"]
    assert (name, state) == ("three-steps", "COMPLETED"), "a file's place is no name"
    assert message == "25 done"
    assert parameters["settings"] == []
    assert told["tasks"] == [[batch, "COMPLETED", "Completed"] for batch in BATCHES]

    code, said = study.run()
    assert (code, "nothing to do" in said) == (0, True)
    assert len(study.read_back()["flows"]) == 1, "a run with nothing to do starts no Prefect"


def test_units_that_fail_are_told_and_crash_nothing(study: Prefect) -> None:
    code, said = study.run("--set", "rank_sum_map.network=Nowhere")
    assert code == 3, said
    assert "Traceback" not in said
    told = study.read_back()
    ((_, state, state_name, _, message),) = told["flows"]
    assert (state, state_name, message) == ("COMPLETED", "PartlyDone", "24 done, 1 failed")
    assert ["rank_sum_map 0", "COMPLETED", "PartlyDone"] in told["tasks"]


def test_a_run_that_is_refused_is_told_in_one_line(study: Prefect) -> None:
    storage = open_cohort(study.cohort).storage
    from cohortflow.cohort.leases import Lease

    with Lease.acquire(storage, "three-steps", run_id="the-other"):
        code, said = study.run()
    assert code == 5, said
    assert "Traceback" not in said
    assert "error [lease-held]: 'three-steps' is being run by the-other" in said
    ((_, state, _, _, message),) = study.read_back()["flows"]
    assert (state, message) == ("FAILED", "lease-held: 'three-steps' is being run by the-other")


@pytest.mark.parametrize(
    "environment",
    [
        {"PREFECT_API_URL": "http://127.0.0.1:9/api"},
        {
            "PREFECT_API_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////nowhere/prefect.db",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "3",
        },
    ],
    ids=["no server answers", "none can be started"],
)
def test_a_run_goes_on_where_prefect_is_away(study: Prefect, environment: dict[str, str]) -> None:
    code, said = study.run(**environment)
    assert code == 0, said
    assert said.count("Prefect could not be told, the run goes on") == 1
    assert "25 done" in said


@pytest.fixture
def server(study: Prefect) -> Iterator[str]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    prefect = BIN.with_name("prefect")
    process = subprocess.Popen(
        [prefect, "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui"],
        env=study.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/api"
    try:
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(url: str) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail("the Prefect server did not start")


def test_cancel_in_the_ui_ends_the_run_cleanly(study: Prefect, server: str) -> None:
    study.environment["PREFECT_API_URL"] = server
    text = study.pipeline.read_text()
    given = "{network: DMN, degree: 0, epochs: 100000, reads: {matrices: pairwise_rois}}"
    training = f"  - classify: {given}\n"
    study.pipeline.write_text(text.replace("report: []", training + "report: []"))
    process = study.start()
    until = time.monotonic() + 120
    while not list(study.cohort.glob("work/*")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "ACCEPT" in study.python(CANCEL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "cancelled in Prefect" in said
    assert "the same command goes on from here" in said
    told = study.read_back()
    ((_, state, _, _, _),) = told["flows"]
    assert state == "CANCELLED"
    assert ["classify 0", "CANCELLED", "Cancelled"] in told["tasks"]
