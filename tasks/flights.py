"""What the flow knows of its workers: which units are where, and since when."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Flight:
    """Units under way on one worker, run in order."""

    id: str
    units: list[int]
    alone: bool
    position: int = 0
    since: float = math.inf  # when it reached a free slot
    clock: float = math.inf  # when the unit at ``position`` started, as told by the worker

    @property
    def left(self) -> list[int]:
        return self.units[self.position :]


@dataclass
class Worker:
    """A worker process as the flow sees it; the first ``slots`` flights are running."""

    slots: int
    flights: list[Flight] = field(default_factory=list)

    @property
    def running(self) -> list[Flight]:
        return self.flights[: self.slots]

    @property
    def alone(self) -> bool:
        return any(flight.alone for flight in self.flights)


@dataclass
class Loss:
    """A worker that is gone, with what it was running, waiting to be judged.

    ``certain``: exactly one unit was running; otherwise each is tried alone before it is charged.
    """

    worker: str
    suspects: list[int]
    certain: bool
    judge_at: float
