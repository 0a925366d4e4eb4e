"""A cohort over several nights: what changes in the source by day, what a night then does."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.cohort.indexes import Index
from cohortflow.cohort.run_view import UnitRow, rows_in
from cohortflow.evaluation.cases import read_cases
from cohortflow.phantoms.ar1 import write_ar1_cohort
from cohortflow.pipeline.reasons import summary
from flows.finish import after_run
from flows.ingest import IngestRequest, ingest_source
from flows.night import run_night
from flows.process import process_cohort
from tasks.planning import plan_only
from tasks.request import RunRequest, RunResult
from tasks.status import cohort_status
from tests.report.pages import text_of

PIPELINE = """
title: Groups told apart
inputs: {series: roi_series}
splits: {paper: {test: 0.25, stratify: group}}
axes:
  seed: [0, 1]
steps:
  - average
  - square: {reads: {averages: average}}
  - tally: {reads: {tables: square}}
  - learn: {over: [seed], reads: {tables: square}, where: {split: paper/train}}
  - judge: {over: [seed], reads: {tables: square, weights: learn}, where: {unseen_by: learn}}
report: []
"""
SUBJECTS = 12
MOST = 16


@dataclass(frozen=True)
class Night:
    """What one night did. ``computed``: step → the subjects it ran for, as each unit traced it.

    ``versions``: of the stage of each step, as the index has them. ``reasons``: step → units to run
    and why, as the plan said after the ingest.
    """

    index: Index
    rows: list[UnitRow]
    versions: dict[str, int]
    result: RunResult
    computed: dict[str, list[str]]
    reasons: dict[str, tuple[int, str]]
    problem: str | None
    status: dict[str, Any]
    scored: dict[int, int]
    selections: list[tuple[int, str, int]]

    def states(self) -> Mapping[str, int]:
        return Counter(row.state for row in self.rows)

    def n(self, step: str) -> set[tuple[int, int]]:
        """Of a reduction: how many subjects it was computed from, and how many were missing."""
        return {(row.n, row.missing) for row in self.rows if row.step == step}

    def since_trained(self) -> dict[str, int]:
        (row,) = self.status["selections"]
        return {name: row[name] for name in ("new", "changed", "corrected", "withdrawn")}


class Study:
    """A source of generated recordings, a cohort,
    and the file to which every computation appends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.trace = folder / "trace"
        self._all = folder / "all"
        self.pages: list[str] = []
        write_ar1_cohort(self._all, subjects=MOST, regions=5, samples=40, affected=(1, 3))
        self.source.mkdir()
        for name in ("participants.tsv", "atlas.tsv"):
            shutil.copy(self._all / name, self.source)
        self.add(*range(1, SUBJECTS + 1))
        pipeline = folder / "small.yaml"
        pipeline.write_text(PIPELINE)
        self.request = RunRequest(str(pipeline), str(folder / "cohort"), cluster="none")

    @property
    def cohort(self) -> Cohort:
        return open_cohort(self.request.cohort)

    @property
    def _reports(self) -> Path:
        return self.folder / "cohort" / "reports" / "small"

    def lines(self) -> list[dict[str, Any]]:
        """The history, a line per run."""
        found: list[dict[str, Any]] = json.loads((self._reports / "nights.json").read_text())[
            "lines"
        ]
        return found

    # --- by day -----------------------------------------------------------------------------------

    def add(self, *numbers: int) -> None:
        for number in numbers:
            shutil.copy(self._all / f"sub-{number:02d}.1D", self.source)

    def correct(self, subject: str, before: str, after: str) -> None:
        """Another diagnosis in the table of participants."""
        table = self.source / "participants.tsv"
        text = table.read_text()
        assert f"{subject}\t{before}" in text
        table.write_text(text.replace(f"{subject}\t{before}", f"{subject}\t{after}"))

    def record_again(self, subject: str) -> None:
        """Other samples under the same name, as after a repeated preprocessing."""
        path = self.source / f"{subject}.1D"
        lines = path.read_text().splitlines()
        path.write_text("\n".join(reversed(lines)) + "\n")

    # --- by night ---------------------------------------------------------------------------------

    def first(self) -> Night:
        """The cohort is taken in and trained on by a person."""
        atlas = {"atlas": str(self.source / "atlas.tsv")}
        ingest_source(IngestRequest(str(self.source), self.request.cohort, atlas))
        return self._told(*self._run(self.request), problem=None)

    def night(self, **asked: Any) -> Night:
        """What the nightly deployment calls."""
        ended, problem = run_night(replace(self.request, **asked), self._run)
        return self._told(*ended, problem=problem.code if problem else None)

    def _run(self, request: RunRequest) -> tuple[RunResult, dict[str, tuple[int, str]]]:
        plan, _ = plan_only(request)
        rows = [row for row in summary(plan) if row["action"] == "run"]
        assert len({row["step"] for row in rows}) == len(rows), rows
        reasons = {row["step"]: (row["units"], row["reason"]) for row in rows}
        self.trace.unlink(missing_ok=True)
        return process_cohort(request, after_run=after_run("cohortflow serve")), reasons

    def _told(
        self,
        result: RunResult,
        reasons: dict[str, tuple[int, str]],
        *,
        problem: str | None,
    ) -> Night:
        cohort = self.cohort
        self.pages.append(text_of((self._reports / "nights.html").read_text("utf-8")))
        index = cohort.indexes("small").get(result.index)
        return Night(
            index=index,
            rows=rows_in(index),
            versions={part["step"]: part["version"] for part in index.parts()},
            result=result,
            computed=self._computed(),
            reasons=reasons,
            problem=problem,
            status=cohort_status(cohort),
            scored=self._scored(cohort),
            selections=[(s.number, s.digest, len(s.subjects)) for s in cohort.selections.all()],
        )

    def _computed(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        lines = self.trace.read_text().splitlines() if self.trace.exists() else []
        for step, subject, _ in (line.split("\t") for line in lines):
            found.setdefault(step, []).append(subject)
        return {step: sorted(subjects) for step, subjects in found.items()}

    def _scored(self, cohort: Cohort) -> dict[int, int]:
        """Seed → cases of the score."""
        score = cohort.run("small")["cohort"]["judge"]
        entries = {seed: score.entry(seed=seed) for seed in (0, 1)}
        return {
            seed: len(read_cases(entry.read_file("cases.parquet")).cases)
            for seed, entry in entries.items()
        }
