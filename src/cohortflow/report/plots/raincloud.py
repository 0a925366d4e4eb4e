"""Raincloud: density, box and points of the values of cases, lost ones in their own mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cohortflow.evaluation.denominator import quartiles
from cohortflow.report.blocks import Figure
from cohortflow.report.figures import GRID, INK, ONE, draw, short
from cohortflow.report.plots.parts import (
    LOST,
    WIDE,
    Floats,
    Plot,
    drawn_of,
    not_shown,
    number,
    thinned,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_CLOUDS = 12
MOST_POINTS = 1600
FEWEST_FOR_DENSITY = 5
PLACES = 96
FAR = 3.0
"""Ranges of the measured values that a lost one may be away: else those could not be read."""


@dataclass(frozen=True)
class Cloud:
    """``measured``: (case) values. ``lost``: (case) the worst value that each missed, invented or
    failed case counts as; infinite where nothing bounds it."""

    name: str
    measured: Floats
    lost: Floats

    @property
    def counted(self) -> Floats:
        return np.concatenate([self.measured, self.lost])


def raincloud_plot(
    name: str, clouds: Sequence[Cloud], *, value: str, unit: str = "", most: int = MOST_CLOUDS
) -> Plot:
    """One cloud a row; ``value``: what is drawn, in words. NaN is not drawn, and counted."""
    full = [_finite(cloud) for cloud in clouds]
    kept = [cloud for cloud, _ in full if len(cloud.counted)]
    nothing = [cloud.name for cloud, _ in full if not len(cloud.counted)]
    if not any(np.isfinite(cloud.counted).any() for cloud in kept):
        why = "every case counts as infinite" if kept else "no case has a value"
        return not_shown(f"Distribution of {value}", why)
    shown = kept[:most]
    budget = max(20, MOST_POINTS // len(shown))
    scale = _scale(shown)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for row, cloud in enumerate(shown):
            _row(axes, row, cloud, budget, scale)
        axes.set_yticks(range(len(shown)), [short(cloud.name, 26) for cloud in shown])
        axes.set(ylim=(len(shown) - 0.3, -0.75), xlim=scale, xlabel=_axis(value, unit))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_axisbelow(True)

    points = sum(min(budget, len(cloud.measured)) for cloud in shown)
    total = sum(len(cloud.measured) for cloud in shown)
    lost = sum(len(cloud.lost) for cloud in shown)
    undefined = sum(count for _, count in full)
    all_told = f"{lost:,} of {total + lost:,}"
    told = f" Lost (×, counted as the worst): {all_told}." if lost else " No case was lost."
    beyond = np.concatenate([cloud.lost for cloud in shown])
    beyond = beyond[(beyond < scale[0]) | (beyond > scale[1])]
    if len(beyond):
        told += (
            f" {len(beyond)} of them stand at the edge; they count as up to {number(beyond.max())}."
        )
    told += f" Undefined and not drawn: {undefined}." if undefined else ""
    told += f" Without a value: {', '.join(nothing)}." if nothing else ""
    told += f" Rows in the table only: {len(kept) - most}." if len(kept) > most else ""
    return Figure(
        name,
        draw(name, (WIDE, 0.75 + 0.62 * len(shown)), paint),
        alt=f"Distribution of {value} by {len(shown)} rows: "
        + "; ".join(f"{cloud.name} median {number(_quartiles(cloud)[1])}" for cloud in shown)
        + ".",
        caption=f"{value}: density of the measured cases, box of quartiles and median of all that "
        f"count (lost ones too), a point a case.{told}{drawn_of(points, total)}",
        data={
            cloud.name: {
                "n": len(cloud.counted),
                "measured": len(cloud.measured),
                "lost": len(cloud.lost),
                "quartiles": _quartiles(cloud),
                "mean": _mean(cloud),
            }
            for cloud in shown
        },
        wide=True,
    )


def density(values: Floats) -> tuple[Floats, Floats]:
    """Gaussian kernel density (place) between the smallest and the largest value; empty where
    there are too few, or all are equal. Bandwidth by Scott's rule."""
    spread = float(values.std(ddof=1)) if len(values) >= FEWEST_FOR_DENSITY else 0.0
    if not spread > 1e-9 * max(1.0, float(np.abs(values).max(initial=0.0))):
        return np.empty(0), np.empty(0)
    width = spread * len(values) ** -0.2
    at = np.linspace(values.min(), values.max(), PLACES)
    heights = np.exp(-0.5 * ((at[:, None] - values[None, :]) / width) ** 2).sum(axis=1)
    return at, heights / (len(values) * width * np.sqrt(2.0 * np.pi))


def _finite(cloud: Cloud) -> tuple[Cloud, int]:
    known = np.isfinite(cloud.measured)
    told = ~np.isnan(cloud.lost)
    gone = int((~known).sum() + (~told).sum())
    return Cloud(cloud.name, cloud.measured[known], cloud.lost[told]), gone


def _scale(clouds: Sequence[Cloud]) -> tuple[float, float]:
    """Limits of the axis: of the measured values, and of lost ones that are not far off; 0 to 1
    where all are one share."""
    measured = np.concatenate([cloud.measured for cloud in clouds])
    lost = np.concatenate([cloud.lost for cloud in clouds])
    lost = lost[np.isfinite(lost)]
    if len(measured) > 1 and np.ptp(measured) > 0.0:
        reach = FAR * np.ptp(measured)
        lost = lost[(lost > measured.min() - reach) & (lost < measured.max() + reach)]
    finite = np.concatenate([measured, lost])
    low, high = finite.min(), finite.max()
    if low == high and 0.0 <= low <= 1.0:
        low, high = 0.0, 1.0
    room = 0.04 * (high - low) or 0.05 * abs(high)
    return float(low - room), float(high + room)


def _row(axes: Any, row: int, cloud: Cloud, budget: int, scale: tuple[float, float]) -> None:
    at, heights = density(cloud.measured)
    if len(at):
        top = row - 0.16 - 0.5 * heights / heights.max()
        axes.fill_between(at, top, row - 0.16, color=ONE, alpha=0.35, linewidth=0)
    low, middle, high = np.clip(_quartiles(cloud), *scale)
    axes.plot([low, high], [row, row], color=ONE, linewidth=4.5, solid_capstyle="butt", alpha=0.75)
    axes.plot([middle, middle], [row - 0.11, row + 0.11], color=INK, linewidth=1.4, zorder=4)
    places = thinned(cloud.measured, budget)
    rain = row + 0.14 + 0.22 * _scatter(len(places))
    axes.plot(cloud.measured[places], rain, ".", color=ONE, markersize=3, alpha=0.7, zorder=3)
    lost = np.clip(cloud.lost, *scale)[: max(20, budget // 4)]
    axes.plot(lost, row + 0.14 + 0.22 * _scatter(len(lost)), zorder=5, clip_on=False, **LOST)
    told = f"n {len(cloud.counted):,}" + (f", {len(cloud.lost):,} lost" if len(cloud.lost) else "")
    axes.text(1.02, row, told, transform=axes.get_yaxis_transform(), va="center", fontsize=7)
    axes.axhline(row + 0.42, color=GRID, linewidth=0.4)


def _scatter(count: int) -> Floats:
    """Heights in [0, 1) without a random number: multiples of the golden ratio."""
    return np.asarray(np.mod(np.arange(count) * 0.6180339887498949, 1.0))


def _quartiles(cloud: Cloud) -> Floats:
    """Of all that count."""
    return np.array(quartiles(cloud.counted.tolist()))


def _mean(cloud: Cloud) -> float:
    return float(cloud.counted.mean())


def _axis(value: str, unit: str) -> str:
    return f"{value} ({unit})" if unit not in ("", "1") else value
