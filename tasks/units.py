"""Settle every unit of a batch: done, failed by name, lost with its worker, timed out, cancelled.

The flow decides itself which worker runs which unit and in what order, so it always knows what a
dead or silent worker was at. Units that merely waited behind a culprit are sent elsewhere and
charged nothing; units that shared a process with it are retried alone to find out who it was.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from cohortflow.errors import Cancelled, TransientError, UnitTimeout, WorkerLost
from tasks.flights import Flight, Loss, Worker
from tasks.patience import Patience
from tasks.pool import Broken, Joined, Left, Message, OverMemory, Pool, Settled, Started
from tasks.sparingly import Sparingly
from tasks.verdicts import no_worker, not_started, timed_out, worker_lost
from tasks.waiting import Costs, Waiting
from tasks.worker import Outcome, failed_outcome

log = logging.getLogger(__name__)

OnOutcome = Callable[[Outcome], None]
ShouldStop = Callable[[], bool]

TICK_S = 0.2
NO_WORKER_S = 60.0
JUDGE_AFTER_S = 0.3  # a notice of exceeded memory may come just after the loss it explains


class Settlement:
    """The books of one batch: what waits, what is where, what is settled."""

    def __init__(
        self,
        pool: Pool,
        specs: Sequence[dict[str, Any]],
        on_outcome: OnOutcome,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pool = pool
        self.specs = specs
        self.on_outcome = on_outcome
        self.patience = patience or Patience()
        self.clock = clock
        self.outcomes: dict[int, Outcome] = {}
        self.attempts: dict[int, int] = {}
        self.costs = Costs(specs)
        self.waiting = Waiting(range(len(specs)))
        self.workers: dict[str, Worker] = {}
        self.where: dict[str, tuple[str, Flight]] = {}
        self.losses: deque[Loss] = deque()
        self.over_memory: set[str] = set()
        self.lines = Sparingly(log)
        self.flights_made = 0
        self.workerless_since = clock()

    # --- the loop -------------------------------------------------------------------------------

    def run(self, should_stop: ShouldStop) -> list[Outcome]:
        """Settle every unit; outcomes in the order of the specs."""
        try:
            while len(self.outcomes) < len(self.specs):
                if should_stop():
                    self._cancel_rest()
                    break
                self.step(TICK_S)
        finally:
            self._give_up_flights()
            for topic in ("workers", *{str(spec.get("step")) for spec in self.specs}):
                self.lines.close(topic)
        return [self.outcomes[index] for index in range(len(self.specs))]

    def step(self, wait_s: float) -> None:
        """Send what can be sent, hear what there is to hear, enforce the limits."""
        self._assign()
        for message in self.pool.messages(wait_s):
            self._hear(message)
        now = self.clock()
        self._judge_losses(now)
        self._enforce_timeouts(now)
        self._enforce_presence(now)

    def _hear(self, message: Message) -> None:
        match message:
            case Joined(worker, slots):
                self.workers.setdefault(worker, Worker(slots))
            case Left(worker, expected):
                self._worker_left(worker, expected)
            case OverMemory(worker):
                self.over_memory.add(worker)
            case Started(flight):
                self._started(flight)
            case Settled(flight, position, outcome):
                self._progressed(flight, position, outcome)
            case Broken():
                self._broken(message)

    # --- sending --------------------------------------------------------------------------------

    def _assign(self) -> None:
        self.waiting.wake(self.clock())
        self._assign_suspects()
        reserved = self._reserved()
        for depth in (1, 2):
            for name, worker in self.workers.items():
                room = depth * worker.slots if self.costs.cheap else worker.slots
                while (
                    self.waiting.ready
                    and len(worker.flights) < room
                    and not worker.alone
                    and name not in reserved
                ):
                    self._send(name, worker, self._next_chunk(), alone=False)

    def _assign_suspects(self) -> None:
        for name, worker in self.workers.items():
            if self.waiting.suspects and not worker.flights:
                self._send(name, worker, [self.waiting.suspects.popleft()], alone=True)

    def _reserved(self) -> set[str]:
        """Workers left to run empty, so that suspects soon find one of their own."""
        if not self.waiting.suspects:
            return set()
        by_load = sorted(self.workers, key=lambda name: len(self.workers[name].flights))
        count = min(len(self.waiting.suspects), math.ceil(len(by_load) / 2))
        return set(by_load[:count])

    def _next_chunk(self) -> list[int]:
        slots = sum(worker.slots for worker in self.workers.values())
        fair = math.ceil(len(self.waiting.ready) / (2 * slots))
        return self.costs.chunk(self.waiting.ready, fair)

    def _send(self, name: str, worker: Worker, units: list[int], *, alone: bool) -> None:
        self.flights_made += 1
        flight = Flight(f"{self.flights_made}", units, alone)
        worker.flights.append(flight)
        self.where[flight.id] = (name, flight)
        self._mark_heads(worker)
        self.pool.submit(name, flight.id, [self.specs[unit] for unit in units])

    def _mark_heads(self, worker: Worker) -> None:
        for flight in worker.running:
            flight.since = min(flight.since, self.clock())

    # --- hearing --------------------------------------------------------------------------------

    def _started(self, flight_id: str) -> None:
        if flight_id in self.where:
            self.where[flight_id][1].clock = self.clock()

    def _progressed(self, flight_id: str, position: int, outcome: Outcome) -> None:
        if flight_id not in self.where:
            return  # given up earlier; the unit was settled or sent again
        name, flight = self.where[flight_id]
        now = self.clock()
        unit = flight.units[position]
        self.costs.learn(unit, float(outcome["seconds"]))
        flight.position, flight.clock = position + 1, now
        if not flight.left:
            self._drop_flight(name, flight)
        self._weigh(unit, outcome)

    def _broken(self, message: Broken) -> None:
        if message.flight not in self.where:
            return
        name, flight = self.where[message.flight]
        units = flight.left
        self._drop_flight(name, flight)
        for unit in units:
            if message.transient:
                error = WorkerLost("the scheduler dropped the unit", where=name)
                self._charge(unit, error, alone=True)
            else:
                refused = not_started(name, message.reason)
                self._settle(unit, failed_outcome(self.specs[unit], refused))

    def _drop_flight(self, name: str, flight: Flight) -> None:
        self.where.pop(flight.id, None)
        self.pool.forget(flight.id)
        worker = self.workers.get(name)
        if worker is not None and flight in worker.flights:
            worker.flights.remove(flight)
            self._mark_heads(worker)

    # --- outcomes and retries -------------------------------------------------------------------

    def _weigh(self, unit: int, outcome: Outcome, *, alone: bool = False) -> None:
        """Settle the unit, or try it again after a pause where that may help."""
        attempts = self.attempts[unit] = self.attempts.get(unit, 0) + 1
        outcome["attempts"] = attempts
        retries = int(self.specs[unit].get("retries") or 0)
        if not self.patience.again(outcome, attempts, retries):
            self._settle(unit, outcome)
            return
        error = outcome["error"]
        pause = self.patience.pause(attempts)
        text = f"{self._label(unit)}: {error.get('message')}; trying again in {pause:g} s"
        self.lines.warning(
            str(self.specs[unit].get("step")), f"{error.get('code')}, tried again", text
        )
        self.waiting.later(unit, self.clock() + pause, alone=alone)

    def _settle(self, unit: int, outcome: Outcome) -> None:
        if unit in self.outcomes:
            return
        self.outcomes[unit] = outcome
        self.on_outcome(outcome)

    def _charge(self, unit: int, error: TransientError, *, alone: bool) -> None:
        timeout_s = float(self.specs[unit].get("timeout_s") or 0.0)
        seconds = timeout_s if isinstance(error, UnitTimeout) else 0.0
        self._weigh(unit, failed_outcome(self.specs[unit], error, seconds=seconds), alone=alone)

    def _label(self, unit: int) -> str:
        spec = self.specs[unit]
        return f"{spec.get('step')} of {spec.get('subject') or 'the cohort'}"

    # --- workers lost ---------------------------------------------------------------------------

    def _worker_left(self, name: str, expected: bool) -> None:
        worker = self._remove_worker(name)
        if worker is None:
            return
        blamed = [] if expected else worker.running
        for flight in worker.flights[len(blamed) :]:
            self.waiting.first(flight.left)
        suspects = [unit for flight in blamed for unit in flight.left]
        if suspects:
            seen = all(flight.alone or flight.clock < math.inf for flight in blamed)
            certain = seen and len(suspects) == 1
            self.losses.append(Loss(name, suspects, certain, self.clock() + JUDGE_AFTER_S))

    def _remove_worker(self, name: str) -> Worker | None:
        worker = self.workers.pop(name, None)
        if worker is not None:
            for flight in worker.flights:
                self.where.pop(flight.id, None)
                self.pool.forget(flight.id)
            if not self.workers:
                self.workerless_since = self.clock()
        return worker

    def _judge_losses(self, now: float) -> None:
        while self.losses and self.losses[0].judge_at <= now:
            loss = self.losses.popleft()
            if loss.certain:
                error = worker_lost(loss.worker, memory=loss.worker in self.over_memory)
                self._charge(loss.suspects[0], error, alone=True)
                continue
            count = len(loss.suspects)
            text = f"Worker {loss.worker} was lost; trying its {count} units alone"
            self.lines.warning("workers", "lost", text)
            self.waiting.suspects.extend(loss.suspects)

    def _enforce_presence(self, now: float) -> None:
        if self.workers or self.losses or now - self.workerless_since < NO_WORKER_S:
            return
        error = no_worker(NO_WORKER_S)
        for unit in range(len(self.specs)):
            self._settle(unit, failed_outcome(self.specs[unit], error))

    # --- time -----------------------------------------------------------------------------------

    def _enforce_timeouts(self, now: float) -> None:
        for name, worker in list(self.workers.items()):
            late = [flight for flight in worker.running if self._is_late(flight, now)]
            if late:
                self._restart(name, late)

    def _is_late(self, flight: Flight, now: float) -> bool:
        timeout_s = float(self.specs[flight.left[0]].get("timeout_s") or math.inf)
        started = min(flight.clock, flight.since + self.pool.start_grace_s)
        return now - started > timeout_s

    def _restart(self, name: str, late: list[Flight]) -> None:
        worker = self._remove_worker(name)
        assert worker is not None
        self.pool.restart([name])
        for flight in worker.flights:
            if flight not in late:
                self.waiting.first(flight.left)
                continue
            unit, *others = flight.left
            self.waiting.first(others)
            limit_s = float(self.specs[unit]["timeout_s"])
            error = timed_out(self._label(unit), limit_s)
            self._charge(unit, error, alone=False)

    # --- the end --------------------------------------------------------------------------------

    def _cancel_rest(self) -> None:
        self._give_up_flights()
        for unit in range(len(self.specs)):
            if unit not in self.outcomes:
                error = Cancelled("the run was stopped before this unit ended")
                self._settle(unit, failed_outcome(self.specs[unit], error))

    def _give_up_flights(self) -> None:
        busy = [name for name, worker in self.workers.items() if worker.flights]
        for name in busy:
            self._remove_worker(name)
        if busy:
            self.pool.abandon(busy)


def settle(
    pool: Pool,
    specs: Sequence[dict[str, Any]],
    on_outcome: OnOutcome,
    should_stop: ShouldStop,
    patience: Patience | None = None,
) -> list[Outcome]:
    """Run units on a pool; every one is settled, and handed to ``on_outcome``, exactly once.

    Outcomes return in the order of the specs. A spec's ``timeout_s`` counts from the moment the
    unit starts; ``retries`` holds for transient errors only, with pauses that double. A store that
    is away is tried for as long as ``patience`` has.
    """
    return Settlement(pool, specs, on_outcome, patience).run(should_stop)
