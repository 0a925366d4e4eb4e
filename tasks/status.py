"""What stands in a cohort: units by state, from plans and indexes; no array is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import KEY_DIGITS
from cohortflow.cohort.indexes import Index, slugs
from cohortflow.cohort.ingests import Ingested
from cohortflow.cohort.run_view import UnitRow
from cohortflow.cohort.usage import disk_usage
from cohortflow.errors import PipelineError, Refused
from cohortflow.pipeline.document import apply_settings, load_document
from cohortflow.pipeline.ledger import Ledger
from cohortflow.pipeline.model import Pipeline
from cohortflow.pipeline.parse import parse_pipeline
from cohortflow.pipeline.parts import made_in_by_key
from cohortflow.pipeline.plan import Plan, make_plan
from cohortflow.pipeline.states import REFUSED
from cohortflow.pipeline.unit import SETTLED_BADLY, StepTable, Unit
from cohortflow.report.causes import Causes
from cohortflow.report.source import place
from tasks.models import model_rows
from tasks.planning import parts_of

Row = Mapping[str, Any]


def pipeline_in(index: Index, slug: str) -> Pipeline:
    """The pipeline as a run had it, its settings applied."""
    from cohortflow.stages import CATALOGUE

    document = load_document(index.claim["text"], f"{slug}.yaml")
    return parse_pipeline(apply_settings(document, index.claim["settings"]), slug, CATALOGUE)


def plan_of(cohort: Cohort, slug: str) -> Plan | None:
    """The plan of the pipeline as its newest run had it, on what stands today.

    Of the whole pipeline, also where that run was for some points or subjects only.
    """
    indexes = cohort.indexes(slug).trusted()
    if not indexes:
        return None
    return _plan_on(cohort, slug, indexes[-1], parts_of(indexes), cohort.ingested)


def _plan_on(
    cohort: Cohort, slug: str, index: Index, parts: Sequence[Row], ingested: Ingested
) -> Plan:
    ledger = Ledger(cohort, parts, retry_failed=False)
    return make_plan(pipeline_in(index, slug), ingested, ledger, cohort.selections)


def cohort_status(cohort: Cohort, *, disk: bool = False) -> dict[str, Any]:
    """``{"units": [{subject, step, point, state, error, …}], "counts": {…}}``, ingest as a step.

    ``steps``: units by state, a row per step. ``failures``: a row per cause, with the command that
    runs one of its units again. ``runs``: what the newest run of each pipeline was asked for, as
    ``units`` follow its settings; with the ``problem`` where it cannot be planned today.
    ``selections``: how old what was trained is, and who came or changed since. ``disk``: entries,
    files and bytes by stage and step, where asked for: it takes a walk through the store.
    """
    ingested = cohort.ingested
    units = [_ingest_row(subject) for subject in ingested.subjects.values()]
    runs: list[dict[str, Any]] = []
    selections: list[dict[str, Any]] = []
    for slug in slugs(cohort.storage):
        book = cohort.indexes(slug)
        indexes = book.trusted()
        if not indexes:
            continue
        row = _run_row(slug, indexes[-1])
        runs.append(row)
        parts = parts_of(indexes)
        try:
            plan = _plan_on(cohort, slug, indexes[-1], parts, ingested)
        except (PipelineError, Refused) as error:
            # What stands is told all the same: as the newest index has it.
            row["problem"] = error.to_json()
            units += _recorded_rows(cohort, slug)
            continue
        units += _unit_rows(slug, plan)
        selections += model_rows(plan, book, made_in_by_key(parts))
    found: dict[str, Any] = {
        "cohort": cohort.id,
        "title": cohort.title,
        "units": units,
        "counts": dict(Counter(unit["state"] for unit in units)),
        "steps": step_rows(units),
        "failures": failure_rows(units, cohort.url),
        "runs": runs,
        "selections": selections,
    }
    if disk:
        found["disk"] = disk_usage(cohort, _steps_by_key(ingested, units))
    return found


def _steps_by_key(ingested: Ingested, units: Iterable[Row]) -> dict[str, str]:
    """Whose entries are whose: first digits of a key → step,
    of the pipeline that names it first."""
    found: dict[str, str] = {}
    for unit in units:
        if "key" in unit:
            found.setdefault(unit["key"][:KEY_DIGITS], f"{unit['pipeline']} {unit['step']}")
    taken_in = [e.key for s in ingested.subjects.values() for e in s.entries.values()]
    taken_in += [file.key for file in ingested.files.values()]
    return found | {key[:KEY_DIGITS]: "ingest" for key in taken_in}


def step_rows(units: Iterable[Row]) -> list[dict[str, Any]]:
    """Units by state: a row per step, in the order of the pipelines."""
    counts: dict[tuple[str | None, str], Counter[str]] = {}
    for unit in units:
        counts.setdefault((unit["pipeline"], unit["step"]), Counter())[unit["state"]] += 1
    return [
        {"pipeline": pipeline, "step": step, "counts": dict(found)}
        for (pipeline, step), found in counts.items()
    ]


def failure_rows(units: Iterable[Row], url: str) -> list[dict[str, Any]]:
    """Failed, quarantined, blocked and refused units by cause."""
    causes = Causes()
    for unit in units:
        if unit["state"] in SETTLED_BADLY:
            error = unit["error"] or {"message": unit["reason"]}
            if unit["state"] != "blocked" and "key" in unit and unit["reason"] != REFUSED:
                error = {**error, "replay": f"cohortflow replay {url} {unit['key'][:KEY_DIGITS]}"}
            state = "refused" if unit["pipeline"] is None else unit["state"]
            who = unit["subject"] or place(unit["point"]) or "cohort"
            causes.add(unit["step"], state, error, who, pipeline=unit["pipeline"] or "")
    return causes.rows()


def _run_row(slug: str, index: Index) -> dict[str, Any]:
    return {
        "pipeline": slug,
        "index": index.number,
        "finished": index.summary is not None,
        "settings": list(index.claim["settings"]),
        "at": dict(index.claim.get("at") or {}),
        "subjects": index.claim.get("subjects"),
    }


def _recorded_rows(cohort: Cohort, slug: str) -> list[dict[str, Any]]:
    return [
        {
            "pipeline": slug,
            "subject": row.subject,
            "step": row.step,
            "point": row.point,
            "state": row.state,
            "key": row.key,
            "reason": _reason(row),
            "error": row.error,
        }
        for row in cohort.run(slug).rows
    ]


def _reason(unit: Unit | UnitRow) -> str:
    """What blocks it, or that it was refused; why it runs is the plan's to say."""
    return unit.reason if unit.state == "blocked" or unit.reason == REFUSED else ""


def _ingest_row(subject: Any) -> dict[str, Any]:
    return {
        "pipeline": None,
        "subject": subject.id,
        "step": "ingest",
        "point": {},
        "state": "done" if subject.error is None else "failed",
        "reason": "",
        "error": subject.error,
    }


def failures_of(slug: str, plan: Plan, url: str) -> list[dict[str, Any]]:
    """What a run was asked for and did not come out, by cause."""
    bad = (
        _unit_row(slug, table, unit)
        for table in plan.steps()
        for unit in table.unique()
        if unit.asked and unit.state in SETTLED_BADLY
    )
    return failure_rows(bad, url)


def _unit_rows(slug: str, plan: Plan) -> list[dict[str, Any]]:
    return [_unit_row(slug, table, unit) for table in plan.steps() for unit in table.units()]


def _unit_row(slug: str, table: StepTable, unit: Unit) -> dict[str, Any]:
    error = unit.error
    return {
        "pipeline": slug,
        "subject": unit.subject,
        "step": unit.step,
        "point": table.point(unit),
        "state": unit.state,
        "key": unit.key,
        "reason": _reason(unit),
        "error": None
        if error is None or unit.state == "done"
        else {name: error.get(name, "") for name in ("code", "message", "hint")},
    }
