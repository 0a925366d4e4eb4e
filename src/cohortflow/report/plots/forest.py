"""Forest plot: a value with its interval in each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cohortflow.report.blocks import Figure
from cohortflow.report.figures import ONE, draw, short
from cohortflow.report.plots.parts import WIDE, Plot, ends, not_shown, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_ROWS = 40
FAR = 12.0
"""Interquartile ranges that a value may be above the others before it is drawn at the edge."""


@dataclass(frozen=True)
class ForestRow:
    """A value (NaN with a ``reason``) of ``n`` cases, ``lost`` of them at their worst; low and high
    are NaN where there is no interval."""

    name: str
    value: float
    low: float
    high: float
    n: int
    lost: int = 0
    reason: str = ""


def forest_plot(
    name: str, rows: Sequence[ForestRow], *, value: str, unit: str = "", interval: str = ""
) -> Plot:
    """Rows in the order given, at most forty of them. ``interval``: how it was made, in words."""
    if not any(np.isfinite(row.value) for row in rows):
        return not_shown(value, "no row has a finite value")
    shown = list(rows)[:MOST_ROWS]
    low, high = _scale(shown)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for place, row in enumerate(shown):
            _row(axes, place, row, high)
        axes.set_yticks(range(len(shown)), [short(row.name, 30) for row in shown])
        axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel=_axis(value, unit), xlim=(low, high))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_axisbelow(True)

    rest = len(rows) - len(shown)
    told = f" Rows in the table only: {rest}." if rest else ""
    if any(row.value > high for row in shown if np.isfinite(row.value)):
        told += " A triangle stands at the edge for a value beyond it."
    return Figure(
        name,
        draw(name, (WIDE, 0.75 + 0.23 * len(shown)), paint),
        alt=f"{value} with intervals: " + "; ".join(f"{r.name} {_said(r)}" for r in shown) + ".",
        caption=f"{value} with its interval{f' ({interval})' if interval else ''}; n counts the "
        f"lost cases too, each at its worst.{told}",
        data={
            row.name: {
                "value": row.value,
                "low": row.low,
                "high": row.high,
                "n": row.n,
                "lost": row.lost,
                "reason": row.reason,
            }
            for row in shown
        },
        wide=True,
    )


def _scale(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """Limits of the axis: of values and their intervals, but for values so far from the quartiles
    that the others could not be read."""
    values = np.array([row.value for row in rows if np.isfinite(row.value)])
    first, last = np.quantile(values, (0.25, 0.75))
    reach = FAR * (last - first) or np.inf
    near = [row for row in rows if np.isfinite(row.value) and row.value <= last + reach]
    ends = np.array([[row.value, row.low, row.high] for row in near])
    ends = ends[np.isfinite(ends)]
    low, high = float(ends.min()), float(ends.max())
    room = 0.05 * (high - low) or 0.05 * (abs(high) or 1.0)
    return low - room, high + room


def _row(axes: Any, place: int, row: ForestRow, edge: float) -> None:
    if np.isfinite(row.low) and np.isfinite(row.high):
        axes.plot([row.low, row.high], [place, place], color=ONE, linewidth=1.5, alpha=0.8)
    if np.isfinite(row.value):
        beyond = row.value > edge
        mark: dict[str, Any] = {"marker": ">" if beyond else "o", "color": ONE, "markersize": 5.5}
        axes.plot(
            [edge if beyond else row.value],
            [place],
            clip_on=False,
            zorder=4,
            in_layout=False,
            **mark,
        )
    axes.text(
        1.015, place, _said(row), transform=axes.get_yaxis_transform(), va="center", fontsize=7
    )


def _said(row: ForestRow) -> str:
    lost = f", {row.lost} lost" if row.lost else ""
    if np.isnan(row.value):
        return f"no value, n {row.n}{lost}"
    return f"{number(row.value)}{ends(row.low, row.high)}, n {row.n}{lost}"


def _axis(value: str, unit: str) -> str:
    return f"{value} ({unit})" if unit not in ("", "1") else value
