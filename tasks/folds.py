"""The points of a step that differ in nothing but the fold: one population, dealt out once."""

from __future__ import annotations

from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.unit import Labels, StepTable, Unit


def across_folds(plan: Plan, table: StepTable) -> dict[Labels, list[Unit]]:
    """Units of a step by the labels of their other axes."""
    folds = {name for name, axis in plan.pipeline.axes.items() if axis.split is not None}
    fixed = [place for place, axis in enumerate(table.axes) if axis not in folds]
    found: dict[Labels, list[Unit]] = {}
    for labels, cell in table.cells.items():
        found.setdefault(tuple(labels[place] for place in fixed), []).extend(cell.values())
    return found
