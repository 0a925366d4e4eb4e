"""Every pair of systems on the same cases, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cohortflow.errors import ShapeMismatch, UsageError
from cohortflow.evaluation.masked import refuse_masked
from cohortflow.evaluation.statistics.bootstrap import Interval, bca_interval
from cohortflow.evaluation.statistics.effects import (
    Effect,
    cohens_dz,
    hodges_lehmann,
    matched_rank_biserial,
)
from cohortflow.evaluation.statistics.multiplicity import Control, adjusted_p_values
from cohortflow.evaluation.statistics.paired import PairedTest, wilcoxon_test
from cohortflow.evaluation.statistics.resampling import Labels


@dataclass(frozen=True)
class Comparison:
    """Two systems: mean difference (first - second) with its interval, test and effect sizes.

    ``p_adjusted`` is over all pairs that were compared together, by ``control``.
    """

    first: str
    second: str
    difference: Interval
    test: PairedTest
    p_adjusted: float
    control: str
    effects: tuple[Effect, ...]


def compare_systems(
    scores: ArrayLike,
    systems: Sequence[str],
    *,
    seed: int,
    groups: Labels | None = None,
    strata: Labels | None = None,
    control: Control = "holm",
    resamples: int = 9999,
) -> list[Comparison]:
    """A row per pair of systems, by scores (case, system) without a gap.

    Where ``groups`` say that several cases are of one patient, tests and effect sizes are of the
    mean of each group, because repeated cases are no independent ones; intervals draw groups.

    Raises ShapeMismatch, EmptyInput, UsageError, NotFinite (give missing cases their worst value
    first).
    """
    refuse_masked(scores)
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(systems):
        raise ShapeMismatch(
            "scores are not (case, system)",
            expected=f"(case, {len(systems)})",
            found=str(table.shape),
        )
    if len(set(systems)) < len(systems):
        raise UsageError("two systems of one name", found=", ".join(systems))
    alone = table if groups is None else _means(table, groups)
    pairs = list(combinations(range(len(systems)), 2))
    tests = [wilcoxon_test(alone[:, i], alone[:, j]) for i, j in pairs]
    adjusted = adjusted_p_values([test.p for test in tests], control)
    rows = []
    for (i, j), test, p in zip(pairs, tests, adjusted, strict=True):
        difference = bca_interval(
            table[:, i] - table[:, j],
            np.mean,
            seed=seed,
            groups=groups,
            strata=strata,
            resamples=resamples,
        )
        both = alone[:, i], alone[:, j]
        effects = (cohens_dz(*both), matched_rank_biserial(*both), hodges_lehmann(*both))
        rows.append(
            Comparison(systems[i], systems[j], difference, test, float(p), control, effects)
        )
    return rows


def _means(table: Any, groups: Labels) -> Any:
    if len(groups) != len(table):
        raise ShapeMismatch(
            "there is not one group for each case", expected=str(len(table)), found=str(len(groups))
        )
    names = np.array([str(group) for group in groups])
    return np.stack([table[names == name].mean(axis=0) for name in sorted(set(names))])
