"""What one run did, counted from its units and the list of subjects; no entry is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cohortflow.cohort.entries import KEY_DIGITS
from cohortflow.cohort.ingests import Ingested, IngestedSubject
from cohortflow.cohort.run_view import UnitRow
from cohortflow.pipeline.states import REFUSED
from cohortflow.report.causes import Causes
from cohortflow.report.source import place

Line = dict[str, Any]
"""One run in the history: counts and times, no names."""


@dataclass(frozen=True)
class News:
    """Subjects since the run before. ``changed``: their recordings; ``corrected``: their columns.

    Both are None where the list of subjects of then is gone, as after somebody was forgotten.
    ``withdrawn`` is a number: who it was is not known any more.
    """

    new: Sequence[str] = ()
    changed: Sequence[str] | None = ()
    corrected: Sequence[str] | None = ()
    withdrawn: int = 0

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.corrected or self.withdrawn)


@dataclass(frozen=True)
class Night:
    """One run. ``line``: its line of the history; ``earlier``: those before it,
    the oldest first."""

    pipeline: str
    title: str
    cohort: str
    line: Line
    earlier: Sequence[Line] = ()
    news: News = field(default_factory=News)
    refused: Sequence[Mapping[str, Any]] = ()
    causes: Sequence[Mapping[str, Any]] = ()
    reasons: Sequence[Mapping[str, Any]] = ()
    models: Sequence[Mapping[str, Any]] = ()
    report: str | None = None


def news_since(line: Line | None, before: Ingested | None, now: Ingested) -> News:
    """What is new in the list of subjects since the run of ``line``; nothing before the first run.

    ``before``: the list that run was planned with, where it is still there.
    """
    if line is None or line["ingest"] == now.number:
        return News()
    new = [s.id for s in now.subjects.values() if s.number >= line["next_number"]]
    withdrawn = max(0, _withdrawn(now) - line["withdrawn"])
    if before is None:
        return News(new, None, None, withdrawn)
    both = [(before.subjects[s.id], s) for s in now.subjects.values() if s.id in before.subjects]
    changed = [s.id for old, s in both if _recordings(old) != _recordings(s)]
    corrected = [s.id for old, s in both if old.columns != s.columns]
    return News(new, changed, corrected, withdrawn)


def _recordings(subject: IngestedSubject) -> dict[str, str]:
    return {name: entry.key for name, entry in subject.entries.items()}


def _withdrawn(ingested: Ingested) -> int:
    """Numbers are given once and for ever: those that nobody has were taken away."""
    return ingested.next_number - 1 - len(ingested.assigned)


def line_of(
    rows: Iterable[UnitRow],
    ingested: Ingested,
    steps: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
) -> Line:
    """The line of a run. ``steps``: what each did in it; ``about``: index, run,
    started, seconds."""
    states: Counter[str] = Counter()
    reductions: dict[str, list[int]] = {}
    for row in {(row.step, row.key): row for row in rows}.values():
        states[row.state] += 1
        if row.subject is None and row.kind != "weights" and row.state == "done":
            of = row.n + row.missing
            known = reductions.setdefault(row.step, [row.n, of])
            reductions[row.step] = [min(known[0], row.n), max(known[1], of)]
    return {
        **about,
        "ingest": ingested.number,
        "subjects": len(ingested.subjects),
        "refused": sum(subject.error is not None for subject in ingested.subjects.values()),
        "next_number": ingested.next_number,
        "withdrawn": _withdrawn(ingested),
        "ran": sum(step["done"] + step["failed"] for step in steps),
        "failed": sum(step["failed"] for step in steps),
        "states": dict(states),
        "n": reductions,
    }


def causes_of(rows: Iterable[UnitRow], url: str) -> list[dict[str, Any]]:
    """What stands failed, quarantined or blocked, a row per cause."""
    causes = Causes()
    for row in rows:
        if row.state in ("failed", "quarantined"):
            again = f"cohortflow replay {url} {row.key[:KEY_DIGITS]}"
            replay = "" if row.reason == REFUSED else again  # no unit mends a refused recording
            causes.add(row.step, row.state, {**(row.error or {}), "replay": replay}, _who(row))
        elif row.state == "blocked":
            causes.add(row.step, row.state, {"message": row.reason}, _who(row))
    return causes.rows()


def reasons_of(rows: Iterable[UnitRow], index: int) -> list[dict[str, Any]]:
    """What this run computed and why: a row per step and reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in {(row.step, row.key): row for row in rows}.values():
        if row.made_in == index:
            counts[row.step, row.reason] += 1
    return [
        {"step": step, "units": units, "reason": reason} for (step, reason), units in counts.items()
    ]


def refused_of(ingested: Ingested) -> list[dict[str, Any]]:
    """Subjects that the newest ingest refused, by cause."""
    causes = Causes()
    for subject in ingested.subjects.values():
        if subject.error is not None:
            causes.add("ingest", "refused", subject.error, subject.id)
    return causes.rows()


def _who(row: UnitRow) -> str:
    where = place(row.point)
    if row.subject is None:
        return where or "cohort"
    return f"{row.subject} ({where})" if where else row.subject
