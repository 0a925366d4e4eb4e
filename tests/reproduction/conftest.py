"""One small study, run and computed again once; every test takes copies."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.phantoms.ar1 import write_ar1_cohort
from cohortflow.pipeline.load import load_pipeline
from cohortflow.reproduction.block import Report, read_report
from cohortflow.reproduction.comparison import Again, compared
from cohortflow.reproduction.outcome import Outcome
from flows.finish import after_run
from flows.ingest import IngestRequest, ingest_source
from flows.process import process_cohort
from flows.reproduce import ReproduceRequest, reproduce
from tasks.request import RunRequest

PIPELINE = """
title: A small study
inputs: {series: roi_series}
splits: {paper: {test: 0.25, stratify: group}}
axes:
  comparison: {hc_mci: {where: {column: {group: [HC, MCI]}}}}
  degree: [0]
  seed: [0, 1]
steps:
  - standardise: {minimum_length: 20}
  - diagrams: {max_degree: 0}
  - pairwise_rois
  - classify:
      over: [comparison, degree, seed]
      network: DMN
      epochs: 1
      where: {split: paper/train}
      reads: {matrices: pairwise_rois}
  - score:
      over: [comparison, degree, seed]
      network: DMN
      where: {unseen_by: classify}
      reads: {matrices: pairwise_rois, weights: classify}
report: [accuracy, methods]
"""


@dataclass
class Study:
    """A cohort with a report, and the same computed again."""

    folder: Path
    again: Again

    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    @property
    def cohort(self) -> Cohort:
        return open_cohort(self.folder / "cohort")

    @property
    def report(self) -> Report:
        return read_report(self.page)

    def compare(self) -> Outcome:
        return compared(self.report, self.again, self.cohort)

    def request(self, **more: object) -> ReproduceRequest:
        return ReproduceRequest(
            self.page, str(self.folder / "cohort"), out=self.folder / "out", cluster="none", **more
        )  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A study whose run has left its report; computed again in ``again``, once for all tests."""
    folder = tmp_path_factory.mktemp("reproduction")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("COHORTFLOW_TRACKING", "off")
        write_ar1_cohort(folder / "source", subjects=8, regions=5, samples=30, affected=(1,))
        atlas = {"atlas": str(folder / "source" / "atlas.tsv")}
        ingest_source(IngestRequest(str(folder / "source"), str(folder / "cohort"), atlas))
        (folder / "small.yaml").write_text(PIPELINE)
        request = RunRequest(str(folder / "small.yaml"), str(folder / "cohort"), cluster="none")
        result = process_cohort(request, after_run=after_run("cohortflow run"))
        assert result.exit_code == 0
        shutil.copyfile(str(result.report), folder / "report.html")
        reproduce(
            ReproduceRequest(
                folder / "report.html",
                str(folder / "cohort"),
                keep=folder / "again",
                out=folder / "out",
                cluster="none",
            )
        )
        yield folder


@pytest.fixture
def study(ran: Path, tmp_path: Path) -> Study:
    for name in ("cohort", "report.html", "out"):
        if (ran / name).is_dir():
            shutil.copytree(ran / name, tmp_path / name)
        else:
            shutil.copyfile(ran / name, tmp_path / name)
    scratch = open_cohort(ran / "again" / "cohort")
    page = next((ran / "again" / "cohort" / "reports").glob("*/*/report.html"))
    pipeline = load_pipeline(str(ran / "again" / "small.yaml"))
    return Study(tmp_path, Again(read_report(page), pipeline, scratch, 0, 0))
