"""Queries behind the command line: status, runs, the report again, replay of one unit."""

from __future__ import annotations

import contextlib
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import KEY_DIGITS
from cohortflow.cohort.indexes import Index, slugs
from cohortflow.cohort.leases import holder
from cohortflow.errors import EntryMissing, Refused, UsageError
from cohortflow.pipeline.estimate import Estimator
from cohortflow.pipeline.execute import execute_unit
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.spec import unit_spec
from cohortflow.pipeline.unit import Unit
from tasks.cohort_pages import write_cohort_page
from tasks.nights import night_again
from tasks.reporting import report_run
from tasks.status import pipeline_in, plan_of


def list_runs(cohort: Cohort) -> list[dict[str, Any]]:
    """Every run that left an index: what it was asked for, when, and how it ended."""
    rows = []
    for slug in slugs(cohort.storage):
        book = cohort.indexes(slug)
        working = (holder(cohort.storage, slug) or {}).get("run")
        for number in book.numbers():
            with contextlib.suppress(EntryMissing):  # being removed
                rows.append(_run(slug, book.get(number), working))
    return rows


def pages_of_runs(cohort: Cohort) -> list[str]:
    """Where the page of each pipeline's runs is."""
    found = [f"reports/{slug}/nights.html" for slug in slugs(cohort.storage)]
    there = [path for path in found if cohort.storage.exists(path)]
    return [str(cohort.storage.local_path(path) or f"{cohort.url}/{path}") for path in there]


def _run(slug: str, index: Index, working: str | None) -> dict[str, Any]:
    ended = index.summary or {}
    run = index.claim.get("run", "")
    counts = ", ".join(f"{n} {s}" for s, n in sorted(ended.get("counts", {}).items()))
    return {
        "pipeline": slug,
        "index": index.number,
        "run": run,
        "started": index.claim.get("started", ""),
        "ended": ended.get("finished", "running" if run and run == working else "not finished"),
        "units": counts,
    }


def unit_lines(plan: Plan) -> list[dict[str, Any]]:
    """A plan by unit; the key comes last."""
    return [
        {
            "step": unit.step,
            "subject": unit.subject,
            "point": plan.tables[unit.step].point(unit),
            "state": unit.state,
            "reason": unit.reason,
            "key": unit.key,
        }
        for unit in plan.units()
    ]


def render_again(cohort: Cohort, slug: str | None) -> str:
    """The report of the newest run that finished; its address."""
    known = slugs(cohort.storage)
    if not known:
        raise EntryMissing(
            "no pipeline has run on this cohort",
            where=cohort.url,
            hint=f"cohortflow run PIPELINE {cohort.url}",
        )
    if slug is None and len(known) > 1:
        raise UsageError(
            f"{len(known)} pipelines ran on this cohort",
            found=", ".join(known),
            hint="Say --pipeline.",
        )
    slug = slug or known[0]
    pipeline = pipeline_in(cohort.run(slug).index, slug)
    report = report_run(cohort, pipeline, f"cohortflow report {cohort.url} --pipeline {slug}")
    night_again(cohort, slug, report)
    write_cohort_page(cohort)
    return report


def replay_unit(cohort: Cohort, key: str) -> dict[str, Any]:
    """Run the unit whose key starts with ``key`` in this process; what stands done is not run."""
    found: dict[str, tuple[Plan, Unit]] = {}
    for slug in slugs(cohort.storage):
        plan = plan_of(cohort, slug)
        for unit in plan.units() if plan is not None and key else ():
            if unit.key.startswith(key):
                assert plan is not None
                found.setdefault(unit.key, (plan, unit))
    if len(found) != 1:
        raise (EntryMissing if not found else UsageError)(
            f"{len(found) or 'no'} units have a key that starts with {key!r}",
            where=cohort.url,
            found=", ".join(f"{name[:KEY_DIGITS]} ({u.step})" for name, (_, u) in found.items())[
                :400
            ],
            hint="cohortflow status --json has the keys.",
        )
    plan, unit = next(iter(found.values()))
    _refuse_what_cannot_run(plan, unit)
    table = plan.tables[unit.step]
    assert table.step is not None
    cost = Estimator(plan).cost(table.step.stage, unit)
    return execute_unit(
        unit_spec(plan, table, unit, cohort_url=cohort.url, run_id="replay", cost=cost)
    )


def _refuse_what_cannot_run(plan: Plan, unit: Unit) -> None:
    """A unit of which an input is not there, or which has no selection to train on."""
    where = f"{unit.step} of {unit.subject or 'the cohort'}"
    absent = [
        source
        for source in unit.inputs.values()
        if isinstance(source, Unit) and source.state != "done"
    ]
    if absent or unit.state == "blocked":
        told = [f"{source.step} is {source.state}" for source in absent] or [unit.reason]
        said = str((unit.error or {}).get("message", ""))
        raise Refused(
            f"an input is not there: {', '.join(told)}",
            where=where,
            found=said,
            hint="Replay or mend that one first.",
        )
    if unit.selection is not None and unit.selection not in plan.frozen:
        raise Refused(
            "it has no training selection yet",
            where=where,
            hint="A run freezes one; replay computes on what is frozen.",
        )
