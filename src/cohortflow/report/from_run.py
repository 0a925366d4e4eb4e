"""The newest index of a pipeline as the source of a report."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from cohortflow.cohort.entry import Entry
from cohortflow.cohort.run_view import RunView, UnitRow
from cohortflow.errors import EntryMissing
from cohortflow.pipeline.model import Pipeline
from cohortflow.report.run_timings import step_times, unit_time
from cohortflow.report.source import ReportUnit, StepTimes, UnitTime

if TYPE_CHECKING:
    import pandas as pd

    from cohortflow.report.subjects.book import SubjectBook

PACKAGES = (
    "cohortflow",
    "numpy",
    "scipy",
    "torch",
    "gudhi",
    "xarray",
    "zarr",
    "pandas",
    "scikit-learn",
    "prefect",
    "distributed",
    "mlflow",
)


class RunSource:
    """Implements :class:`cohortflow.report.source.ReportSource` over a run.

    ``pages`` writes the pages of subjects, when they are first asked for.
    """

    def __init__(
        self,
        run: RunView,
        pipeline: Pipeline,
        *,
        command: str = "",
        links: Mapping[str, str] | None = None,
        pages: Callable[[RunSource], SubjectBook] | None = None,
    ) -> None:
        self.run = run
        self._pipeline = pipeline
        self._command = command
        self._links = links or {}
        self._pages = pages
        self._rows: dict[str, UnitRow] = {row.key: row for row in run.rows}

    @cached_property
    def pipeline(self) -> Mapping[str, Any]:
        pipeline = self._pipeline
        return {
            "slug": pipeline.slug,
            "title": pipeline.title,
            "system": pipeline.system,
            "text": pipeline.document.text,
            "settings": list(self.run.index.claim["settings"]),
            "report": list(pipeline.report),
            "steps": [self._step(step) for step in pipeline.steps],
            "axes": self._axes(),
            "tiles": [axis.name for axis in pipeline.axes.values() if axis.pairs is not None],
            "files": self._files(),
        }

    def _files(self) -> list[dict[str, Any]]:
        """Files that the run was planned with; without a digest where its ingest is gone."""
        declared = self._pipeline.files.values()
        try:
            known = self.run.cohort.ingests.get(self.run.index.claim["ingest"]).files
        except EntryMissing:
            return [{"name": f.name, "kind": f.kind, "digest": "", "bytes": 0} for f in declared]
        taken_in = [known[f.name] for f in declared if f.name in known]
        return [
            {"name": f.name, "kind": f.kind, "digest": f.digest, "bytes": f.bytes} for f in taken_in
        ]

    def _step(self, step: Any) -> dict[str, Any]:
        rows = self.run.select(step=step.id)
        return {
            "id": step.id,
            "stage": step.stage.name,
            "version": step.stage.version,
            "about": step.stage.about,
            "source": step.stage.source,
            "parameters": self._parameters(step, rows),
            "declared": dict(step.parameters),
            "over": list(step.over),
            "reads": {name: [read.source for read in reads] for name, reads in step.reads.items()},
        }

    def _parameters(self, step: Any, rows: Sequence[UnitRow]) -> dict[str, Any]:
        """What ran; parameters that only steered planning, and were put back, as declared."""
        common = self._common_parameters(rows, step.over)
        fields = step.stage.parameters.model_fields
        put_back = {
            name: asked
            for name, asked in step.parameters.items()
            if name in common and name in fields and common[name] == fields[name].default
        }
        return {**common, **put_back}

    @staticmethod
    def _common_parameters(rows: Sequence[UnitRow], over: Sequence[str]) -> dict[str, Any]:
        """What every unit of the step was given; what the axes vary is left out."""
        if not rows:
            return {}
        common = {k: v for k, v in rows[0].parameters.items() if k not in over}
        return {k: v for k, v in common.items() if all(r.parameters.get(k) == v for r in rows)}

    def _axes(self) -> dict[str, list[Any]]:
        labels: dict[str, dict[Any, None]] = {}
        for row in self.run.rows:
            for axis, label in row.point.items():
                labels.setdefault(axis, {})[label] = None
        return {axis: list(labels[axis]) for axis in self._pipeline.axes if axis in labels}

    @property
    def participants(self) -> pd.DataFrame:
        return self.run.cohort.participants

    @property
    def refused(self) -> list[dict[str, Any]]:
        subjects = self.run.cohort.ingested.subjects.values()
        return [{"subject": s.id, "error": s.error} for s in subjects if s.error is not None]

    @property
    def ingested(self) -> list[dict[str, Any]]:
        """What ingest found out about every entry, one dictionary each."""
        return [
            {"subject": s.id, "entry": e.name, "facts": e.facts, "warnings": e.warnings}
            for s in self.run.cohort.ingested.subjects.values()
            for e in s.entries.values()
        ]

    @cached_property
    def timings(self) -> list[StepTimes]:
        return step_times(self.run, [step.id for step in self._pipeline.steps])

    @cached_property
    def environment(self) -> Mapping[str, Any]:
        index = self.run.index
        return {
            "created": (index.summary or index.claim).get("finished", index.claim["started"]),
            "cohort": self.run.cohort.id,
            "index": index.number,
            "run": index.claim["run"],
            "ingest": index.claim["ingest"],
            "seed": self._pipeline.seed,
            "command": self._command,
            "links": dict(self._links),
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "versions": {name: found for name in PACKAGES if (found := package_version(name))},
        }

    def units(self, step: str | None = None, stage: str | None = None) -> list[ReportUnit]:
        return [self._unit(row) for row in self.run.select(step=step, stage=stage)]

    def _unit(self, row: UnitRow) -> ReportUnit:
        return ReportUnit(
            step=row.step,
            stage=row.stage,
            kind=row.kind,
            subject=row.subject,
            point=row.point,
            key=row.key,
            state=row.state,
            reason=row.reason,
            facts=_LazyFacts(self.run, row),
            warnings=row.warnings,
            error=self._error(row),
            n=row.n,
        )

    def _error(self, row: UnitRow) -> Mapping[str, Any] | None:
        if row.error is None or row.state == "blocked":
            return row.error
        return {"replay": f"cohortflow replay {self.run.cohort.url} {row.key[:16]}", **row.error}

    @cached_property
    def subjects(self) -> SubjectBook | None:
        return None if self._pages is None else self._pages(self)

    def unit_time(self, unit: ReportUnit) -> UnitTime | None:
        return unit_time(self.run, self._rows[unit.key])

    def entry(self, unit: ReportUnit) -> Entry:
        return self.run.open(self._rows[unit.key])


class _LazyFacts(Mapping[str, Any]):
    """Facts read from the entry's record when first asked for: a report needs few of them."""

    def __init__(self, run: RunView, row: UnitRow) -> None:
        self._run = run
        self._row = row

    @cached_property
    def _facts(self) -> Mapping[str, Any]:
        return self._run.open(self._row).facts if self._row.state == "done" else {}

    def __getitem__(self, name: str) -> Any:
        return self._facts[name]

    def __iter__(self) -> Any:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


def package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
