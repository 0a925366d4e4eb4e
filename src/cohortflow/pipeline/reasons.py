"""Why a unit is to run: the difference between the last index and this plan, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cohortflow.pipeline.ledger import PreviousRow
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.unit import Labels, ManyInput, Unit

Rows = Mapping[tuple[str, str | None, Labels], PreviousRow]


def explain(plan: Plan, rows: Rows) -> None:
    """Give every pending unit its reason (in place)."""
    changed = _changed_parameters(plan, rows)
    for step in plan.pipeline.steps:
        for unit in plan.tables[step.id].units():
            if unit.state == "pending" and not unit.reason:
                previous = rows.get((unit.step, unit.subject, unit.labels))
                unit.reason = _reason(unit, previous, step.stage.version, changed)


def _reason(
    unit: Unit, previous: PreviousRow | None, version: int, changed: Mapping[str, list[str]]
) -> str:
    if previous is None:
        return "new"
    if previous.key == unit.key:
        return "not finished before" if previous.state != "done" else "entry gone"
    parts: list[str] = []
    if previous.version != version:
        parts.append(f"stage {unit.stage} version {previous.version}→{version}")
    parts += changed.get(unit.step, []) if not parts else []
    assert unit.recipe is not None
    # Other members have other values: that is told as a changed input.
    same_members = unit.subject is not None or previous.n == len(unit.members)
    if same_members and previous.columns != unit.columns[:16]:
        parts.append(f"participants column {', '.join(unit.recipe.columns)} changed")
    parts += _changed_inputs(unit, previous)
    return "; ".join(parts) or "recipe changed"


def _changed_inputs(unit: Unit, previous: PreviousRow) -> list[str]:
    parts = []
    for name, value in unit.input_digests.items():
        if previous.inputs.get(name) == value[:16]:
            continue
        source = unit.inputs.get(name)
        if name == "selection":
            parts.append("selection renewed")
        elif isinstance(source, ManyInput):
            parts.append(f"input {name} changed ({previous.n}→{len(unit.members)} subjects)")
        else:
            parts.append(f"input {name} changed")
    return parts


def _changed_parameters(plan: Plan, rows: Rows) -> dict[str, list[str]]:
    """Step → ``parameter X changed a→b``, from the first point that both know."""
    changed: dict[str, list[str]] = {}
    for step in plan.pipeline.steps:
        for unit in plan.tables[step.id].units():
            previous = rows.get((unit.step, unit.subject, unit.labels))
            if previous is not None and unit.recipe is not None:
                now = unit.recipe.parameters.model_dump(mode="json")
                changed[step.id] = _differences(previous.parameters, now)
                break
    return changed


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"parameter {name} changed {before[name]}→{now[name]}"
        for name in now
        if name in before and before[name] != now[name]
    ]


def summary(plan: Plan) -> list[dict[str, Any]]:
    """One row per step and reason: how many units run or are skipped, and why."""
    rows: list[dict[str, Any]] = []
    for table in plan.steps():
        counts: dict[tuple[str, str], int] = {}
        for unit in table.unique():
            reason = unit.reason
            if unit.state == "failed" and unit.error is not None:
                reason = reason or f"failed before: {unit.error.get('code', 'error')}"
            action = (
                "run"
                if unit.state == "pending"
                else ("skip" if unit.state == "done" else unit.state)
            )
            counts[(action, reason)] = counts.get((action, reason), 0) + 1
        rows += [
            {"step": table.name, "action": action, "units": n, "reason": reason}
            for (action, reason), n in sorted(counts.items(), key=lambda item: item[0])
        ]
    return rows
