"""Freezing what a training step reads, once every input of it has settled.

The folds of one split are frozen together, also those that this run does not ask for: frozen on
two days, with a newcomer between them, they would test somebody twice and somebody else never.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from cohortflow.cohort.selections import Selections
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.selecting import ProposedSelection
from cohortflow.pipeline.unit import Labels, StepTable, Unit
from tasks.request import RunRequest

log = logging.getLogger(__name__)


class Freezing:
    """The selections of one run. ``held``: questions it may not freeze, and why."""

    def __init__(self, request: RunRequest, selections: Selections) -> None:
        self.request = request
        self.selections = selections
        self.held: dict[str, str] = {}

    def freeze(self, plan: Plan, step_id: str) -> bool:
        """Freeze what the step's pending units ask for; True where one is held back instead."""
        held, frozen = len(self.held), len(plan.frozen)
        table = plan.tables[step_id]
        for unit in table.unique():
            proposed = plan.proposed.get(unit.selection or "")
            if proposed is None or unit.state != "pending" or not unit.asked:
                continue
            reason = self._why_not(proposed)
            if reason:
                self.held[proposed.question] = reason
            else:
                for sibling in _siblings(plan, table, unit):
                    self._freeze(plan, sibling)
        if len(plan.frozen) > frozen:
            log.info("%s: %d training selections frozen", step_id, len(plan.frozen) - frozen)
        return len(self.held) > held

    def _freeze(self, plan: Plan, proposed: ProposedSelection) -> None:
        if proposed.question not in plan.frozen and not self._why_not(proposed):
            plan.frozen[proposed.question] = self.selections.freeze(
                proposed.question, proposed.subjects, proposed.described
            )

    def _why_not(self, proposed: ProposedSelection) -> str:
        if self.request.subjects is not None:
            return "no selection is frozen by a run with --subjects"
        unsettled = [unit for unit in proposed.unsettled if unit.state != "done"]
        if unsettled:
            return f"{len(unsettled)} inputs are pending or failed by a transient cause"
        return ""


def _siblings(plan: Plan, table: StepTable, unit: Unit) -> Iterator[ProposedSelection]:
    """The proposals of the points that differ from the unit's in nothing but the fold."""
    folds = {name for name, axis in plan.pipeline.axes.items() if axis.split is not None}
    fixed = [place for place, axis in enumerate(table.axes) if axis not in folds]

    def rest(labels: Labels) -> Labels:
        return tuple(labels[place] for place in fixed)

    for labels, cell in table.cells.items():
        if rest(labels) == rest(unit.labels):
            for other in cell.values():
                proposed = plan.proposed.get(other.selection or "")
                if proposed is not None:
                    yield proposed
