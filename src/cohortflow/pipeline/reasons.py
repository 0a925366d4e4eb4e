"""Why a unit is to run: the difference between the last index and this plan, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cohortflow.pipeline.ledger import PreviousRow
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.unit import ManyInput, Place, Unit

Rows = Mapping[Place, PreviousRow]
Finished = Callable[[Place], PreviousRow | None]


def explain(plan: Plan, rows: Rows, finished: Finished = lambda place: None) -> None:
    """Give every pending unit its reason (in place).

    ``finished``: the last row of a place that was done, asked for where the newest row is this
    plan's own unit and was left undone, as after a run for some subjects only.
    """
    differences = _Differences()
    for step in plan.pipeline.steps:
        for unit in plan.tables[step.id].units():
            if unit.state == "pending" and not unit.reason:
                place = (unit.step, unit.subject, unit.labels)
                previous = rows.get(place)
                if previous and previous.key == unit.key and previous.state != "done":
                    previous = finished(place) or previous
                unit.reason = _reason(unit, previous, step.stage.version, differences)


def _reason(
    unit: Unit, previous: PreviousRow | None, version: int, differences: _Differences
) -> str:
    if previous is None:
        return "new"
    if previous.key == unit.key:
        return "not finished before" if previous.state != "done" else "entry gone"
    parts: list[str] = []
    if previous.version != version:
        parts.append(f"stage {unit.stage} version {previous.version}→{version}")
    parts += differences.of(unit, previous)
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
        if name == "selection":
            parts.append("selection renewed")
        elif name not in previous.inputs:
            parts.append(f"input {name} added")
        elif isinstance(source := unit.inputs.get(name), Unit) and source.is_file:
            parts.append(f"file {source.step} changed")
        else:
            parts.append(f"input {name} changed{_count(unit, name, previous)}")
    gone = [name for name in previous.inputs if name not in unit.input_digests]
    return parts + [f"input {name} left out" for name in gone]


def _count(unit: Unit, name: str, previous: PreviousRow) -> str:
    now = len(unit.members)
    counted = isinstance(unit.inputs.get(name), ManyInput) and previous.n != now
    return f" ({previous.n}→{now} subjects)" if counted else ""


class _Differences:
    """``parameter X changed a→b``; thousands of units share a recipe, then and now."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], list[str]] = {}

    def of(self, unit: Unit, previous: PreviousRow) -> list[str]:
        assert unit.recipe is not None
        key = (id(previous.parameters), unit.recipe.digest)
        if key not in self._kept:
            now = unit.recipe.parameters.model_dump(mode="json")
            fields = type(unit.recipe.parameters).model_fields
            # What an older version did not know stood at its default.
            before = {name: fields[name].default for name in now} | dict(previous.parameters)
            self._kept[key] = [
                f"parameter {name} changed {before[name]}→{now[name]}"
                for name in now
                if before[name] != now[name]
            ]
        return self._kept[key]


def summary(plan: Plan) -> list[dict[str, Any]]:
    """One row per step and reason: how many units run or are skipped, and why."""
    rows: list[dict[str, Any]] = []
    for table in plan.steps():
        counts: dict[tuple[str, str], int] = {}
        for unit in table.unique():
            reason = unit.reason
            if unit.state == "failed" and unit.error is not None:
                reason = reason or f"failed before: {unit.error.get('code', 'error')}"
            counts[(_action(unit), reason)] = counts.get((_action(unit), reason), 0) + 1
        rows += [
            {"step": table.name, "action": action, "units": n, "reason": reason}
            for (action, reason), n in sorted(counts.items(), key=lambda item: item[0])
        ]
    return rows


def _action(unit: Unit) -> str:
    if unit.state == "pending":
        return "run" if unit.asked else "leave"
    return "skip" if unit.state == "done" else unit.state
