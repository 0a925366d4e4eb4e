"""Confusion matrix: counts and shares of each true class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cohortflow.evaluation.counts import Confusion
from cohortflow.report.blocks import Figure
from cohortflow.report.figures import GRID, ONE, TWO, draw, short
from cohortflow.report.plots.parts import HALF, Plot, not_shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_CLASSES = 12
WITH_SHARES = 6


def confusion_plot(name: str, found: Confusion, title: str = "Confusion") -> Plot:
    """Rows: truth; columns: prediction, and cases without one where there are any."""
    if not found.n:
        return not_shown("Confusion", "no case")
    if len(found.classes) > MOST_CLASSES:
        return not_shown("Confusion", f"{len(found.classes)} classes, {MOST_CLASSES} are drawn")
    counts, names = _table(found)
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        _cells(axes, counts, shares, len(found.classes))
        size = 8 if len(names) <= WITH_SHARES else 6
        turned = max(map(len, names)) * len(names) > 36
        axes.set_xticks(
            range(len(names)),
            [short(n, 16) for n in names],
            fontsize=size,
            rotation=90 if turned else 0,
        )
        rows = [f"{short(n, 16)}\nn = {t}" for n, t in zip(found.classes, total[:, 0], strict=True)]
        axes.set_yticks(range(len(found.classes)), rows, fontsize=size)
        axes.set(xlabel="prediction", ylabel="truth", title=title)
        axes.tick_params(length=0)

    right = int(np.trace(found.counts))
    lost = int(found.missing.sum())
    told = f" {lost} cases without a prediction stand in a column of their own." if lost else ""
    each = "; ".join(
        f"{n}: {found.counts[i, i]} of {total[i, 0]} right" for i, n in enumerate(found.classes)
    )
    return Figure(
        name,
        draw(name, (HALF, 3.9), paint),
        alt=f"Confusion matrix of {found.n} cases. {each}.",
        caption=f"Confusion: counts, and shares of each true class (rows sum to 100 %). {right} of "
        f"{found.n} cases on the diagonal.{told}",
        data={
            "classes": list(found.classes),
            "counts": found.counts,
            "missing": found.missing,
            "shares": shares,
            "n": found.n,
        },
        half=True,
    )


def _table(found: Confusion) -> tuple[np.ndarray, list[str]]:
    if not found.missing.any():
        return found.counts, list(found.classes)
    return np.column_stack([found.counts, found.missing]), [*found.classes, "none"]


def _cells(axes: Any, counts: np.ndarray, shares: np.ndarray, classes: int) -> None:
    from matplotlib.patches import Rectangle

    rows, columns = counts.shape
    few = columns <= WITH_SHARES
    for i in range(rows):
        for j in range(columns):
            share = 0.0 if np.isnan(shares[i, j]) else float(shares[i, j])
            colour = ONE if i == j else TWO
            box = (j - 0.5, i - 0.5)
            axes.add_patch(Rectangle(box, 1, 1, facecolor=colour, alpha=0.5 * share, linewidth=0))
            axes.add_patch(Rectangle(box, 1, 1, facecolor="none", edgecolor=GRID, linewidth=0.6))
            text = f"{counts[i, j]:,}"
            if few and not np.isnan(shares[i, j]):
                text += f"\n{100 * share:.0f} %"
            axes.text(j, i, text, ha="center", va="center", fontsize=8 if few else 6)
    if columns > classes:
        axes.axvline(classes - 0.5, color=GRID, linewidth=2.0)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    for spine in axes.spines.values():
        spine.set_visible(False)
