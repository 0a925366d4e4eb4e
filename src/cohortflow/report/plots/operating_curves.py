"""ROC and precision–recall curves with bootstrap bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cohortflow.evaluation.curves import Curve
from cohortflow.report.blocks import Figure
from cohortflow.report.figures import draw, short
from cohortflow.report.plots.parts import (
    HALF,
    Plot,
    ends,
    ink,
    legend_below,
    not_shown,
    number,
    rule,
    square,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from numpy.typing import NDArray

MOST_CLASSES = 6
MOST_POINTS, OF_OTHER_SEEDS = 150, 75


@dataclass(frozen=True)
class Operating:
    """A class against all others: its curve, the area under it with an interval (NaN for none),
    and the curves of other seeds on the same cases, thin and without a band."""

    name: str
    curve: Curve
    area: float
    low: float
    high: float
    others: Sequence[Curve] = ()


def roc_plot(name: str, classes: Sequence[Operating], title: str = "") -> Plot:
    """True against false positive rate of up to six classes; the diagonal is chance."""
    drawn = [one for one in classes if not one.curve.reason][:MOST_CLASSES]
    if not drawn:
        return _nothing("ROC curve", classes)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        square(axes, "false positive rate (1 - specificity)", "true positive rate (sensitivity)")
        rule(axes, x=[0, 1], y=[0, 1])
        for place, one in enumerate(drawn):
            _line(axes, place, one, "AUC")
        _close(axes, title or "ROC")

    return _figure(name, drawn, classes, paint, "ROC curve", "AUC", "chance is the dashed diagonal")


def precision_recall_plot(name: str, classes: Sequence[Operating], title: str = "") -> Plot:
    """Precision against recall of up to six classes; a dotted line is a class's prevalence."""
    drawn = [one for one in classes if not one.curve.reason][:MOST_CLASSES]
    if not drawn:
        return _nothing("Precision–recall curve", classes)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        square(axes, "recall (sensitivity)", "precision")
        for place, one in enumerate(drawn):
            share = one.curve.prevalence
            axes.plot([0, 1], [share, share], color=ink(place)[0], linewidth=0.9, linestyle=":")
            _line(axes, place, one, "AP")
        _close(axes, title or "Precision–recall")

    told = "the dotted line is the prevalence, what naming everyone would reach"
    return _figure(name, drawn, classes, paint, "Precision–recall curve", "average precision", told)


def _line(axes: Any, place: int, one: Operating, area: str) -> None:
    colour, dash = ink(place)
    steps: dict[str, Any] = {"drawstyle": "steps-pre"} if one.curve.kind == "pr" else {}
    fill: dict[str, Any] = {"step": "pre"} if one.curve.kind == "pr" else {}
    axes.fill_between(
        one.curve.grid, one.curve.low, one.curve.high, color=colour, alpha=0.16, linewidth=0, **fill
    )
    for other in one.others:
        axes.plot(*_points(other, OF_OTHER_SEEDS), color=colour, linewidth=0.6, alpha=0.55, **steps)
    label = f"{short(one.name, 20)}: {area} {number(one.area)}{ends(one.low, one.high)}"
    axes.plot(
        *_points(one.curve), color=colour, linewidth=1.6, linestyle=dash, label=label, **steps
    )


def _points(curve: Curve, most: int = MOST_POINTS) -> tuple[Any, Any]:
    """With the first step of a precision–recall curve drawn from recall 0."""
    import numpy as np

    x, y = _thinned(curve, most)
    if curve.kind == "roc":
        return x, y
    return np.r_[0.0, x], np.r_[y[:1], y]


def _thinned(curve: Curve, most: int = MOST_POINTS) -> tuple[NDArray[Any], NDArray[Any]]:
    """At most so many of its points, the ends among them, evenly by the way along the curve: where
    it is steep or jagged they stand as close as where it is flat."""
    import numpy as np

    if len(curve.x) <= most:
        return curve.x, curve.y
    way = np.r_[0.0, np.cumsum(np.abs(np.diff(curve.x)) + np.abs(np.diff(curve.y)))]
    kept = np.searchsorted(way, np.linspace(0.0, way[-1], most - 1))
    kept = np.unique(np.r_[kept.clip(max=len(way) - 1), len(way) - 1])
    return curve.x[kept], curve.y[kept]


def _close(axes: Any, title: str) -> None:
    axes.set_title(title)
    legend_below(axes)


def _figure(
    name: str,
    drawn: Sequence[Operating],
    classes: Sequence[Operating],
    paint: Any,
    what: str,
    area: str,
    told: str,
) -> Figure:
    first = drawn[0].curve
    areas = "; ".join(
        f"{one.name}: {number(one.area)}{ends(one.low, one.high)}, {one.curve.positives} cases of "
        f"the class and {one.curve.negatives} others"
        for one in drawn
    )
    others = " Thin lines: other seeds, the same cases again." if drawn[0].others else ""
    absent = [one for one in classes if one not in drawn]
    most = max(len(one.curve.x) for one in drawn)
    thin = ""
    if most > MOST_POINTS:
        thin = (
            f" Each line is drawn through at most {MOST_POINTS} of its up to {most:,} points, "
            "evenly along it; areas and bands are of all cases."
        )
    left = f" Not drawn: {', '.join(f'{o.name} ({_why(o)})' for o in absent)}." if absent else ""
    return Figure(
        name,
        draw(name, (HALF, 4.3 + 0.17 * len(drawn)), paint),
        alt=f"{what}. {area} with 95 % interval: {areas}.",
        caption=f"{what}, n = {first.positives + first.negatives}; {told}. Band: pointwise 95 % of "
        f"cases drawn anew within each class. {area[0].upper()}{area[1:]} with 95 % "
        f"interval: {areas}.{others}{thin}{left}",
        data={one.name: _data(one) for one in drawn},
        half=True,
    )


def _data(one: Operating) -> dict[str, Any]:
    """What is drawn of a class; ``points``: how many its curve has."""
    x, y = _thinned(one.curve)
    return {
        "x": x,
        "y": y,
        "points": len(one.curve.x),
        "grid": one.curve.grid,
        "low": one.curve.low,
        "high": one.curve.high,
        "area": one.area,
        "interval": [one.low, one.high],
        "positives": one.curve.positives,
        "negatives": one.curve.negatives,
    }


def _why(one: Operating) -> str:
    return one.curve.reason or f"only {MOST_CLASSES} are drawn"


def _nothing(what: str, classes: Sequence[Operating]) -> Plot:
    reasons = dict.fromkeys(f"{one.name}: {one.curve.reason}" for one in classes)
    return not_shown(what, "; ".join(reasons) or "there is no class")
