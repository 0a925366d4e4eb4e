"""How far one subject's numbers stand from those of the others, robustly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LEAST_SUBJECTS = 5
_NORMAL = 1.4826
"""Turns a median absolute deviation into the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Deviation:
    """``score``: largest distance from the median in robust standard deviations; of which number."""

    score: float
    reason: str


def deviations(rows: Mapping[str, Mapping[str, float]]) -> dict[str, Deviation]:
    """Subject → how far it stands out, of numbers by name; empty below five subjects.

    The distance of a number from the median of all, over 1.4826 times their median absolute
    deviation (Iglewicz and Hoaglin 1993). Where more than half have one and the same value that
    deviation is 0: there the mean absolute deviation times 1.2533 stands in its place.
    """
    if len(rows) < LEAST_SUBJECTS:
        return {}
    worst: dict[str, Deviation] = {subject: Deviation(0.0, "") for subject in rows}
    for name in dict.fromkeys(name for row in rows.values() for name in row):
        found = {subject: row[name] for subject, row in rows.items() if name in row}
        values = np.array(list(found.values()))
        if len(values) < LEAST_SUBJECTS:
            continue
        middle = float(np.median(values))
        apart = np.abs(values - middle)
        spread = _NORMAL * float(np.median(apart)) or 1.2533 * float(apart.mean())
        if not spread > 1e-9 * max(1.0, abs(middle)):
            continue
        for subject, value in found.items():
            score = abs(value - middle) / spread
            if math.isfinite(score) and score > worst[subject].score:
                side = "above" if value > middle else "below"
                told = f"{name} {value:.4g}, {side} the median {middle:.4g}"
                worst[subject] = Deviation(score, told)
    return worst
