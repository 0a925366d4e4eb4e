"""Ranking stability: how often each method takes each rank when cases are drawn anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cohortflow.evaluation.statistics.ranking import RankingStability
from cohortflow.report.blocks import Figure
from cohortflow.report.figures import ONE, TWO, draw, short
from cohortflow.report.plots.parts import HALF, WIDE, Plot, not_shown, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_METHODS = 16
IN_HALF = 5


def ranking_plot(name: str, found: RankingStability, title: str = "Ranking stability") -> Plot:
    """A row a method, best first; the area of a disc is the share of resamples at that rank."""
    k = len(found.systems)
    if found.reason:
        return not_shown("Ranking stability", found.reason)
    if k > MOST_METHODS:
        return not_shown("Ranking stability", f"{k} methods, {MOST_METHODS} are drawn")
    shares, order = found.share_of_ranks(), np.argsort(found.ranks, kind="stable")
    half = k <= IN_HALF

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for row, system in enumerate(order):
            _row(axes, row, shares[system], float(found.ranks[system]))
        axes.set_yticks(range(k), [short(found.systems[system], 22) for system in order])
        axes.set_xticks(range(1, k + 1))
        axes.set(xlim=(0.4, k + 0.6), ylim=(k - 0.4, -0.6), xlabel="rank", title=title)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)

    resamples = len(found.bootstrap_ranks)
    tau = found.tau[np.isfinite(found.tau)]
    kendall = (
        f" Median Kendall τ to the ranking: {number(float(np.median(tau)))}." if len(tau) else ""
    )
    intervals = found.rank_interval()
    return Figure(
        name,
        draw(name, (HALF if half else WIDE, 0.95 + 0.42 * k), paint),
        alt="Share of resamples at each rank: "
        + "; ".join(
            f"{found.systems[s]} rank {found.ranks[s]:.0f} in {100 * _own(found, shares, s):.0f} %"
            for s in order
        )
        + ".",
        caption=f"{title}: percent of {resamples:,} resamples of {found.units} units "
        f"(n = {found.n} cases) in which each method takes each rank, ties sharing the better one; "
        f"the ring is its rank on all cases ({found.method}).{kendall}",
        data={
            "ranks": dict(zip(found.systems, found.ranks.tolist(), strict=True)),
            "shares": {name: shares[i] for i, name in enumerate(found.systems)},
            "intervals": {name: intervals[i] for i, name in enumerate(found.systems)},
            "n": found.n,
            "units": found.units,
            "resamples": resamples,
        },
        half=half,
        wide=not half,
    )


def _own(found: RankingStability, shares: np.ndarray, system: int) -> float:
    return float(shares[system, int(found.ranks[system]) - 1])


def _row(axes: Any, row: int, shares: np.ndarray, rank: float) -> None:
    for place, share in enumerate(shares, start=1):
        if share >= 0.005:
            axes.scatter([place], [row], s=520 * share, color=ONE, alpha=0.4, linewidths=0)
            axes.text(place, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7)
    axes.scatter([rank], [row], s=560, facecolors="none", edgecolors=TWO, linewidths=1.0)
