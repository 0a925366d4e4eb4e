"""What a metric id means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OF_THE_VALUES = "of the values"


@dataclass(frozen=True)
class Definition:
    """A metric: its id, what it is, its unit, which direction is better, and where it is from.

    ``unit`` is ``of the values`` where the caller states it. ``worst`` is what a missing case
    counts as; None where the metric has no bound, so that an aggregate over a missing case is
    undefined unless the caller states one.
    """

    id: str
    about: str
    unit: str
    better: Literal["higher", "lower", "none"]
    worst: float | None
    source: str
