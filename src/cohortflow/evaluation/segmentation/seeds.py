"""Summaries of one question at several seeds: folds of a seed joined, a lost seed at its worst."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cohortflow.evaluation.denominator import Statistic
from cohortflow.evaluation.pooling import SeedPool, pool_seeds
from cohortflow.evaluation.segmentation.metrics import POOLED
from cohortflow.evaluation.segmentation.score_tables import (
    as_failed,
    long_table,
    of_equal_labels,
    once,
    short_tables,
)
from cohortflow.evaluation.segmentation.summary import counted_by_label, summarise_segmentations
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Part:
    """One fold of a seed, or all of it. ``cases`` reads ``cases.parquet``, of another seed where
    this one has ``failed``; ``summary`` is its own, None where it failed."""

    fold: Any
    cases: Callable[[], pd.DataFrame]
    summary: pd.DataFrame | None

    @property
    def failed(self) -> bool:
        return self.summary is None


@dataclass(frozen=True)
class SeedSummary:
    """One seed. ``intervals``: how those of its joined folds, and of means over labels, are made;
    ``groups`` of cases it takes from the cases themselves."""

    seed: Any
    parts: Sequence[Part]
    statistic: Statistic
    intervals: CaseIntervals

    @property
    def failed(self) -> bool:
        """Nothing of it finished: every case counts as the worst."""
        return all(part.failed for part in self.parts)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Rows of :func:`summarise_segmentations` over the cases of all folds."""
        (first, *rest) = self.parts
        if not rest and first.summary is not None:
            return first.summary
        tables, everyone, intervals = self._joined()
        return summarise_segmentations(
            tables, everyone, self.statistic, "keep", None if self.failed else intervals
        )

    @cached_property
    def cases(self) -> pd.DataFrame:
        """Every case once, the folds joined; those of a lost fold have failed."""
        (first, *rest) = self.parts
        if not rest and not first.failed:
            return first.cases()
        tables, everyone, intervals = self._joined()
        away = [case for case in everyone if case not in tables]
        return long_table(tables, away, intervals.groups)

    def interval_of_mean(self, metric: str, labels: Sequence[int]) -> tuple[float, float, str]:
        """Of the mean of a metric over labels: ends and what they are; NaN and why not."""
        if metric in POOLED:
            return math.nan, math.nan, "none: it is no mean over cases"
        tables, everyone, intervals = self._joined(metric)
        counted = counted_by_label(tables, everyone, metric)
        return intervals.of_mean([counted[label] for label in labels], self.statistic)

    def _joined(self, metric: str = "") -> tuple[dict[str, pd.DataFrame], list[str], CaseIntervals]:
        """Tables of all folds, everyone who should have one, and intervals that know the groups.

        ``metric``: of this id only, or that of a policy.
        """
        found: dict[str, list[pd.DataFrame]] = {}
        away: set[str] = set()
        groups: dict[str, str] = {}
        for part in self.parts:
            cases = part.cases()
            if metric:
                of_policy = cases["metric"] + "/" + cases["policy"]
                cases = cases[(cases["metric"] == metric) | (of_policy == metric)]
            if "group" in cases:
                groups |= dict(zip(cases["subject"], map(str, cases["group"]), strict=True))
            tables, lost = short_tables(as_failed(cases) if part.failed else cases)
            away |= set(lost)
            for case, table in tables.items():
                found.setdefault(case, []).append(table)
        kept = {case: once(own) for case, own in sorted(found.items()) if case not in away}
        intervals = replace(self.intervals, groups=groups or None)
        return of_equal_labels(kept), [*kept, *sorted(away)], intervals


def over_seeds(values: Sequence[float], asked: int) -> SeedPool:
    """Mean and sd over seeds. One without a value leaves no mean: it may be cases that were lost
    which it lacks a value for, and the mean of the others would gain by them."""
    pooled = pool_seeds(values, asked)
    if any(map(math.isnan, values)):
        return replace(pooled, mean=math.nan, sd=math.nan)
    return pooled
