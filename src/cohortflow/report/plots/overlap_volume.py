"""Overlap against the volume of the reference: small structures are the hard ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cohortflow.report.blocks import Figure
from cohortflow.report.figures import draw, short
from cohortflow.report.plots.parts import (
    INKS,
    LOST,
    WIDE,
    Floats,
    Plot,
    drawn_of,
    not_shown,
    thinned,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_POINTS = 1200
MOST_NAMED = 9
MARKS = ("o", "s", "^")


@dataclass(frozen=True)
class OfLabel:
    """Cases of one label: volume (case) of the reference; value (case), at its worst where ``lost``
    (case) says that the case was missed, invented or failed."""

    name: str
    volume: Floats
    value: Floats
    lost: np.ndarray


def overlap_volume_plot(
    name: str, labels: Sequence[OfLabel], *, value: str, unit: str = "ml"
) -> Plot:
    """A point a case and label on a logarithmic axis of volumes; × marks the lost ones. Cases
    without a reference volume stand at the left edge."""
    known = [_known(label) for label in labels]
    kept = [label for label in known if len(label.value)]
    total = sum(len(label.value) for label in kept)
    what = f"{value} against volume"
    volumes = np.concatenate([label.volume for label in kept]) if kept else np.empty(0)
    if not (volumes > 0).any():
        return not_shown(what, "no case has a reference volume and a value")
    edge = 10.0 ** (np.floor(np.log10(volumes[volumes > 0].min()) * 2) / 2 - 0.25)
    right = max(volumes.max() * 1.4, 12.0 * edge)
    budget = max(15, MOST_POINTS // len(kept))
    named = len(kept) <= MOST_NAMED
    shown = sum(len(thinned(label.value, budget)) for label in kept)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.set_xscale("log")
        for place, label in enumerate(kept):
            _points(axes, place if named else 0, label, edge, budget)
        axes.set(xlim=(edge / 1.15, right), xlabel=f"reference volume ({unit})", ylabel=value)
        axes.xaxis.set_major_formatter(lambda at, _: f"{at:g}")
        axes.xaxis.set_minor_formatter(lambda at, _: "")
        axes.grid()
        axes.set_axisbelow(True)
        axes.legend(
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            fontsize=7,
            borderaxespad=0.0,
            handles=_handles(kept, named),
        )

    empty = int((volumes <= 0).sum())
    lost = sum(int(label.lost.sum()) for label in kept)
    told = f" {empty} without a known reference volume stand at the left edge." if empty else ""
    told += "" if named else f" {len(kept)} labels share one mark; the table tells them apart."
    return Figure(
        name,
        draw(name, (WIDE, 3.4), paint),
        alt=f"{what} of {total} cases and labels; {lost} of them lost.",
        caption=f"{what} of the reference, logarithmic: {total:,} cases and labels, {lost:,} of "
        f"them lost (×, at the worst value).{told}{drawn_of(shown, total)}",
        data={
            "n": total,
            "lost": lost,
            "without_volume": empty,
            "drawn": shown,
            "labels": {label.name: len(label.value) for label in kept},
        },
        wide=True,
    )


def _known(label: OfLabel) -> OfLabel:
    ok = np.isfinite(label.volume) & np.isfinite(label.value)
    return OfLabel(label.name, label.volume[ok], label.value[ok], np.asarray(label.lost)[ok])


def _points(axes: Any, place: int, label: OfLabel, edge: float, budget: int) -> None:
    places = thinned(label.value, budget)
    x = np.maximum(label.volume[places], edge)
    y, lost = label.value[places], label.lost[places].astype(bool)
    axes.plot(x[~lost], y[~lost], **_mark(place), alpha=0.7, zorder=3)
    axes.plot(x[lost], y[lost], zorder=4, clip_on=False, **LOST)


def _mark(place: int) -> dict[str, Any]:
    colour, mark = INKS[place % 3], MARKS[place // 3 % 3]
    return {
        "marker": mark,
        "color": colour,
        "markersize": 3.4,
        "markeredgewidth": 0,
        "linestyle": "",
    }


def _handles(kept: Sequence[OfLabel], named: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    names = [short(label.name, 22) for label in kept] if named else [f"{len(kept)} labels"]
    marks = [Line2D([], [], label=text, **_mark(place)) for place, text in enumerate(names)]
    return [*marks, Line2D([], [], label="lost, at the worst", **LOST)]
