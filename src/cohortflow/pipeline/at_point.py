"""A step at one point of its axes: what every unit of that point has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cohortflow.pipeline.bind import Binding
from cohortflow.pipeline.effective import Effective
from cohortflow.pipeline.model import Label, Step, Where
from cohortflow.pipeline.unit import Labels


@dataclass(frozen=True, eq=False)
class AtPoint:
    """``admitted``: subjects for whom every ``where`` of the step holds here.

    ``asked``: the run is to settle units of this point. ``line``: where the step stands.
    """

    step: Step
    labels: Labels
    point: Mapping[str, Label]
    settings: Effective
    bound: Mapping[str, tuple[Binding, ...]]
    admitted: frozenset[str]
    asked: bool
    line: str

    @property
    def in_a_block(self) -> bool:
        """Of a block in which nobody is admitted there is nothing, and nothing is missing."""
        return any("block" in where for where in self.settings.wheres)

    @property
    def wheres(self) -> list[Where]:
        """Conditions of the step and of its inputs."""
        inner = [b.where for bindings in self.bound.values() for b in bindings if b.where]
        return [*self.settings.wheres, *inner]
