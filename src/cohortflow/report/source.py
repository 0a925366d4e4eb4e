"""What a report is made from: units, tables and entries of one run, read through a protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from cohortflow.cohort.entry import Entry

if TYPE_CHECKING:
    import pandas as pd

    from cohortflow.report.subjects.book import SubjectBook


@dataclass(frozen=True)
class ReportUnit:
    """One unit of the newest index: where it stands, its state, and what it said about itself.

    ``state``: done, failed, blocked, quarantined, pending or running. ``error``: code, message,
    hint and, where known, ``replay``. ``n``: how many subjects a reduction read.
    """

    step: str
    stage: str
    kind: str
    subject: str | None
    point: Mapping[str, Any]
    key: str
    state: str
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[Mapping[str, str]] = ()
    error: Mapping[str, Any] | None = None
    n: int | None = None


@dataclass(frozen=True)
class UnitTime:
    """When a unit was computed (ISO 8601, this machine's clock) and for how many whole seconds."""

    began: str
    seconds: int


@dataclass(frozen=True)
class StepTimes:
    """What a step took in the run that computed most of what stands of it.

    ``made`` of its ``standing`` results are that run's; ``index``: its number, None where it is not
    known; ``here``: it is the run of the report. ``units``: done or failed in that run. ``unit_s``:
    what they took one by one, added up. ``work``: what its stage counted (``{"clouds": 1600}``).
    ``peak_memory_bytes``: of its largest process. None and 0: not known.
    """

    step: str
    standing: int
    made: int = 0
    index: int | None = None
    here: bool = False
    units: int | None = None
    failed: int | None = None
    wall_s: float | None = None
    unit_s: float | None = None
    work: Mapping[str, int] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    workers: int = 0
    threads: int = 0


class ReportSource(Protocol):
    """One run, seen by the report.

    ``pipeline``: slug, title, system, text of the YAML, ``report`` (section names), ``axes`` (name
    → labels), ``tiles`` (its axes of pairs of blocks), ``files`` (of no subject: name, kind,
    digest, bytes) and ``steps``: each id, stage, version, about, source, parameters, over, and
    where known ``declared`` (parameters as the file has them) and ``reads``. ``participants``: one
    row per subject, the id as index. ``refused``: subjects turned away at ingest, ``{"subject",
    "error"}``. ``ingested``: what ingest found out about every entry, ``{"subject", "entry",
    "facts", "warnings"}``. ``timings``: of each step that computed anything, in the order of the
    pipeline. ``environment``: versions, python, platform, seed, cohort, index, created (ISO),
    command; ``links``: addresses of this run's pages elsewhere by the name of the program that
    shows them. ``subjects``: pages of subjects that stand beside the report; None where none are
    kept. ``unit_time``: of one unit, None where its log is gone.
    """

    @property
    def pipeline(self) -> Mapping[str, Any]: ...

    @property
    def participants(self) -> pd.DataFrame: ...

    @property
    def refused(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def ingested(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def timings(self) -> Sequence[StepTimes]: ...

    @property
    def environment(self) -> Mapping[str, Any]: ...

    def units(self, step: str | None = None, stage: str | None = None) -> list[ReportUnit]: ...

    @property
    def subjects(self) -> SubjectBook | None: ...

    def entry(self, unit: ReportUnit) -> Entry: ...

    def unit_time(self, unit: ReportUnit) -> UnitTime | None: ...


def done(units: Sequence[ReportUnit]) -> list[ReportUnit]:
    """The units whose entry can be read."""
    return [unit for unit in units if unit.state == "done"]


def states(units: Sequence[ReportUnit]) -> dict[str, int]:
    """Number of units by state, in a fixed order, absent states left out."""
    counts = Counter(unit.state for unit in units)
    order = ("done", "failed", "quarantined", "blocked", "running", "pending")
    known = {state: counts.pop(state) for state in order if state in counts}
    return known | dict(sorted(counts.items()))


def steps_of_stage(source: ReportSource, stage: str) -> list[Mapping[str, Any]]:
    return [step for step in source.pipeline["steps"] if step["stage"] == stage]


def axis_labels(source: ReportSource, axis: str, units: Sequence[ReportUnit]) -> list[Any]:
    """Labels of an axis found among units, in the order of the pipeline."""
    found = list(dict.fromkeys(unit.point[axis] for unit in units if axis in unit.point))
    order = list(source.pipeline.get("axes", {}).get(axis, ()))
    return sorted(found, key=lambda label: order.index(label) if label in order else len(order))


def place(point: Mapping[str, Any], without: Sequence[str] = ()) -> str:
    """A point in words: ``comparison hc_mci, degree 0``; empty where there are no axes."""
    return ", ".join(f"{axis} {point[axis]}" for axis in point if axis not in without)
