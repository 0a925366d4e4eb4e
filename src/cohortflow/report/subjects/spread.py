"""How the numbers of a cohort are spread: what one subject's are set beside."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cohortflow.cohort.documents import digest
from cohortflow.report.outliers import centre
from cohortflow.report.subjects.numbers import Number

SHARE_OF_SUBJECTS = 0.05
SHARE_OF_QUARTILES = 0.05
FLAGGED = 1e9
"""In robust standard deviations: a structure that was missed comes before any value."""


@dataclass(frozen=True)
class Standing:
    """Where a value stands: quartiles, median, its rank from below among ``n``, how far it is out.

    ``distance``: robust standard deviations from the median, None where nobody can stand out.
    """

    low: float
    median: float
    high: float
    rank: int
    n: int
    distance: float | None


@dataclass(frozen=True)
class Spread:
    """The values of every number by name, in ascending order; nobody's id."""

    values: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, everyone: Iterable[Sequence[Number]]) -> Spread:
        found: dict[str, list[float]] = {}
        for numbers in everyone:
            for number in numbers:
                if number.value is not None:
                    found.setdefault(number.name, []).append(number.value)
        return cls({name: sorted(values) for name, values in sorted(found.items())})

    @cached_property
    def digest(self) -> str:
        return digest(self.to_json())

    @cached_property
    def _centres(self) -> dict[str, tuple[float, float]]:
        return {name: centre(values) for name, values in self.values.items()}

    def to_json(self) -> dict[str, Any]:
        return {name: list(values) for name, values in self.values.items()}

    def standing(self, number: Number) -> Standing | None:
        """None where the number has no value, or nobody else's is known."""
        values = self.values.get(number.name, ())
        if number.value is None or not values:
            return None
        low, median, high = self.quartiles(number.name)
        rank = bisect.bisect_left(values, number.value) + 1
        return Standing(low, median, high, rank, max(len(values), rank), self._distance(number))

    def quartiles(self, name: str) -> tuple[float, float, float]:
        """25th percentile, median and 75th, linear between values."""
        low, median, high = np.percentile(self.values[name], [25, 50, 75]).tolist()
        return low, median, high

    def outlying(self, number: Number) -> float:
        """How far a number stands out on the side that is worse, or on either where none is."""
        if number.flagged:
            return FLAGGED
        distance = self._distance(number)
        if distance is None:
            return 0.0
        if number.better == "none":
            return abs(distance)
        return max(0.0, -distance if number.better == "higher" else distance)

    def _distance(self, number: Number) -> float | None:
        middle, sd = self._centres.get(number.name, (0.0, 0.0))
        if number.value is None or not sd:
            return None
        return (number.value - middle) / sd

    def still_tells(self, now: Spread) -> bool:
        """Whether this older spread tells of ``now`` what matters: then no page need be remade.

        The same numbers, of as many subjects but for one in twenty, with quartiles that have moved
        by no more than a twentieth of their distance.
        """
        most = max(map(len, self.values.values()), default=0)
        names = {*self.values, *now.values}
        return all(self._near(now, name, SHARE_OF_SUBJECTS * most) for name in names)

    def _near(self, now: Spread, name: str, room_for: float) -> bool:
        before, after = len(self.values.get(name, ())), len(now.values.get(name, ()))
        if abs(after - before) > room_for:
            return False
        if not before or not after:
            return True
        old, new = self.quartiles(name), now.quartiles(name)
        room = SHARE_OF_QUARTILES * (old[2] - old[0])
        return all(abs(a - b) <= room for a, b in zip(old, new, strict=True))
