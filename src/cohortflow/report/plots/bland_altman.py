"""Bland–Altman plot: difference against mean of two measurements of the same cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cohortflow.evaluation.statistics.agreement import BlandAltman, Ends, bland_altman
from cohortflow.report.blocks import Figure
from cohortflow.report.figures import ONE, SOFT, TWO, draw, short
from cohortflow.report.plots.parts import HALF, Plot, drawn_of, ends, not_shown, number, thinned

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_POINTS = 300


def bland_altman_plot(
    name: str,
    first: ArrayLike,
    second: ArrayLike,
    *,
    unit: str,
    what: str,
    names: tuple[str, str] = ("prediction", "reference"),
    lost: int = 0,
) -> Plot:
    """first - second (case) against their mean, with bias, limits of agreement and the exact 95 %
    interval of each. ``lost`` cases without both values are counted, as no limit speaks of them."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    both = np.isfinite(a) & np.isfinite(b)
    a, b, gone = a[both], b[both], lost + int((~both).sum())
    title = f"Agreement of {what}"
    if not len(a):
        return not_shown(title, "no case has both values")
    found = bland_altman(a, b, unit=unit)
    places = thinned(a - b, MOST_POINTS)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        _limits(axes, found)
        axes.plot(
            ((a + b) / 2.0)[places],
            (a - b)[places],
            "o",
            color=ONE,
            markersize=3.2,
            alpha=0.7,
            markeredgewidth=0,
            zorder=3,
        )
        axes.set(
            xlabel=f"mean of both ({unit})",
            ylabel=f"{names[0]} - {names[1]} ({unit})",
            title=short(what, 44),
        )
        axes.margins(x=0.06, y=0.12)

    told = f" {gone} cases lack one of the two and are not in it." if gone else ""
    return Figure(
        name,
        draw(name, (HALF, 3.3), paint),
        alt=f"{title}: {_in_words(found)}.",
        caption=f"{title}: {names[0]} minus {names[1]} against their mean, n = {found.n}. "
        f"{_in_words(found)[0].upper()}{_in_words(found)[1:]}.{told}"
        f"{drawn_of(len(places), len(a))}",
        data={
            "n": found.n,
            "lost": gone,
            "unit": unit,
            "bias": found.bias,
            "sd": found.sd,
            "limits": [found.lower, found.upper],
            "bias_interval": found.bias_interval,
            "lower_interval": found.lower_interval,
            "upper_interval": found.upper_interval,
            "reason": found.reason,
        },
        half=True,
    )


def _limits(axes: Any, found: BlandAltman) -> None:
    lines: list[tuple[float, Ends, str, str, Any]] = [
        (found.bias, found.bias_interval, "bias", ONE, "-")
    ]
    if not found.reason:
        lines += [
            (found.upper, found.upper_interval, "upper", TWO, (0, (4, 3))),
            (found.lower, found.lower_interval, "lower", TWO, (0, (4, 3))),
        ]
    axes.axhline(0.0, color=SOFT, linewidth=0.6)
    apart = found.upper - found.lower
    for at, (low, high), word, colour, dash in lines:
        if np.isfinite(low):
            axes.axhspan(low, high, color=colour, alpha=0.12, linewidth=0)
        axes.axhline(at, color=colour, linewidth=1.1, linestyle=dash)
        if not found.reason and apart > 0:
            axes.text(
                1.01,
                at,
                f"{word}\n{number(at)}",
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=7,
            )


def _in_words(found: BlandAltman) -> str:
    bias = f"bias {number(found.bias)}{ends(*found.bias_interval)} {found.unit}"
    if found.reason:
        return f"{bias}; no limits: {found.reason}"
    return (
        f"{bias}; limits of agreement {number(found.lower)}{ends(*found.lower_interval)} and "
        f"{number(found.upper)}{ends(*found.upper_interval)}, {100 * found.share:.0f} % of "
        f"differences between them if normal; exact {100 * found.level:.0f} % intervals shaded"
    )
