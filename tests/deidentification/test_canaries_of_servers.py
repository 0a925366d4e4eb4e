"""The same search where a run has servers: Prefect, MLflow, and a worker of somebody else."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.deidentification.canaries import CANARIES, write_source
from tests.deidentification.sinks import found, told
from tests.deidentification.test_canaries import PIPELINE
from tests.faults.killing import BIN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own for everything; tracking as it is without a word of the user."""
    away = ("COHORTFLOW_TRACKING", "PREFECT_PROFILES_PATH", "MLFLOW_TRACKING_URI")
    kept = {name: value for name, value in os.environ.items() if name not in away}
    for name in ("home", "prefect", "terminals"):
        (tmp_path / name).mkdir()
    return kept | {
        "COHORTFLOW_HOME": str(tmp_path / "home"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }


@pytest.fixture
def scheduler(tmp_path: Path, environment: Mapping[str, str]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    commands = {
        "scheduler": [
            "dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--no-dashboard",
        ],
        "worker": ["dask_worker", address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard"],
    }
    with contextlib.ExitStack() as stack:
        processes = []
        for name, command in commands.items():
            log = stack.enter_context((tmp_path / "terminals" / f"{name}.txt").open("wb"))
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:]],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                )
            )
            time.sleep(1)
        yield address
        for process in processes[::-1]:
            process.terminate()
            process.wait(30)


def test_nothing_planted_is_told_to_servers(
    tmp_path: Path, environment: dict[str, str], scheduler: str
) -> None:
    source = write_source(tmp_path)
    (table,) = source.parent.glob("*.tsv")
    study = tmp_path / "study"
    study.mkdir()
    cohort, pipeline = study / "cohort", study / "every-image.yaml"
    pipeline.write_text(PIPELINE)

    def run(*arguments: object) -> tuple[int, str]:
        done = subprocess.run(
            [BIN, *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        said = done.stdout + done.stderr
        assert not told([said], CANARIES), arguments[0]
        return done.returncode, said

    assert run("ingest", source, cohort, "--participants", table)[0] == 3
    code, said = run("run", pipeline, cohort, "--cluster", scheduler)
    assert code == 3, said
    code, said = run("run", "mr-normalise", cohort, "--workers", "1")
    assert code == 3, said
    for format_ in ("nifti", "ome-zarr", "bids"):
        run("export", cohort, study / f"out-{format_}", "--as", format_, "--entry", "image")
    run("report", cohort, "--pipeline", "every-image")
    assert list((tmp_path / "prefect").rglob("*.db")), "Prefect has kept the runs"
    assert list((tmp_path / "home").rglob("*.db")), "MLflow has kept the runs"
    assert (tmp_path / "terminals" / "worker.txt").stat().st_size > 0
    assert not found([study, tmp_path / "prefect", tmp_path / "terminals"], CANARIES)
    assert not found([tmp_path / "home"], CANARIES, but="/source")
