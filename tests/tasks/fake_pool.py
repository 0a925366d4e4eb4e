"""Worker processes without processes: units behave as they are told, on a clock of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.pool import Joined, Left, Message, OverMemory, Settled, Started


@dataclass
class _Process:
    slots: int
    flights: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)


class FakePool:
    """A pool whose units do what ``spec["does"]`` says; a tick is 0.1 s.

    ``done``, ``die``, ``hang``, ``fail`` (transient) or a number of deaths before it is done.
    ``loses_last_words``: what a worker said in the tick it dies in never arrives.
    """

    start_grace_s = 5.0

    def __init__(self, workers: int, slots: int, *, loses_last_words: bool = False) -> None:
        self.now = 0.0
        self.slots = slots
        self.loses_last_words = loses_last_words
        self.starts: dict[str, int] = {}
        self.made = 0
        self.processes: dict[str, _Process] = {}
        self.pending: list[Message] = []
        for _ in range(workers):
            self._join()

    def clock(self) -> float:
        return self.now

    def _join(self) -> None:
        self.made += 1
        name = f"worker-{self.made}"
        self.processes[name] = _Process(self.slots)
        self.pending.append(Joined(name, self.slots))

    # --- Pool -------------------------------------------------------------------------------------

    def submit(self, worker: str, flight: str, specs: Sequence[dict[str, Any]]) -> None:
        if worker in self.processes:  # else it died meanwhile, and the flow is about to hear
            self.processes[worker].flights.append((flight, list(specs)))

    def forget(self, flight: str) -> None:
        for process in self.processes.values():
            process.flights = [found for found in process.flights if found[0] != flight]

    def restart(self, workers: Sequence[str]) -> None:
        for worker in workers:
            if self.processes.pop(worker, None) is not None:
                self.pending.append(Left(worker))
                self._join()

    def abandon(self, workers: Sequence[str]) -> None:
        self.restart(workers)

    def messages(self, timeout_s: float) -> list[Message]:
        self.now += 0.1
        for name in list(self.processes):
            self.pending += self._tick(name)
        said, self.pending = self.pending, []
        return said

    # --- what the processes do --------------------------------------------------------------------

    def _tick(self, name: str) -> list[Message]:
        process = self.processes[name]
        said: list[Message] = []
        for flight, specs in process.flights[: process.slots]:
            position = process.positions.setdefault(flight, -1)
            if position < 0:
                said.append(Started(flight))
                position = process.positions[flight] = 0
            spec = specs[position]
            self.starts[spec["key"]] = self.starts.get(spec["key"], 0) + (spec["does"] != "hang")
            if self._dies(spec):
                return self._death(name, said, spec)
            if spec["does"] != "hang":
                said.append(Settled(flight, position, self._outcome(spec)))
                process.positions[flight] += 1
        process.flights = [
            (flight, specs)
            for flight, specs in process.flights
            if process.positions.get(flight, 0) < len(specs)
        ]
        return said

    def _dies(self, spec: dict[str, Any]) -> bool:
        does = spec["does"]
        return does in ("die", "hog") or (
            isinstance(does, int) and self.starts[spec["key"]] <= does
        )

    def _death(self, name: str, said: list[Message], spec: dict[str, Any]) -> list[Message]:
        del self.processes[name]
        self._join()
        last: list[Message] = [OverMemory(name)] if spec["does"] == "hog" else []
        return [*([] if self.loses_last_words else said), *last, Left(name)]

    def _outcome(self, spec: dict[str, Any]) -> dict[str, Any]:
        failed = spec["does"] == "fail"
        error = {"code": "flaky", "message": "away", "transient": True}
        return {
            "key": spec["key"],
            "state": "failed" if failed else "done",
            "seconds": 0.1,
            "error": error if failed else None,
        }
