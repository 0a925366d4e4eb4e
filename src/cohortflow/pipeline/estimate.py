"""What a plan will need: memory, disk and time, and the refusal of what cannot fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cohortflow.errors import DoesNotFit
from cohortflow.pipeline.ingested import merged_facts
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.stage import Cost, Stage
from cohortflow.pipeline.unit import Unit


@dataclass(frozen=True)
class Projection:
    """Projected need of the pending units: peak bytes of one unit, bytes on disk, core seconds."""

    units: int = 0
    memory_bytes: int = 0
    memory_step: str = ""
    disk_bytes: int = 0
    seconds: float = 0.0


class Estimator:
    """Asks each stage for its cost, from the facts of the subjects behind a unit."""

    def __init__(self, plan: Plan) -> None:
        self._facts: Mapping[str, Mapping[str, Any]] = merged_facts(
            plan.pipeline, plan.ingested.subjects
        )
        self._cache: dict[tuple[str, str, int], Cost] = {}

    def cost(self, stage: Stage, unit: Unit) -> Cost:
        if stage.cost is None or unit.recipe is None:
            return Cost()
        if unit.subject is not None:
            return stage.cost(unit.recipe.parameters, [self._facts.get(unit.subject, {})])
        # Reductions over the same members cost the same: asked once per recipe.
        key = (stage.name, unit.recipe.digest, hash(unit.members))
        if key not in self._cache:
            facts = [self._facts[m] for m in unit.members if self._facts.get(m)]
            self._cache[key] = stage.cost(unit.recipe.parameters, facts)
        return self._cache[key]


def project(plan: Plan) -> Projection:
    """Sum over what is to run; equal keys once."""
    estimator = Estimator(plan)
    units = disk = memory = 0
    seconds, memory_step = 0.0, ""
    for step in plan.pipeline.steps:
        for unit in plan.tables[step.id].unique():
            if unit.state != "pending" or not unit.asked:
                continue
            cost = estimator.cost(step.stage, unit)
            units += 1
            disk += cost.disk_bytes
            seconds += cost.seconds
            if cost.memory_bytes > memory:
                memory, memory_step = cost.memory_bytes, step.id
    return Projection(units, memory, memory_step, disk, seconds)


def refuse_what_cannot_fit(
    projection: Projection, *, memory_limit_bytes: int | None, disk_free_bytes: int | None
) -> None:
    """Raise :class:`DoesNotFit` with the numbers."""
    if memory_limit_bytes is not None and projection.memory_bytes > memory_limit_bytes:
        raise DoesNotFit(
            f"a unit of step {projection.memory_step!r} is projected to need more memory than a "
            "worker has",
            expected=f"at most {memory_limit_bytes / 2**20:.0f} MiB",
            found=f"{projection.memory_bytes / 2**20:.0f} MiB",
            hint="Run with fewer --workers or more --memory.",
        )
    if disk_free_bytes is not None and projection.disk_bytes > disk_free_bytes:
        raise DoesNotFit(
            "the results are projected to need more disk than is free",
            expected=f"at most {disk_free_bytes / 2**20:.0f} MiB",
            found=f"{projection.disk_bytes / 2**20:.0f} MiB",
            hint="Free some space, run gc, or narrow the run with --at or --subjects.",
        )
