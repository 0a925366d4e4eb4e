"""What a run knows before it starts, and the plan made from it; writes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.cohort.cohort import Cohort, open_cohort
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
    cohort = open_cohort(request.cohort)
    pipeline = load_pipeline(request.pipeline, request.settings)
    plan = Known(request, cohort, pipeline).plan()
    return plan, project(plan)


class Known:
    """The rows of earlier indexes, and from them the ledger: what has become of each key."""

    def __init__(self, request: RunRequest, cohort: Cohort, pipeline: Pipeline) -> None:
        check_subjects(cohort, request.subjects)
        self.request = request
        self.cohort = cohort
        self.pipeline = pipeline
        parts = known_parts(cohort, pipeline.slug)
        self.rows = rows_of(parts)
        self._earlier = EarlierRows(cohort.indexes(pipeline.slug))
        self.warnings = warnings_by_key(parts)
        self.made_in = made_in_by_key(parts)
        self.ledger = Ledger(cohort, parts, retry_failed=request.retry_failed)

    def plan(self, held: Mapping[str, str] | None = None) -> Plan:
        """The plan of today. ``held``: questions that cannot be frozen, and why."""
        options = dataclasses.replace(self.request.options(), held=dict(held or {}))
        ingested, selections = self.cohort.ingested, self.cohort.selections
        plan = make_plan(self.pipeline, ingested, self.ledger, selections, options)
        explain(plan, self.rows, self._earlier.finished)
        return plan


def known_parts(cohort: Cohort, slug: str) -> list[dict[str, Any]]:
    """Parts of the newest finished index, then those of later runs that did not finish."""
    book = cohort.indexes(slug)
    newest = book.newest(complete_only=True)
    since = newest.number if newest is not None else 0
    parts = list(read_parts(newest))
    for number in book.numbers():
        if number > since:
            with contextlib.suppress(EntryMissing):  # being removed
                parts += read_parts(book.get(number))
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
