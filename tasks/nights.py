"""The page of a pipeline's runs, written after each of them, also where nothing was new.

What it tells of earlier runs stands beside it in ``nights.json``: numbers and times, nobody's id.
So a night without news reads one small file and writes two, and the history outlives the indexes
that ``gc`` removes. Without that file it is made again from the indexes that are kept.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.documents import encode, read_document
from cohortflow.cohort.indexes import Index
from cohortflow.cohort.ingests import Ingested
from cohortflow.cohort.run_view import RunView, UnitRow, rows_in
from cohortflow.errors import EntryCorrupt, EntryMissing
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.unit import ManyInput
from cohortflow.report.night import (
    Line,
    Night,
    causes_of,
    line_of,
    news_since,
    reasons_of,
    refused_of,
)
from cohortflow.report.night_page import render_night
from tasks.models import model_rows
from tasks.request import RunResult
from tasks.session import Session
from tasks.status import pipeline_in, plan_of

KEPT = 400
"""Runs in the history: more than a year of nights."""
LOOK_BACK = 30
"""Indexes that the history is made again from."""


def night_of(session: Session, result: RunResult) -> None:
    """Write the page after a run, from what the run still knows."""
    plan, index = session.plan, session.writer.number
    made_in = {**session.known.made_in, **_made_here(session, index)}
    rows = list(_rows_of(plan, made_in))
    ended = time.time()
    about = {
        "index": index,
        "run": session.run_id,
        "started": _told(session.started),
        "finished": _told(ended),
        "seconds": round(ended - session.started, 1),
    }
    steps = [asdict(timing) for timing in result.timings]
    line = line_of(rows, plan.ingested, steps, about)
    page = _Page(session.cohort, session.pipeline.slug, session.pipeline.title, result.report)
    page.write(plan, rows, line, made_in)


def night_again(cohort: Cohort, slug: str, report: str | None) -> None:
    """Write the page of the newest finished run again, from its index; ``report``: its address."""
    run = RunView(cohort, slug)
    plan = plan_of(cohort, slug)
    line = _line_of_index(cohort, run.index)
    if plan is None or line is None:
        return
    made_in = {row.key: row.made_in for row in run.rows if row.made_in is not None}
    title = pipeline_in(run.index, slug).title
    _Page(cohort, slug, title, report).write(plan, run.rows, line, made_in)


@dataclass(frozen=True)
class _Page:
    """Where the page belongs. ``report``: the address of the newest report."""

    cohort: Cohort
    slug: str
    title: str
    report: str | None

    def write(
        self, plan: Plan, rows: Sequence[UnitRow], line: Line, made_in: Mapping[str, int]
    ) -> None:
        """The page, and the history with this run's line."""
        cohort, ingested = self.cohort, plan.ingested
        history = _history(cohort, self.slug, line["index"])
        earlier = [one for one in history if one["run"] != line["run"]]
        ended = {one["index"]: one["finished"] for one in [*earlier, line]}
        night = Night(
            pipeline=self.slug,
            title=self.title or self.slug,
            cohort=cohort.id,
            line=line,
            earlier=earlier,
            news=news_since(*_before(cohort, earlier, ingested), ingested),
            refused=refused_of(ingested),
            causes=causes_of(rows, cohort.url),
            reasons=reasons_of(rows, line["index"]),
            models=model_rows(plan, cohort.indexes(self.slug), made_in, ended),
            report="/".join(Path(self.report).parts[-2:]) if self.report else None,
        )
        folder = f"reports/{self.slug}"
        cohort.storage.write(f"{folder}/nights.html", render_night(night).encode())
        cohort.storage.write(f"{folder}/nights.json", encode({"lines": [*earlier, line][-KEPT:]}))


def _history(cohort: Cohort, slug: str, index: int) -> list[Line]:
    """Lines of the runs before this one."""
    try:
        document = read_document(cohort.storage, f"reports/{slug}/nights.json")
        return list(document["lines"])
    except (EntryMissing, EntryCorrupt):
        return _from_indexes(cohort, slug, index)


def _from_indexes(cohort: Cohort, slug: str, before: int) -> list[Line]:
    book = cohort.indexes(slug)
    lines = []
    for number in [number for number in book.numbers() if number < before][-LOOK_BACK:]:
        with contextlib.suppress(EntryMissing):
            lines.append(_line_of_index(cohort, book.get(number)))
    return [line for line in lines if line is not None]


def _line_of_index(cohort: Cohort, index: Index) -> Line | None:
    """The line of a finished run; None where the list of subjects that it had is gone."""
    claim, summary = index.claim, index.summary
    if summary is None:
        return None
    try:
        ingested = cohort.ingests.get(claim["ingest"])
    except EntryMissing:
        return None
    about = {
        "index": index.number,
        "run": claim["run"],
        "started": claim["started"],
        "finished": summary["finished"],
        "seconds": _seconds(claim["started"], summary["finished"]),
    }
    return line_of(rows_in(index), ingested, summary["steps"], about)


def _before(
    cohort: Cohort, earlier: Sequence[Line], now: Ingested
) -> tuple[Line | None, Ingested | None]:
    """The run before, and the list of subjects it had where that is another one and still there."""
    line = earlier[-1] if earlier else None
    if line is None or line["ingest"] == now.number:
        return line, None
    try:
        return line, cohort.ingests.get(line["ingest"])
    except EntryMissing:
        return line, None


def _made_here(session: Session, index: int) -> dict[str, int]:
    found = session.outcomes.by_key.items()
    return {key: index for key, outcome in found if outcome["state"] == "done"}


def _rows_of(plan: Plan, made_in: Mapping[str, int]) -> Iterator[UnitRow]:
    """The units of a plan as its index has them."""
    for table in plan.steps():
        for unit in table.units():
            many = [source for source in unit.inputs.values() if isinstance(source, ManyInput)]
            yield UnitRow(
                step=unit.step,
                stage=unit.stage,
                kind=unit.kind,
                subject=unit.subject,
                point=table.point(unit),
                key=unit.key,
                state=unit.state,
                reason=unit.reason,
                error=dict(unit.error) if unit.error else None,
                warnings=[],
                n=len(unit.members),
                missing=sum(len(source.missing) for source in many),
                parameters={},
                made_in=made_in.get(unit.key),
            )


def _told(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))


def _seconds(started: str, finished: str) -> float:
    parse = datetime.datetime.fromisoformat
    return (parse(finished) - parse(started)).total_seconds()
