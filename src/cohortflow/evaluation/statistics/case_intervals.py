"""Intervals of aggregates over cases: which cases are drawn together, and within what."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cohortflow.evaluation.denominator import Counted, Statistic

if TYPE_CHECKING:
    import numpy as np

INFINITE = "none: a case counts as infinitely bad"


@dataclass(frozen=True)
class CaseIntervals:
    """BCa intervals at ``level``; ``strata`` and ``groups`` by case.

    A case without a stratum is one of a stratum of its own kind, the empty name; rows of one case,
    and cases of one group (a patient with several recordings), are drawn as a whole.
    """

    seed: int
    level: float = 0.95
    resamples: int = 2000
    strata: Mapping[str, str] | None = None
    groups: Mapping[str, str] | None = None

    def of(self, found: Counted, statistic: Statistic) -> tuple[float, float, str]:
        """Ends and what they are; NaN and why there are none."""
        import numpy as np

        if not all(map(math.isfinite, found.values)):
            return math.nan, math.nan, INFINITE
        of_values = np.mean if statistic == "mean" else np.median
        return self.of_columns(np.array(found.values), found.names, of_values)

    def of_mean(self, parts: Sequence[Counted], statistic: Statistic) -> tuple[float, float, str]:
        """Of the mean over labels, each the statistic of its own cases; a case is drawn with all of
        its labels. ``parts``: what its cases count for, label by label."""
        import numpy as np

        if not all(math.isfinite(value) for part in parts for value in part.values):
            return math.nan, math.nan, INFINITE
        names, values = _by_case(parts)

        def mean_over_labels(rows: Any, axis: int) -> Any:
            drawn = rows.astype(np.int64)
            return np.mean([_known(label[drawn], axis, statistic) for label in values], axis=0)

        return self.of_columns(np.arange(float(len(names))), names, mean_over_labels)

    def of_columns(
        self,
        columns: Sequence[Any] | np.ndarray,
        names: Sequence[str],
        statistic: Callable[..., Any],
    ) -> tuple[float, float, str]:
        """Of any statistic of columns (row), ``names`` the case of each row."""
        from cohortflow.evaluation.statistics.bootstrap import bca_interval

        groups = [(self.groups or {}).get(case, case) for case in names]
        strata = None
        if self.strata is not None:
            strata = [self.strata.get(case, "") for case in names]
        made = bca_interval(
            columns,
            statistic,
            seed=self.seed,
            groups=groups,
            strata=strata,
            level=self.level,
            resamples=self.resamples,
        )
        if made.reason:
            return math.nan, math.nan, f"none: {made.reason}"
        within = f" within {made.strata} strata" if self.strata is not None else ""
        return made.low, made.high, f"BCa {self.level:.0%} of {made.units} units{within}"


def _by_case(parts: Sequence[Counted]) -> tuple[list[str], np.ndarray]:
    """Case of each row, and values (label, row), NaN where a case does not count for a label.

    A case has as many rows as values at most: one, or one a slice.
    """
    import numpy as np

    most: dict[str, int] = {}
    for part in parts:
        for name, count in Counter(part.names).items():
            most[name] = max(most.get(name, 0), count)
    names = [name for name, count in most.items() for _ in range(count)]
    first = dict(zip(most, np.cumsum([0, *most.values()]).tolist(), strict=False))
    values = np.full((len(parts), len(names)), math.nan)
    for part, own in zip(parts, values, strict=True):
        free = dict(first)
        for name, value in zip(part.names, part.values, strict=True):
            own[free[name]] = value
            free[name] += 1
    return names, values


def _known(values: np.ndarray, axis: int, statistic: Statistic) -> Any:
    """Mean or median along the axis of what is no NaN; NaN where nothing is."""
    import warnings

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a label that a resample lacks
        return (np.nanmean if statistic == "mean" else np.nanmedian)(values, axis=axis)
