"""Which system is best, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cohortflow.errors import EmptyInput, NotFinite, ShapeMismatch, UsageError
from cohortflow.evaluation.masked import refuse_masked
from cohortflow.evaluation.statistics.resampling import Labels, Units, units_of
from cohortflow.evaluation.statistics.samples import Floats, too_few

Method = Literal["rank-then-aggregate", "aggregate-then-rank"]
Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class RankingStability:
    """A ranking of systems and what becomes of it when cases are drawn anew.

    ``ranks`` (system): 1 is best, ties share the smaller one. ``values`` (system): what was ranked
    (mean rank, or mean or median score). ``bootstrap_ranks`` (resample, system). ``tau``
    (resample): Kendall's tau-b to ``ranks``, NaN where all systems tie. Empty with a ``reason``
    where cases are too few to be drawn.
    """

    systems: tuple[str, ...]
    method: str
    n: int
    units: int
    values: Floats
    ranks: Floats
    bootstrap_ranks: Floats
    tau: Floats
    reason: str = ""

    def share_of_ranks(self) -> Floats:
        """Share of resamples (system, rank - 1) in which a system had each rank."""
        k = len(self.systems)
        return np.stack([(self.bootstrap_ranks == r + 1).mean(axis=0) for r in range(k)], axis=1)

    def rank_interval(self, level: float = 0.95) -> NDArray[np.float64]:
        """Percentile interval (system, 2) of each rank."""
        tails = ((1.0 - level) / 2.0, (1.0 + level) / 2.0)
        return np.quantile(self.bootstrap_ranks, tails, axis=0, method="inverted_cdf").T


def ranking_stability(
    scores: ArrayLike,
    systems: Sequence[str],
    *,
    better: Better,
    seed: int,
    method: Method = "rank-then-aggregate",
    aggregate: Literal["mean", "median"] = "mean",
    worst: float | None = None,
    groups: Labels | None = None,
    resamples: int = 1000,
) -> RankingStability:
    """Rank systems by scores (case, system), and again on resamples of cases, or of ``groups``.

    NaN is a missing case: it ranks last of all in its case. Where scores are aggregated first it
    counts as ``worst``, and without one its system ranks behind all that miss nothing.

    Raises ShapeMismatch, EmptyInput, NotFinite for infinite scores, UsageError where a score is
    worse than ``worst``.
    Source: Wiesenfarth et al. 2021, Scientific Reports 11:2369.
    """
    table = _checked(scores, systems, better, worst)
    of_cases = _ranks(table) if method == "rank-then-aggregate" else table
    cases = units_of(len(table), groups)
    values, ranks = _ranked(of_cases[None], method, aggregate)
    drawn, reason = _drawn(of_cases, method, aggregate, cases, resamples, seed)
    shown = values[0] if method == "rank-then-aggregate" or better == "lower" else -values[0]
    return RankingStability(
        tuple(systems),
        f"{method}, {aggregate}",
        len(table),
        len(cases.members),
        shown,
        ranks[0],
        drawn,
        _tau(ranks[0], drawn),
        reason,
    )


def _checked(
    scores: ArrayLike, systems: Sequence[str], better: Better, worst: float | None
) -> Floats:
    """Scores (case, system) of which the smaller is the better; a missing one is the worst."""
    if better not in ("higher", "lower"):
        raise UsageError("no such direction", expected="higher or lower", found=better)
    refuse_masked(scores)
    table = np.array(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(systems) or len(systems) < 2:
        raise ShapeMismatch(
            "scores are not (case, system) of two systems or more",
            expected=f"(case, {len(systems)})",
            found=str(table.shape),
        )
    if table.size == 0:
        raise EmptyInput("there is no case")
    if np.isinf(table).any():
        raise NotFinite("a score is infinite", hint="NaN stands for a missing case.")
    sign = -1.0 if better == "higher" else 1.0
    least = np.inf if worst is None else sign * worst
    if (sign * table > least).any():
        raise UsageError(
            "a score is worse than the worst", where="worst", expected="none", found=f"{worst}"
        )
    return np.where(np.isnan(table), least, sign * table)


def _ranks(table: Floats) -> Floats:
    """Ranks (case, system) within each case; a missing one has the last."""
    from scipy.stats import rankdata

    ranks = rankdata(table, method="min", axis=1).astype(np.float64)
    return np.where(np.isposinf(table), float(table.shape[1]), ranks)


def _ranked(of_cases: Floats, method: str, aggregate: str) -> tuple[Floats, Floats]:
    """Values and ranks (resample, system) of (resample, case, system)."""
    from scipy.stats import rankdata

    if method not in ("rank-then-aggregate", "aggregate-then-rank"):
        raise UsageError("no such ranking", found=method)
    if aggregate not in ("mean", "median"):
        raise UsageError("no such aggregate", expected="mean or median", found=aggregate)
    values = of_cases.mean(axis=1) if aggregate == "mean" else np.median(of_cases, axis=1)
    # Sums in another order differ by rounding, and equal systems would no longer tie.
    with np.errstate(invalid="ignore"):
        rounded = np.where(np.isinf(values), values, np.round(values, 12))
    return values, rankdata(rounded, method="min", axis=1).astype(np.float64)


def _drawn(
    of_cases: Floats, method: str, aggregate: str, cases: Units, resamples: int, seed: int
) -> tuple[Floats, str]:
    k = of_cases.shape[1]
    reason = too_few(len(cases.members), "units")
    if reason:
        return np.empty((0, k)), reason
    blocks = [
        _ranked(of_cases[picked], method, aggregate)[1]
        for units in cases.draws(resamples, np.random.default_rng(seed))
        for part in np.array_split(units, max(1, k * units.size // 4_000_000))
        for picked in cases.cases_of(part)
    ]
    return np.concatenate(blocks), ""


def _tau(ranks: Floats, drawn: Floats) -> Floats:
    """Kendall's tau-b (resample) of drawn ranks (resample, system) to ``ranks`` (system)."""
    i, j = np.triu_indices(len(ranks), 1)
    whole, others = np.sign(ranks[i] - ranks[j]), np.sign(drawn[:, i] - drawn[:, j])
    norm = np.sqrt((whole**2).sum() * (others**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 0.0, others @ whole / norm, np.nan)
