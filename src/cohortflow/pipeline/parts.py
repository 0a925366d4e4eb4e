"""Units as rows of an index part: columnar, one part per batch of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.pipeline.unit import ManyInput, StepTable, Unit


def part_of(
    table: StepTable,
    units: Sequence[Unit],
    outcomes: Mapping[str, Mapping[str, Any]],
    warnings: Mapping[str, Any],
    *,
    made_in: Mapping[str, int] | None = None,
    index: int | None = None,
    timing: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The index part of these units; ``outcomes`` by key are those of this run.

    ``warnings`` and ``made_in``: what earlier indexes say, by key. ``index``: number of this one.
    ``timing``: how long the step took in this run; the summary, where there is one, has it too.
    """
    assert table.step is not None
    recipes: dict[str, int] = {}
    recipe_rows: list[dict[str, Any]] = []
    part: dict[str, Any] = {
        "step": table.name,
        "stage": table.step.stage.name,
        "version": table.step.stage.version,
        "kind": table.step.stage.writes,
        "scope": table.step.stage.scope,
        "axes": list(table.axes),
        "recipes": recipe_rows,
        "timing": timing,
        **{name: [] for name in _COLUMNS},
        "error": {},
        "warnings": {},
    }
    for row, unit in enumerate(units):
        assert unit.recipe is not None
        if unit.recipe.digest not in recipes:
            recipes[unit.recipe.digest] = len(recipe_rows)
            recipe_rows.append({"parameters": unit.recipe.parameters.model_dump(mode="json")})
        outcome = outcomes.get(unit.key, {})
        values = (
            unit.subject,
            list(unit.labels),
            unit.key,
            unit.state,
            recipes[unit.recipe.digest],
            {name: value[:16] for name, value in unit.input_digests.items()},
            unit.columns[:16],
            len(unit.members),
            unit.reason,
            sum(len(m.missing) for m in unit.inputs.values() if isinstance(m, ManyInput)),
            index if outcome.get("state") == "done" else (made_in or {}).get(unit.key),
        )
        for name, value in zip(_COLUMNS, values, strict=True):
            part[name].append(value)
        error = outcome.get("error") or unit.error
        if error and unit.state != "done":
            part["error"][str(row)] = dict(error)
        told = outcome.get("warnings") or warnings.get(unit.key)
        if told and unit.state == "done":
            part["warnings"][str(row)] = told
    return part


_COLUMNS = (
    "subject",
    "point",
    "key",
    "state",
    "recipe",
    "inputs",
    "columns",
    "n",
    "reason",
    "missing",
    "made_in",
)


def warnings_by_key(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Warnings of done units as the last index has them, so that a no-op run keeps them."""
    found: dict[str, Any] = {}
    for part in parts:
        for row, warnings in part["warnings"].items():
            found[part["key"][int(row)]] = warnings
    return found


def made_in_by_key(parts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Number of the index whose run computed a unit, where one says so."""
    found: dict[str, int] = {}
    for part in parts:
        for key, number in zip(part["key"], part.get("made_in", ()), strict=False):
            if number is not None:
                found[key] = number
    return found
