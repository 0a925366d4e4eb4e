"""The command line, called in this process as its console script calls it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cohortflow.phantoms.ar1 import write_ar1_cohort

PIPELINE = """
title: Three steps
inputs: {series: roi_series}
axes: {comparison: {hc_mci: {where: {column: {group: [HC, MCI]}}}}}
steps:
  - standardise: {minimum_length: 20}
  - diagrams: {max_degree: 0}
  - pairwise_rois
  - rank_sum_map: {over: [comparison], network: DMN, degree: 0}
report: []
"""


@dataclass
class Result:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """How a command ends; a run goes through this process, without Prefect and tracking."""
    from flows.cli import main

    words = [str(argument) for argument in arguments]
    if words[0] == "run":
        words += ["--cluster", "none", "--no-prefect"]
    monkeypatch.setattr(sys, "argv", ["cohortflow", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


class CommandLine:
    """``cli("run", …)``, and what it says."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("COHORTFLOW_TRACKING", "off")
        monkeypatch.setenv("COLUMNS", "300")

    def __call__(self, *arguments: object) -> Result:
        self._capsys.readouterr()
        code = exit_code(self._monkeypatch, *arguments)
        said = self._capsys.readouterr()
        return Result(code, said.out, said.err)


def prepare(*arguments: object) -> int:
    """How a command ends that makes what several tests take copies of."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("COHORTFLOW_TRACKING", "off")
        return exit_code(monkeypatch, *arguments)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eight generated subjects, five regions, forty samples."""
    folder = tmp_path / "source"
    write_ar1_cohort(folder, subjects=8, regions=5, samples=40, affected=(1, 3))
    return folder


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "three-steps.yaml"
    path.write_text(PIPELINE)
    return path
