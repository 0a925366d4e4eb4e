"""Who counts in an aggregate, and for what: the one rule of every number of a cohort.

A case that should have a value and has none counts as its worst, so that no aggregate gains by
losing it. A case that has nothing to measure is left out, and counted as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Statistic = Literal["mean", "median"]


@dataclass(frozen=True)
class CaseValue:
    """``value`` of a case, NaN where it is lost and counts as its ``worst`` (None: there is none).

    ``left_out``: there was nothing to measure.
    """

    case: str
    value: float
    worst: float | None
    left_out: bool = False


@dataclass(frozen=True)
class Counted:
    """``values`` (case): one for each of the denominator, in the order of ``names``.

    Of ``cases``, ``missing`` count as their worst; ``bottomless`` is how many of those have none
    and are not among the values: there is no aggregate then.
    """

    values: tuple[float, ...]
    names: tuple[str, ...]
    cases: int
    missing: int
    left_out: int
    bottomless: int

    def centre(self, how: Statistic) -> float:
        """Mean or median, the same in any order of cases; NaN of none."""
        ordered = sorted(self.values)
        if not ordered or self.bottomless:
            return math.nan
        if how == "mean":
            return math.fsum(ordered) / len(ordered)
        return _median(ordered)


def counted(cases: Iterable[CaseValue]) -> Counted:
    """The denominator and what each of its cases counts for."""
    every = list(cases)
    judged = [case for case in every if not case.left_out]
    lost = [case for case in judged if math.isnan(case.value)]
    known = [(case.case, case.worst if math.isnan(case.value) else case.value) for case in judged]
    return Counted(
        values=tuple(value for _, value in known if value is not None),
        names=tuple(name for name, value in known if value is not None),
        cases=len(every),
        missing=len(lost),
        left_out=len(every) - len(judged),
        bottomless=sum(case.worst is None for case in lost),
    )


def quartiles(values: Iterable[float]) -> tuple[float, float, float]:
    """25th percentile, median and 75th, linear between neighbours; NaN of none.

    Infinite ones stand at the upper end: what lies between a value and an infinite one is infinite.
    """
    ordered = sorted(values)
    if not ordered:
        return math.nan, math.nan, math.nan
    low, high = (_between(ordered, share * (len(ordered) - 1)) for share in (0.25, 0.75))
    return low, _median(ordered), high


def _between(ordered: Sequence[float], at: float) -> float:
    below = math.floor(at)
    part = at - below
    if not part or ordered[below] == ordered[below + 1]:
        return ordered[below]
    return ordered[below] + part * (ordered[below + 1] - ordered[below])


def _median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2.0
