"""Intervals of aggregates over cases: which cases are drawn together, and within what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cohortflow.evaluation.denominator import Counted, Statistic


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

        from cohortflow.evaluation.statistics.bootstrap import bca_interval

        if not all(map(math.isfinite, found.values)):
            return math.nan, math.nan, "none: a case counts as infinitely bad"
        groups = [(self.groups or {}).get(case, case) for case in found.names]
        strata = None
        if self.strata is not None:
            strata = [self.strata.get(case, "") for case in found.names]
        made = bca_interval(
            np.array(found.values),
            np.mean if statistic == "mean" else np.median,
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
