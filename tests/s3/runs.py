"""A generated cohort of 20 subjects, processed on S3 by the command line with worker processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from cohortflow.cohort.open_storage import open_storage
from cohortflow.phantoms.ar1 import write_ar1_cohort
from tests.faults import killing

BIN = Path(sys.executable).with_name("cohortflow")
SUBJECTS = 20
LONG_S = 900

LIGHT = """
title: Steps that compute next to nothing
inputs: {series: roi_series}
steps:
  - standardise: {minimum_length: 20}
  - correlation
report: []
"""


class World:
    """A source and a pipeline in a folder; commands on any cohort."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        write_ar1_cohort(
            folder / "source", subjects=SUBJECTS, regions=6, samples=40, affected=(1, 3)
        )
        (folder / "small.yaml").write_text(killing.PIPELINE)
        (folder / "light.yaml").write_text(LIGHT)

    def start(self, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        """A command in a process group of its own."""
        return subprocess.Popen(
            [BIN, *arguments],
            env={
                **os.environ,
                **self.environment,
                "COHORTFLOW_TRACKING": "off",
                "COHORTFLOW_HOME": str(self.folder / "home"),
                **environment,
            },
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )

    def call(self, *arguments: str | Path, code: int = 0, **environment: str) -> str:
        """What a command said; it must end with ``code``."""
        process = self.start(*arguments, **environment)
        said = self.end_of(process)
        assert process.returncode == code, said
        return said

    @staticmethod
    def end_of(process: subprocess.Popen[str]) -> str:
        try:
            said, _ = process.communicate(timeout=LONG_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            raise AssertionError(f"a command hung: {said}") from None
        return said

    def ingest(self, cohort: str) -> None:
        self.call("ingest", "source", cohort, "--atlas", "source/atlas.tsv")

    def start_run(
        self, cohort: str, pipeline: str = "small.yaml", **environment: str
    ) -> subprocess.Popen[str]:
        return self.start(*_run(cohort, pipeline), **environment)

    def run(
        self, cohort: str, pipeline: str = "small.yaml", code: int = 0, **environment: str
    ) -> str:
        return self.call(*_run(cohort, pipeline), code=code, **environment)


def _run(cohort: str, pipeline: str) -> list[str]:
    return ["run", pipeline, cohort, "--workers", "2", "--no-prefect"]


def kill(process: subprocess.Popen[str]) -> None:
    """``kill -9`` of the whole process group."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)


def records(cohort: str) -> list[str]:
    """Paths of the records of committed entries."""
    return [path for path, _ in open_storage(cohort).walk("") if path.endswith("/entry.json")]


def committed(cohort: str) -> dict[str, dict[str, Any]]:
    """Path of every committed entry → digest and size of each of its files,
    read from the record."""
    storage = open_storage(cohort)
    return {path: json.loads(storage.read(path))["files"] for path in records(cohort)}


def alive_in(group: int) -> list[str]:
    """Commands of the processes of a group that still run."""
    return [
        " ".join(process.cmdline()) for process in psutil.process_iter() if _group(process) == group
    ]


def _group(process: psutil.Process) -> int | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return os.getpgid(process.pid)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None
