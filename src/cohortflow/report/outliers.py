"""How far one subject's numbers stand from those of the others, robustly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEAST_SUBJECTS = 5
OUTLYING = 3.5
"""Robust standard deviations from which a subject is called an outlier (Iglewicz and Hoaglin)."""
_NORMAL = 1.4826
"""Turns a median absolute deviation into the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Deviation:
    """``score``: largest distance from the median in robust standard deviations; its number."""

    score: float
    reason: str


def centre(values: Sequence[float]) -> tuple[float, float]:
    """The median, and what counts as one standard deviation; 0 where nobody can stand out.

    That is 1.4826 times the median absolute deviation (Iglewicz and Hoaglin 1993). Where more than
    half have one and the same value it is 0: there the mean absolute deviation times 1.2533 stands
    in its place.
    """
    found = np.asarray(values, dtype=float)
    if len(found) < LEAST_SUBJECTS:
        return math.nan, 0.0
    middle = float(np.median(found))
    apart = np.abs(found - middle)
    spread = _NORMAL * float(np.median(apart)) or 1.2533 * float(apart.mean())
    return middle, spread if spread > 1e-9 * max(1.0, abs(middle)) else 0.0


def deviations(rows: Mapping[str, Mapping[str, float]]) -> dict[str, Deviation]:
    """Subject → how far it stands out, of numbers by name; empty below five subjects."""
    if len(rows) < LEAST_SUBJECTS:
        return {}
    worst: dict[str, Deviation] = {subject: Deviation(0.0, "") for subject in rows}
    for name in dict.fromkeys(name for row in rows.values() for name in row):
        found = {subject: row[name] for subject, row in rows.items() if name in row}
        middle, spread = centre(list(found.values()))
        if not spread:
            continue
        for subject, value in found.items():
            score = abs(value - middle) / spread
            if math.isfinite(score) and score > worst[subject].score:
                side = "above" if value > middle else "below"
                told = f"{name} {value:.4g}, {side} the median {middle:.4g}"
                worst[subject] = Deviation(score, told)
    return worst
