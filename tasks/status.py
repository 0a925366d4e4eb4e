"""What stands in a cohort: units by state, from plans and indexes; no array is read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.indexes import slugs
from cohortflow.pipeline.document import apply_settings, load_document
from cohortflow.pipeline.ledger import Ledger
from cohortflow.pipeline.model import Pipeline
from cohortflow.pipeline.parse import parse_pipeline
from cohortflow.pipeline.plan import Plan, make_plan
from tasks.session import known_parts


def pipeline_of(cohort: Cohort, slug: str) -> Pipeline | None:
    """The pipeline as its newest run had it; None when it has not run here."""
    from cohortflow.stages import CATALOGUE

    index = cohort.indexes(slug).newest()
    if index is None:
        return None
    document = load_document(index.claim["text"], f"{slug}.yaml")
    return parse_pipeline(apply_settings(document, index.claim["settings"]), slug, CATALOGUE)


def plan_of(cohort: Cohort, slug: str) -> Plan | None:
    """The plan of the pipeline as its newest run had it, on what stands today."""
    pipeline = pipeline_of(cohort, slug)
    if pipeline is None:
        return None
    ledger = Ledger(cohort, known_parts(cohort, slug), retry_failed=False)
    return make_plan(pipeline, cohort.ingested, ledger, cohort.selections)


def cohort_status(cohort: Cohort) -> dict[str, Any]:
    """``{"units": [{subject, step, point, state, error, …}], "counts": {…}}``, ingest as a step."""
    units = [_ingest_row(subject) for subject in cohort.ingested.subjects.values()]
    for slug in slugs(cohort.storage):
        plan = plan_of(cohort, slug)
        if plan is not None:
            units += _unit_rows(slug, plan)
    return {"units": units, "counts": dict(Counter(unit["state"] for unit in units))}


def _ingest_row(subject: Any) -> dict[str, Any]:
    return {
        "pipeline": None,
        "subject": subject.id,
        "step": "ingest",
        "point": {},
        "state": "done" if subject.error is None else "failed",
        "error": subject.error,
    }


def _unit_rows(slug: str, plan: Plan) -> list[dict[str, Any]]:
    rows = []
    for table in plan.steps():
        for unit in table.units():
            error = unit.error
            rows.append(
                {
                    "pipeline": slug,
                    "subject": unit.subject,
                    "step": unit.step,
                    "point": table.point(unit),
                    "state": unit.state,
                    "key": unit.key,
                    "error": None
                    if error is None or unit.state == "done"
                    else {name: error.get(name, "") for name in ("code", "message", "hint")},
                }
            )
    return rows
