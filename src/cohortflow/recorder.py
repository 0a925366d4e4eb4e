"""What a stage may tell the outside world while it computes.

``src`` only knows this protocol; ``tasks`` forwards to log files, progress bars and MLflow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Recorder(Protocol):
    """Receives progress, curves and warnings of one unit."""

    def progress(self, done: int, total: int) -> None:
        """Work done inside the unit, in the stage's own steps (epochs, windows)."""

    def metric(self, name: str, value: float, step: int) -> None:
        """One point of a curve, such as a training loss at an epoch."""

    def warning(self, code: str, message: str) -> None:
        """Something the reader of the report must know; kept in the entry's record."""


@dataclass(eq=False)
class MemoryRecorder:
    """Keeps everything in lists: for tests, notebooks and the unit's own record."""

    warnings: list[dict[str, str]] = field(default_factory=list)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    last_progress: tuple[int, int] = (0, 0)

    def progress(self, done: int, total: int) -> None:
        self.last_progress = (done, total)

    def metric(self, name: str, value: float, step: int) -> None:
        self.curves.setdefault(name, []).append((step, value))

    def warning(self, code: str, message: str) -> None:
        self.warnings.append({"code": code, "message": message})
