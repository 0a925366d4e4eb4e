"""Queries behind the command line: status, runs, the report again, replay of one unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.indexes import slugs
from cohortflow.errors import EntryMissing, UsageError
from cohortflow.pipeline.estimate import Estimator
from cohortflow.pipeline.execute import execute_unit
from cohortflow.pipeline.spec import unit_spec
from tasks.reporting import report_run
from tasks.status import pipeline_of, plan_of


def tell_status(
    found: dict[str, Any],
    table: Callable[[list[str], list[list[Any]]], None],
    say: Callable[[str], None],
) -> None:
    """Units by pipeline, step and state; then failures by cause."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    causes: dict[tuple[str, str], list[str]] = {}
    for unit in found["units"]:
        where = (unit["pipeline"] or "", unit["step"])
        counts.setdefault(where, Counter())[unit["state"]] += 1
        if unit["error"]:
            cause = (unit["error"]["code"], unit["error"]["message"])
            causes.setdefault(cause, []).append(unit["subject"] or "cohort")
    states = [
        s for s in ("done", "pending", "failed", "blocked", "quarantined") if found["counts"].get(s)
    ]
    table(
        ["pipeline", "step", *states],
        [[*where, *(count.get(state, 0) for state in states)] for where, count in counts.items()],
    )
    for (code, message), owners in causes.items():
        say(
            f"{code}: {message} ({len(owners)}: {', '.join(owners[:5])}{'…' if len(owners) > 5 else ''})"
        )


def list_runs(cohort: Cohort) -> list[dict[str, Any]]:
    rows = []
    for slug in slugs(cohort.storage):
        book = cohort.indexes(slug)
        for number in book.numbers():
            index = book.get(number)
            ended = index.summary or {}
            counts = ", ".join(f"{n} {s}" for s, n in sorted(ended.get("counts", {}).items()))
            rows.append(
                {
                    "pipeline": slug,
                    "index": number,
                    "run": index.claim.get("run", ""),
                    "started": index.claim.get("started", ""),
                    "ended": ended.get("finished", "not finished"),
                    "units": counts,
                }
            )
    return rows


def render_again(cohort: Cohort, slug: str | None) -> str:
    known = slugs(cohort.storage)
    if slug is None and len(known) != 1:
        raise UsageError(
            f"{len(known)} pipelines ran on this cohort",
            found=", ".join(known),
            hint="Say --pipeline.",
        )
    slug = slug or known[0]
    pipeline = pipeline_of(cohort, slug)
    if pipeline is None:
        raise EntryMissing(f"pipeline {slug!r} has not run on this cohort", where=cohort.url)
    _, page = report_run(cohort, pipeline, f"cohortflow report {cohort.url}")
    return page


def replay_unit(cohort: Cohort, key: str) -> dict[str, Any]:
    """Run the unit whose key starts with ``key`` in this process."""
    for slug in slugs(cohort.storage):
        plan = plan_of(cohort, slug)
        for unit in plan.units() if plan is not None else ():
            if unit.key.startswith(key):
                assert plan is not None
                table = plan.tables[unit.step]
                assert table.step is not None
                cost = Estimator(plan).cost(table.step.stage, unit)
                return execute_unit(
                    unit_spec(plan, table, unit, cohort_url=cohort.url, run_id="replay", cost=cost)
                )
    raise EntryMissing(
        f"no unit has a key that starts with {key!r}",
        where=cohort.url,
        hint="cohortflow status --json",
    )
