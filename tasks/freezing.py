"""Freezing what a training step reads, once every input of it has settled.

The folds of one split are frozen together, also those that this run does not ask for: frozen on
two days, with a newcomer between them, they would test somebody twice and somebody else never.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from cohortflow.cohort.selections import Selections
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.selecting import ProposedSelection
from cohortflow.pipeline.unit import Unit
from tasks.folds import across_folds
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
        for units in across_folds(plan, plan.tables[step_id]).values():
            for unit in units:
                proposed = plan.proposed.get(unit.selection or "")
                if proposed is None or unit.state != "pending" or not unit.asked:
                    continue
                reason = self._why_not(proposed)
                if reason:
                    self.held[proposed.question] = reason
                else:
                    self._freeze(plan, units)
        if len(plan.frozen) > frozen:
            log.info("%s: %d training selections frozen", step_id, len(plan.frozen) - frozen)
        return len(self.held) > held

    def _freeze(self, plan: Plan, units: Sequence[Unit]) -> None:
        for unit in units:
            proposed = plan.proposed.get(unit.selection or "")
            if proposed is None or proposed.question in plan.frozen or self._why_not(proposed):
                continue
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
