"""What stands in a cohort: units by state, from plans and indexes; no array is read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.indexes import Index, slugs
from cohortflow.cohort.selections import Selection
from cohortflow.errors import PipelineError, Refused
from cohortflow.pipeline.document import apply_settings, load_document
from cohortflow.pipeline.ledger import Ledger
from cohortflow.pipeline.model import Pipeline
from cohortflow.pipeline.parse import parse_pipeline
from cohortflow.pipeline.plan import Plan, make_plan
from cohortflow.pipeline.unit import ManyInput, Unit
from tasks.planning import known_parts


def pipeline_in(index: Index, slug: str) -> Pipeline:
    """The pipeline as a run had it, its settings applied."""
    from cohortflow.stages import CATALOGUE

    document = load_document(index.claim["text"], f"{slug}.yaml")
    return parse_pipeline(apply_settings(document, index.claim["settings"]), slug, CATALOGUE)


def plan_of(cohort: Cohort, slug: str) -> Plan | None:
    """The plan of the pipeline as its newest run had it, on what stands today.

    Of the whole pipeline, also where that run was for some points or subjects only.
    """
    index = cohort.indexes(slug).newest()
    if index is None:
        return None
    ledger = Ledger(cohort, known_parts(cohort, slug), retry_failed=False)
    return make_plan(pipeline_in(index, slug), cohort.ingested, ledger, cohort.selections)


def cohort_status(cohort: Cohort) -> dict[str, Any]:
    """``{"units": [{subject, step, point, state, error, …}], "counts": {…}}``, ingest as a step.

    ``runs``: what the newest run of each pipeline was asked for, as ``units`` follow its settings;
    with the ``problem`` where it cannot be planned today.
    ``selections``: what came after those that the training steps read.
    """
    units = [_ingest_row(subject) for subject in cohort.ingested.subjects.values()]
    runs: list[dict[str, Any]] = []
    selections: list[dict[str, Any]] = []
    for slug in slugs(cohort.storage):
        index = cohort.indexes(slug).newest()
        if index is None:
            continue
        row = _run_row(slug, index)
        runs.append(row)
        try:
            plan = plan_of(cohort, slug)
        except (PipelineError, Refused) as error:
            # What stands is told all the same: as the newest index has it.
            row["problem"] = error.to_json()
            units += _recorded_rows(cohort, slug)
            continue
        if plan is not None:
            units += _unit_rows(slug, plan)
            selections += _selection_rows(slug, plan)
    counts = dict(Counter(unit["state"] for unit in units))
    return {"units": units, "counts": counts, "runs": runs, "selections": selections}


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
            "error": row.error,
        }
        for row in cohort.run(slug).rows
    ]


def _selection_rows(slug: str, plan: Plan) -> list[dict[str, Any]]:
    """By training step: its frozen selections, and the subjects they do not know as they are now."""
    rows = []
    for table in plan.steps():
        frozen: dict[str, Selection] = {}
        new: set[str] = set()
        corrected: set[str] = set()
        for unit in table.unique():
            selection = plan.frozen.get(unit.selection or "")
            if selection is not None and selection.question not in frozen:
                frozen[selection.question] = selection
                new |= _new_to(selection, unit)
                corrected |= _corrected_since(selection, plan)
        if frozen:
            # Who was withdrawn is not known any more: at least as many as one selection lost.
            withdrawn = max(selection.withdrawn for selection in frozen.values())
            rows.append(
                {"pipeline": slug, "step": table.name, "selections": len(frozen),
                 "new": len(new), "corrected": len(corrected), "withdrawn": withdrawn}
            )  # fmt: skip
    return rows


def _new_to(frozen: Selection, unit: Unit) -> set[str]:
    """Whom the unit would read today, and does not."""
    many = [source for source in unit.inputs.values() if isinstance(source, ManyInput)]
    now = {member for source in many for member in source.members}
    return now - {row["subject"] for row in frozen.subjects}


def _corrected_since(frozen: Selection, plan: Plan) -> set[str]:
    """Whose columns are others than the weights were made with."""
    found = set()
    for row in frozen.subjects:
        known = plan.ingested.subjects.get(row["subject"])
        if known and any(known.columns.get(name) != v for name, v in row["columns"].items()):
            found.add(known.id)
    return found


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
