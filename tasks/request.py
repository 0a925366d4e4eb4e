"""What a run is asked for, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from cohortflow.errors import Cancelled, SelectionEmpty
from cohortflow.pipeline.plan import PlanOptions


@dataclass(frozen=True)
class RunRequest:
    """What a person or a schedule asks for."""

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

    def options(self) -> PlanOptions:
        subjects = None if self.subjects is None else frozenset(self.subjects)
        return PlanOptions(dict(self.at), subjects, frozenset(self.refresh), self.train)


@dataclass
class StepTiming:
    """What one step did in this run."""

    step: str
    units: int = 0
    done: int = 0
    failed: int = 0
    wall_s: float = 0.0


@dataclass
class RunResult:
    """How a run ended. ``changed``: some unit changed its state."""

    run_id: str
    index: int
    counts: dict[str, int]
    timings: list[StepTiming]
    changed: bool
    cancelled: bool
    report: str | None = None

    @property
    def exit_code(self) -> int:
        if self.cancelled:
            return Cancelled.exit_code
        if not self.counts:
            return SelectionEmpty.exit_code
        return 0 if set(self.counts) <= {"done"} else 3
