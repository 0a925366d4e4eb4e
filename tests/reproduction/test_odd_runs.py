"""Reports of runs that were no plain first one: failures, several runs, corrections, copies."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from cohortflow.cohort.cohort import open_cohort
from cohortflow.errors import Cancelled, ReportDataMissing
from cohortflow.phantoms.ar1 import write_ar1_cohort
from cohortflow.reproduction.outcome import Outcome
from cohortflow.reproduction.verdicts import EQUAL
from flows.finish import after_run
from flows.ingest import IngestRequest, ingest_source
from flows.process import process_cohort
from flows.reproduce import ReproduceRequest, reproduce
from tasks.request import RunRequest, RunResult
from tests.reproduction.conftest import Study

TRAINED = """
title: Everything at once
inputs: {series: roi_series}
splits: {cv: {folds: 2, stratify: group}}
axes:
  fold: {split: cv}
  seed: [0, 1]
steps:
  - standardise: {minimum_length: 20}
  - correlation
  - classify:
      over: [fold, seed]
      network: DMN
      model: random_forest
      where: {split: cv/train}
      reads: {matrices: correlation}
  - score:
      over: [fold, seed]
      network: DMN
      where: {unseen_by: classify}
      reads: {matrices: correlation, weights: classify}
report: [accuracy, benchmark]
"""


class Place:
    """A source, a cohort and runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cohort = folder / "cohort"
        write_ar1_cohort(folder / "source", subjects=8, regions=4, samples=30, affected=(1,))
        (folder / "odd.yaml").write_text(TRAINED)

    def ingest(self, cohort: Path | None = None) -> None:
        atlas = {"atlas": str(self.folder / "source" / "atlas.tsv")}
        request = IngestRequest(str(self.folder / "source"), str(cohort or self.cohort), atlas)
        ingest_source(request)

    def run(self, **more: Any) -> RunResult:
        request = RunRequest(
            str(self.folder / "odd.yaml"), str(self.cohort), cluster="none", **more
        )
        return process_cohort(request, after_run=after_run("cohortflow run"))

    def reproduce(self, result: RunResult, cohort: Path | None = None, **more: Any) -> Outcome:
        return reproduce(
            ReproduceRequest(
                Path(str(result.report)),
                str(cohort or self.cohort),
                out=self.folder / "out",
                cluster="none",
            ),
            **more,
        )

    def series(self, number: int) -> Path:
        return sorted((self.folder / "source").glob("**/*sub-*.*"))[number]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("COHORTFLOW_TRACKING", "off")
    return Place(tmp_path)


@pytest.mark.slow
def test_refused_subjects_and_failed_units_come_out_the_same(place: Place) -> None:
    place.series(2).write_text("no numbers\n")
    lines = place.series(4).read_text().splitlines()
    place.series(4).write_text("\n".join(lines[:12]) + "\n")
    place.ingest()
    result = place.run()
    assert result.exit_code == 3
    assert result.counts["failed"] >= 2
    outcome = place.reproduce(result)
    assert outcome.verdict == EQUAL
    assert any(line.group == "failures, table failures" for line in outcome.report)


@pytest.mark.slow
def test_what_was_not_asked_for_is_not_computed_and_a_later_run_counts_too(place: Place) -> None:
    place.ingest()
    first = place.run(at={"seed": ("0",)})
    outcome = place.reproduce(first)
    assert outcome.verdict == EQUAL
    assert outcome.computed == 8 * 2 + 2 + 2
    second = place.run()
    outcome = place.reproduce(second)
    assert outcome.verdict == EQUAL
    assert outcome.computed == 8 * 2 + 4 + 4
    assert not outcome.manifest.earlier, "the earlier run was of the same code"


@pytest.mark.slow
def test_weights_that_learned_from_an_earlier_recording_are_refused(place: Place) -> None:
    place.ingest()
    place.run()
    lines = place.series(0).read_text().splitlines()
    place.series(0).write_text("\n".join(lines[::-1]) + "\n")
    place.ingest()
    result = place.run()
    with pytest.raises(ReportDataMissing, match="earlier recordings") as refused:
        place.reproduce(result)
    assert "--refresh" in refused.value.hint
    refreshed = place.run(refresh=("classify",))
    assert place.reproduce(refreshed).verdict == EQUAL


@pytest.mark.slow
def test_another_cohort_of_the_same_recordings_will_do(place: Place) -> None:
    place.ingest()
    result = place.run()
    other = place.folder / "other"
    place.ingest(other)
    outcome = place.reproduce(result, other)
    assert outcome.verdict == EQUAL
    assert not outcome.stored
    assert any("another cohort" in note for note in outcome.notes)
    assert any("24 results are not stored" in note for note in outcome.notes)


def test_a_reproduction_that_is_stopped_compares_nothing(study: Study) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled) as stopped:
        reproduce(dataclasses.replace(study.request(), out=study.folder / "new"), stop=stop)
    assert stopped.value.exit_code == 130
    assert not (study.folder / "new").exists()


def test_a_copy_of_the_cohort_elsewhere_is_the_cohort(study: Study, tmp_path: Path) -> None:
    shutil.move(tmp_path / "cohort", tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", tmp_path / "cohort")
    assert open_cohort(tmp_path / "cohort").id == study.report.manifest.cohort
    assert study.compare().verdict == EQUAL
