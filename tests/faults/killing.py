"""Start a real ``cohortflow run``, kill its whole process group from outside,
and compare cohorts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cohortflow.phantoms.ar1 import write_ar1_cohort
from flows.ingest import IngestRequest, ingest_source
from flows.process import process_cohort
from tasks.request import RunRequest

BIN = Path(sys.executable).with_name("cohortflow")
HELD_STORE = Path(__file__).with_name("held_store")
WORKERS = 2
SEEDS = [0, 1, 2, 3]

PIPELINE = """
title: A small cohort, every kind of step
inputs: {series: roi_series}
splits: {paper: {test: 0.25, stratify: group}}
axes:
  degree: [0, 1]
  seed: [0, 1]
steps:
  - standardise: {minimum_length: 20}
  - diagrams: {max_degree: 1}
  - pairwise_rois
  - rank_sum_map: {network: DMN, degree: 0}
  - classify: {over: [degree, seed], network: DMN, epochs: 30,
      where: {split: paper/train}, reads: {matrices: pairwise_rois}}
  - score: {over: [degree, seed], network: DMN, where: {unseen_by: classify},
      reads: {matrices: pairwise_rois, weights: classify}}
report: []
"""


def prepare(folder: Path) -> None:
    """A source, a pipeline and nothing else.

    Seeds stand in for degrees: distances of degree 1 take each worker of each run long to compile.
    """
    write_ar1_cohort(folder / "source", subjects=12, regions=6, samples=40, affected=(1, 3))
    text = PIPELINE.replace("degree: [0, 1]", "degree: [0]").replace(
        "seed: [0, 1]", f"seed: {SEEDS}"
    )
    (folder / "small.yaml").write_text(text.replace("max_degree: 1", "max_degree: 0"))


def ingest(folder: Path, cohort: Path) -> None:
    source = folder / "source"
    ingest_source(IngestRequest(str(source), str(cohort), {"atlas": str(source / "atlas.tsv")}))


def start(folder: Path, cohort: Path, *, hold: str = "", prefect: bool = False) -> subprocess.Popen:
    """The run, in a process group of its own; every computation appends to ``<cohort>.trace``."""
    environment = {
        **os.environ,
        "COHORTFLOW_TRACE": f"{cohort}.trace",
        "COHORTFLOW_TRACKING": "off",
    }
    if hold:
        environment |= {"HOLD": hold, "HELD": f"{cohort}.held", "PYTHONPATH": str(HELD_STORE)}
    command = [BIN, "run", folder / "small.yaml", cohort, "--workers", str(WORKERS)]
    command += ["--prefect" if prefect else "--no-prefect"]
    return subprocess.Popen(
        command,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(folder: Path, cohort: Path) -> None:
    process = start(folder, cohort)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said


def finish_here(folder: Path, cohort: Path) -> None:
    """The same run in this process, which has imported and compiled what each of a run's would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COHORTFLOW_TRACE", f"{cohort}.trace")
        request = RunRequest(str(folder / "small.yaml"), str(cohort), cluster="none")
        assert process_cohort(request).exit_code == 0


def kill_when(process: subprocess.Popen, ready: Callable[[], bool], timeout_s: float = 120) -> None:
    """SIGKILL to the whole group once ``ready`` holds."""
    until = time.monotonic() + timeout_s
    while not ready():
        assert process.poll() is None, f"the run ended too early: {process.communicate()[0]}"
        assert time.monotonic() < until, "the moment to kill never came"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def committed(cohort: Path) -> dict[str, dict[str, str]]:
    """Path of every committed entry → the sha256 of each of its files, read from the record."""
    found = {}
    for record in sorted(cohort.glob("**/entry.json")):
        document = json.loads(record.read_text())
        files = {name: about["sha256"] for name, about in document["files"].items()}
        found[str(record.parent.relative_to(cohort))] = files
    return found


def computations(cohort: Path) -> Counter[str]:
    """Key → how often it was computed."""
    lines = Path(f"{cohort}.trace").read_text().splitlines()
    return Counter(line.split("\t")[2] for line in lines)
