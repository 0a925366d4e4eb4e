"""Units that wait to be sent, and how many of them go together."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

CHUNK_S = 0.25
"""Work sent to a worker in one message: round trips (5-10 ms of both sides) then cost little, and a
worker that dies takes little with it."""
CHUNK_UNITS = 64
UNPROVEN_UNITS = 4
CHEAP_S = 0.5


class Waiting:
    """Three queues: ready, pausing before another try, and suspects to be run alone."""

    def __init__(self, units: Iterable[int]) -> None:
        self.ready: deque[int] = deque(units)
        self.suspects: deque[int] = deque()
        self._pausing: list[tuple[float, int, bool]] = []

    def first(self, units: Sequence[int]) -> None:
        """Put units back at the head of the queue, in their order."""
        self.ready.extendleft(reversed(units))

    def later(self, unit: int, due: float, *, alone: bool) -> None:
        heapq.heappush(self._pausing, (due, unit, alone))

    def wake(self, now: float) -> None:
        """Move units whose pause is over to where they are sent from."""
        while self._pausing and self._pausing[0][0] <= now:
            _, unit, alone = heapq.heappop(self._pausing)
            (self.suspects if alone else self.ready).append(unit)


class Costs:
    """Seconds per unit of each step: projected at first, then as measured (moving average)."""

    def __init__(self, specs: Sequence[dict[str, Any]]) -> None:
        self._specs = specs
        self._measured: dict[Any, float] = {}

    def seconds(self, unit: int) -> float | None:
        spec = self._specs[unit]
        measured = self._measured.get(spec.get("step"))
        return spec.get("seconds") if measured is None else measured

    def learn(self, unit: int, seconds: float) -> None:
        step = self._specs[unit].get("step")
        before = self._measured.get(step, seconds)
        self._measured[step] = 0.8 * before + 0.2 * seconds

    @property
    def cheap(self) -> bool:
        """Whether a worker may hold a second message of units while it works on the first."""
        return bool(self._measured) and max(self._measured.values()) < CHEAP_S

    def chunk(self, ready: deque[int], fair: int) -> list[int]:
        """Take from the queue what makes one message: one unit, or several cheap ones."""
        units = [ready.popleft()]
        spent = self.seconds(units[0])
        while ready and spent is not None and len(units) < fair:
            step = self._specs[units[-1]].get("step")
            most = CHUNK_UNITS if step in self._measured else UNPROVEN_UNITS
            following = self.seconds(ready[0])
            if following is None or spent + following > CHUNK_S or len(units) >= most:
                break
            spent += following
            units.append(ready.popleft())
        return units
