"""What a run knows before it starts, and the plan made from it; writes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.cohort.indexes import Index
from cohortflow.errors import EntryMissing, SelectionEmpty
from cohortflow.pipeline.estimate import Projection, project
from cohortflow.pipeline.ledger import EarlierRows, Ledger, read_parts, rows_of
from cohortflow.pipeline.load import load_pipeline
from cohortflow.pipeline.model import Pipeline
from cohortflow.pipeline.parts import made_in_by_key, warnings_by_key
from cohortflow.pipeline.plan import Plan, make_plan
from cohortflow.pipeline.reasons import explain
from tasks.request import RunRequest


def plan_only(request: RunRequest) -> tuple[Plan, Projection]:
    """What a run would do, with reasons; writes nothing."""
    planned = look(request)
    return planned.plan, project(planned.plan)


@dataclasses.dataclass(frozen=True)
class Planned:
    """A plan and what it was made from. A run that finds nothing changed goes on from it."""

    known: Known
    plan: Plan

    def stands(self) -> bool:
        """Whether no run and no ingest has ended since: asked of a store by two listings."""
        known = self.known
        numbers = known.cohort.indexes(known.pipeline.slug).numbers()
        newest = max(known.cohort.ingests.numbers(), default=0)
        return (numbers, newest) == (known.numbers, known.ingested.number)


def look(request: RunRequest) -> Planned:
    """Plan; writes nothing."""
    cohort = open_cohort(request.cohort)
    pipeline = load_pipeline(request.pipeline, request.settings)
    known = Known(request, cohort, pipeline)
    return Planned(known, known.plan())


class Known:
    """The rows of earlier indexes, and from them the ledger: what has become of each key."""

    def __init__(self, request: RunRequest, cohort: Cohort, pipeline: Pipeline) -> None:
        check_subjects(cohort, request.subjects)
        self.request = request
        self.cohort = cohort
        self.pipeline = pipeline
        self.ingested = cohort.ingested
        if not self.ingested.number:
            raise SelectionEmpty(
                "nothing was taken into this cohort yet",
                where="the cohort",
                expected="an ingest",
                hint="cohortflow ingest SOURCE COHORT takes recordings in.",
            )
        book = cohort.indexes(pipeline.slug)
        self.numbers = book.numbers()
        trusted = book.trusted(self.numbers)
        self.changed_in = _changed_in(trusted)
        parts = parts_of(trusted)
        self.rows = rows_of(parts)
        self._earlier = EarlierRows(book, trusted[0].number if trusted else 0)
        self.warnings = warnings_by_key(parts)
        self.made_in = made_in_by_key(parts)
        self.ledger = Ledger(cohort, parts, retry_failed=request.retry_failed)

    def plan(self, held: Mapping[str, str] | None = None) -> Plan:
        """The plan of today. ``held``: questions that cannot be frozen, and why."""
        options = dataclasses.replace(self.request.options(), held=dict(held or {}))
        selections = self.cohort.selections
        plan = make_plan(self.pipeline, self.ingested, self.ledger, selections, options)
        explain(plan, self.rows, self._earlier.finished)
        return plan


def _changed_in(trusted: Sequence[Index]) -> int | None:
    """The newest run that changed a state; None where one did not finish,
    so that it is not known."""
    summary = trusted[0].summary if len(trusted) == 1 else None
    return None if summary is None else summary.get("changed_in")


def parts_of(indexes: Sequence[Index]) -> list[dict[str, Any]]:
    """Parts of several indexes, in their order."""
    parts: list[Mapping[str, Any]] = []
    for index in indexes:
        with contextlib.suppress(EntryMissing):  # being removed
            parts += read_parts(index)
    return [dict(part) for part in parts]


def check_subjects(cohort: Cohort, wanted: Sequence[str] | None) -> None:
    """:class:`SelectionEmpty` where a subject asked for is none of the cohort."""
    if wanted is None:
        return
    strange = sorted(set(wanted) - set(cohort.subjects))
    if strange:
        raise SelectionEmpty(
            f"no subject {', '.join(strange)}",
            where="--subjects",
            hint="cohortflow status lists them.",
        )
