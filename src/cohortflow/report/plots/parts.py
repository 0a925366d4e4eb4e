"""What several plots share: notes in place of a plot, thinned points, marks of lost cases."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cohortflow.report.blocks import Figure, Note
from cohortflow.report.figures import ONE, SOFT, THREE, TWO

Floats = NDArray[np.float64]
INKS = (ONE, TWO, THREE)
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)))
HALF = 4.3
WIDE = 8.2
LOST: dict[str, Any] = {
    "marker": "x",
    "color": TWO,
    "markersize": 4.5,
    "markeredgewidth": 1.1,
    "linestyle": "",
    "in_layout": False,
}
"""The mark of a case that counts as the worst; at the edge it takes no room of its own."""

Plot = Figure | Note


def not_shown(what: str, why: str) -> Note:
    return Note(f"{what} not shown: {why}.", "absent")


def thinned(values: ArrayLike, most: int) -> NDArray[np.int64]:
    """Places of at most so many values: evenly by rank, the smallest and the largest among them."""
    column = np.asarray(values, np.float64)
    order = np.argsort(column, kind="stable")
    if len(order) > most:
        order = order[np.linspace(0, len(order) - 1, most).round().astype(np.int64)]
    return np.sort(order)


def drawn_of(shown: int, total: int) -> str:
    """A sentence where not every point is drawn; empty where every one is."""
    if shown == total:
        return ""
    return (
        f" {shown:,} of {total:,} points are drawn, evenly by rank; all numbers are of all cases."
    )


def ink(place: int) -> tuple[str, Any]:
    """Colour and dash of the n-th line: nine that are told apart."""
    return INKS[place % 3], DASHES[place // 3 % 3]


def number(value: float) -> str:
    """Three digits, whole ones from a thousand on, and a minus sign."""
    if not np.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "—"
    large = abs(value) >= 999.5
    text = f"{value:,.0f}" if large or value == 0.0 else f"{value:#.3g}".rstrip(".")
    return text.replace("-", "−")


def ends(low: float, high: float) -> str:
    """An interval in words; empty where there is none."""
    return f" [{number(low)}, {number(high)}]" if np.isfinite(low) and np.isfinite(high) else ""


def square(axes: Any, x: str, y: str) -> None:
    """Both axes from 0 to 1; the size of the figure makes them about as long as each other."""
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y, xticks=ticks, yticks=ticks)
    axes.grid()
    axes.set_axisbelow(True)


def legend_below(axes: Any, columns: int = 1) -> None:
    """Under the plot, where no point is hidden by it."""
    axes.legend(
        loc="upper left", bbox_to_anchor=(0.0, -0.17), ncols=columns, fontsize=7, borderaxespad=0.0
    )


def rule(axes: Any, **where: Any) -> None:
    """A thin dashed line of reference."""
    axes.plot(where["x"], where["y"], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
