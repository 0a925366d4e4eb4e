"""The message a worker gets for one unit: plain JSON, store addresses and keys, no data."""

from __future__ import annotations

from typing import Any

from cohortflow.pipeline.keys import derived_seed
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.stage import Cost, Stage
from cohortflow.pipeline.unit import ManyInput, StepTable, Unit


def unit_spec(
    plan: Plan, table: StepTable, unit: Unit, *, cohort_url: str, run_id: str, cost: Cost
) -> dict[str, Any]:
    """Everything :func:`cohortflow.pipeline.execute.execute_unit` needs."""
    assert table.step is not None
    assert unit.recipe is not None
    stage = table.step.stage
    return {
        "cohort": cohort_url,
        "run": run_id,
        "pipeline": plan.pipeline.slug,
        "step": unit.step,
        "stage": stage.name,
        "version": stage.version,
        "kind": stage.writes,
        "subject": unit.subject,
        "point": table.point(unit),
        "key": unit.key,
        "parameters": unit.recipe.parameters.model_dump(mode="json", exclude_defaults=True),
        "inputs": _inputs(plan, unit),
        "columns": _columns(plan, unit),
        "members": list(unit.concerned),
        "weights": list(unit.weights),
        "saw": sorted(unit.saw) if stage.trains else [],
        "selection": unit.input_digests.get("selection"),
        "seed": _seed(plan, stage, unit),
        "threads": stage.threads or 1,
        "timeout_s": stage.timeout_s,
        "retries": stage.retries,
        "memory_bytes": cost.memory_bytes,
        "seconds": cost.seconds,
    }


def _seed(plan: Plan, stage: Stage, unit: Unit) -> int:
    """The pipeline's seed moves the stages that state one, as it is in the key of those only."""
    assert unit.recipe is not None
    seeded = "seed" in stage.parameters.model_fields
    base = plan.pipeline.seed if seeded else 0
    return derived_seed(base, unit.recipe.seed, stage.name, unit.subject)


def _inputs(plan: Plan, unit: Unit) -> dict[str, Any]:
    if unit.selection is not None:
        return {**_singles(unit), **_selected(plan, unit)}
    inputs = _singles(unit)
    for name, source in unit.inputs.items():
        if isinstance(source, ManyInput):
            inputs[name] = {
                "many": [[dict(p), u.subject, u.stage, u.key] for p, u in source.items],
                "missing": [dict(point) for point in source.missing],
            }
    return inputs


def _singles(unit: Unit) -> dict[str, Any]:
    return {
        name: {"one": [source.subject, source.stage, source.key]}
        for name, source in unit.inputs.items()
        if isinstance(source, Unit)
    }


def _selected(plan: Plan, unit: Unit) -> dict[str, Any]:
    chosen = plan.frozen[str(unit.selection)]
    inputs: dict[str, Any] = {}
    for row in chosen.subjects:
        for name, entries in row["inputs"].items():
            holder = inputs.setdefault(name, {"many": [], "missing": []})
            owner = row["subject"]
            holder["many"] += [[point, owner, stage, key] for point, stage, key in entries]
    return inputs


def _columns(plan: Plan, unit: Unit) -> dict[str, dict[str, Any]]:
    assert unit.recipe is not None
    if not unit.recipe.columns:
        return {}
    if unit.selection is not None:
        return {row["subject"]: row["columns"] for row in plan.frozen[unit.selection].subjects}
    columns: dict[str, dict[str, Any]] = {}
    for member in unit.concerned:
        subject = plan.ingested.subjects.get(member)
        if subject is not None:
            columns[member] = {n: subject.columns.get(n) for n in unit.recipe.columns}
    return columns
