"""What settling units needs to know about worker processes, and what they tell it.

``units.settle`` only speaks this protocol, so its rules are tested without any process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Joined:
    """A worker is there and runs ``slots`` units at a time."""

    worker: str
    slots: int


@dataclass(frozen=True)
class Left:
    """A worker is gone; ``expected``: it was told to go (a cluster shrinking), no unit's fault."""

    worker: str
    expected: bool = False


@dataclass(frozen=True)
class OverMemory:
    """The supervisor of a worker is about to end it for exceeding its memory limit."""

    worker: str


@dataclass(frozen=True)
class Started:
    flight: str


@dataclass(frozen=True)
class Settled:
    """The unit at ``position`` of a flight has an outcome."""

    flight: str
    position: int
    outcome: dict[str, Any]


@dataclass(frozen=True)
class Broken:
    """A flight ended without settling its units.

    It could not be sent, read or imported over there; or (``transient``) the scheduler dropped it.
    """

    flight: str
    reason: str
    transient: bool = False


Message = Joined | Left | OverMemory | Started | Settled | Broken


class Pool(Protocol):
    """Worker processes that run flights: short lists of units, in order, on one worker."""

    start_grace_s: float
    """Longest time between a free slot and a start notice before a unit counts as started anyway;
    infinite where others use the workers too."""

    def messages(self, timeout_s: float) -> list[Message]:
        """Everything that arrived, waiting at most ``timeout_s`` for the first."""

    def submit(self, worker: str, flight: str, specs: Sequence[dict[str, Any]]) -> None:
        """Send a flight to a worker; units on one worker start in the order of submission."""

    def forget(self, flight: str) -> None:
        """Release a flight, settled or given up."""

    def restart(self, workers: Sequence[str]) -> None:
        """Replace the processes of workers that hang; does not wait."""

    def abandon(self, workers: Sequence[str]) -> None:
        """Workers whose units were given up half-way: end them before anything else runs there."""
