"""What a run is asked for, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cohortflow.errors import Cancelled, SelectionEmpty
from cohortflow.pipeline.options import PlanOptions
from cohortflow.pipeline.unit import Place


@dataclass(frozen=True)
class RunRequest:
    """What a person or a schedule asks for.

    ``untried``: units that are left alone, by step, subject and labels of their point.
    """

    pipeline: str
    cohort: str
    settings: tuple[str, ...] = ()
    at: dict[str, tuple[str, ...]] = field(default_factory=dict)
    subjects: tuple[str, ...] | None = None
    retry_failed: bool = False
    refresh: tuple[str, ...] = ()
    train: bool = True
    wait: bool = False
    cluster: str = "local"
    workers: int | None = None
    threads: int | None = None
    memory: str | None = None
    untried: frozenset[Place] = frozenset()

    def options(self) -> PlanOptions:
        subjects = None if self.subjects is None else frozenset(self.subjects)
        return PlanOptions(
            dict(self.at), subjects, frozenset(self.refresh), self.train, untried=self.untried
        )


@dataclass
class StepTiming:
    """What one step did in this run.

    ``wall_s``: from handing its batches to the workers until they had settled. ``unit_s``: what its
    units took, added up, failed ones included. ``work``: what its stage counted, added up.
    ``peak_memory_bytes``: of the largest process that ran a unit, since that process started; 0
    where none told. ``workers`` units ran at a time, with ``threads`` threads each.
    """

    step: str
    units: int = 0
    done: int = 0
    failed: int = 0
    wall_s: float = 0.0
    unit_s: float = 0.0
    work: dict[str, int] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    workers: int = 0
    threads: int = 0

    def take(self, outcome: Mapping[str, Any]) -> None:
        """Count one settled unit."""
        self.done += outcome["state"] == "done"
        self.failed += outcome["state"] != "done"
        self.unit_s += outcome["seconds"]
        for name, count in outcome.get("work", {}).items():
            self.work[name] = self.work.get(name, 0) + count
        peak = outcome.get("peak_memory_bytes", 0)
        self.peak_memory_bytes = max(self.peak_memory_bytes, peak)


@dataclass
class RunResult:
    """How a run ended. ``changed``: some unit changed its state.

    ``failures``: what was asked for and did not come out, a row per cause. ``report``: where the
    report is. ``prefect_page`` and ``mlflow_page``: addresses of the pages that show this run,
    where they are known.
    """

    run_id: str
    index: int
    counts: dict[str, int]
    timings: list[StepTiming]
    changed: bool
    cancelled: bool
    failures: list[dict[str, Any]] = field(default_factory=list)
    report: str | None = None
    prefect_page: str | None = None
    mlflow_page: str | None = None

    @property
    def exit_code(self) -> int:
        if self.cancelled:
            return Cancelled.exit_code
        if not self.counts:
            return SelectionEmpty.exit_code
        return 0 if set(self.counts) <= {"done"} else 3
