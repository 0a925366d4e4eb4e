"""Accuracies of one comparison as dots with intervals, beside baseline and control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.report.blocks import Figure
from cohortflow.report.cells import Cell
from cohortflow.report.figures import DEGREE_INKS, GRID, INK, SOFT, draw, short
from cohortflow.report.identifiers import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Pair = tuple[Cell, Cell | None]


def accuracy_figure(comparison: Any, pairs: Sequence[Pair]) -> Figure:
    """One line per network and degree; ``pairs``: a cell and its correlation control."""

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for row, (cell, control) in enumerate(pairs):
            _line(axes, row, cell, control)
        axes.set_yticks(range(len(pairs)), [_name(cell) for cell, _ in pairs])
        axes.set(ylim=(len(pairs) - 0.4, -0.6), xlim=(0, 100), xlabel="accuracy (%)")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        _legend(axes, ring)

    ring = any(control for _, control in pairs)
    name = f"accuracy_{slug(comparison or 'all')}"
    values = "; ".join(f"{_name(cell)} {_percent(cell)}" for cell, _ in pairs)
    return Figure(
        name,
        draw(name, (8.2, 0.9 + 0.24 * len(pairs)), paint),
        alt=f"Accuracy of {comparison or 'all subjects'} by network and degree: {values}.",
        caption=f"{comparison or 'All subjects'}: mean accuracy over seeds (dot) with the exact "
        "95 % interval of the first seed's cases (line), the majority class of the same cases "
        "(tick)" + (" and the same classifier on correlation matrices (ring)." if ring else "."),
        data={_name(cell): cell.mean_sd("accuracy") for cell, _ in pairs},
        wide=True,
    )


def _line(axes: Any, row: int, cell: Cell, control: Cell | None) -> None:
    degree = cell.point.get("degree")
    ink = DEGREE_INKS[degree % 3] if isinstance(degree, int) else DEGREE_INKS[0]
    low, high = cell.seeds[0].interval
    axes.plot([100 * low, 100 * high], [row, row], color=ink, linewidth=1.3, alpha=0.8)
    if cell.majority is not None:
        axes.plot(100 * cell.majority, row, "|", color=INK, markersize=9, markeredgewidth=1.2)
    other = control.mean_sd("accuracy") if control else None
    if other and other["mean"] is not None:
        axes.plot(
            100 * other["mean"],
            row,
            "o",
            markersize=5.5,
            markerfacecolor="none",
            markeredgecolor=SOFT,
            markeredgewidth=1.1,
        )
    own = cell.mean_sd("accuracy")
    if own and own["mean"] is not None:
        axes.plot(100 * own["mean"], row, "o", color=ink, markersize=6, clip_on=False, zorder=4)


def _legend(axes: Any, control: bool) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=SOFT, marker="o", markersize=5, label="mean, 95 % interval"),
        Line2D([], [], color=INK, marker="|", linestyle="", markersize=8, label="majority class"),
    ]
    if control:
        ring = Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            markerfacecolor="none",
            markeredgecolor=SOFT,
            markersize=5,
            label="correlation control",
        )
        marks.append(ring)
    axes.legend(
        handles=marks,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        fontsize=7,
        edgecolor=GRID,
        borderaxespad=0.2,
    )


def _name(cell: Cell) -> str:
    point = cell.point
    words = [str(point[axis]) for axis in ("variant", "network") if point.get(axis) is not None]
    if point.get("degree") is not None:
        words.append(f"H{point['degree']}")
    return short(" ".join(words) or cell.step, 24)


def _percent(cell: Cell) -> str:
    own = cell.mean_sd("accuracy")
    return f"{100 * own['mean']:.1f} %" if own and own["mean"] is not None else "no value"
