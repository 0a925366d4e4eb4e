"""Reliability diagram: how often predictions of a stated confidence are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cohortflow.evaluation.calibration import Reliability
from cohortflow.report.blocks import Figure
from cohortflow.report.figures import ONE, SOFT, draw
from cohortflow.report.plots.parts import HALF, Plot, not_shown, number, rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def calibration_plot(name: str, found: Reliability, title: str = "Calibration") -> Plot:
    """Accuracy against mean confidence by bin, with exact intervals, over the count of each bin."""
    if found.reason or not found.count.sum():
        return not_shown("Calibration", found.reason or "no case has a probability")
    bins = len(found.count)

    def paint(canvas: Canvas) -> None:
        above, below = canvas.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        rule(above, x=[0, 1], y=[0, 1])
        _points(above, found)
        above.set(ylim=(-0.02, 1.02), ylabel="share that is right", title=title)
        above.grid()
        above.set_axisbelow(True)
        below.bar(
            found.edges[:-1],
            found.count,
            width=np.diff(found.edges),
            align="edge",
            color=SOFT,
            alpha=0.45,
            edgecolor=SOFT,
            linewidth=0.5,
        )
        _counts(below, found)
        below.set(xlim=(-0.02, 1.02), xlabel="confidence of the likeliest class", ylabel="cases")

    lost = f" {found.missing} cases without a probability add 1 / n each." if found.missing else ""
    return Figure(
        name,
        draw(name, (HALF, 4.35), paint),
        alt=f"Reliability diagram of {found.n} cases in {bins} bins; expected calibration error "
        f"{number(found.ece)}.",
        caption=f"Calibration: share of right predictions by mean confidence, {bins} bins of equal "
        "width over (0, 1], with exact 95 % intervals; the dashed line is perfect. Below: cases of "
        f"each bin. ECE ({bins} bins) {number(found.ece)}, n = {found.n}.{lost}",
        data={
            "edges": found.edges,
            "count": found.count,
            "confidence": found.confidence,
            "accuracy": found.accuracy,
            "low": found.low,
            "high": found.high,
            "missing": found.missing,
            "n": found.n,
            "ece": found.ece,
            "bins": bins,
        },
        half=True,
    )


def _points(axes: Any, found: Reliability) -> None:
    kept = found.count > 0
    x, y = found.confidence[kept], found.accuracy[kept]
    axes.vlines(x, found.low[kept], found.high[kept], color=ONE, linewidth=1.2, alpha=0.8)
    axes.plot(x, y, "-", color=ONE, linewidth=0.8, alpha=0.6)
    axes.plot(x, y, "o", color=ONE, markersize=5, clip_on=False, zorder=4)


def _counts(axes: Any, found: Reliability) -> None:
    """The number on each bar; every one where bins are few enough to be read."""
    axes.set_ylim(0, 1.35 * found.count.max())
    if len(found.count) > 15:
        return
    middles = (found.edges[:-1] + found.edges[1:]) / 2.0
    for x, count in zip(middles, found.count, strict=True):
        if count:
            axes.text(x, count, f"{count:,}", ha="center", va="bottom", fontsize=6)
