"""Figures as small inline SVG whose inks are CSS variables, so that they read in both themes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, GRID = "#01a2b3", "#02a2b3", "#03a2b3"
ONE, TWO, THREE, EMPTY = "#04a2b3", "#05a2b3", "#06a2b3", "#07a2b3"
"""Stand-ins: no figure uses these colours, and the page puts its own in their place."""

_PAGE_COLOURS = {
    INK: "currentColor",
    SOFT: "var(--soft)",
    GRID: "var(--line)",
    ONE: "var(--one)",
    TWO: "var(--two)",
    THREE: "var(--three)",
    EMPTY: "var(--wash)",
}
DEGREE_INKS = (ONE, TWO, THREE)

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cohortflow",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.0,
    "axes.linewidth": 0.6,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
}


def draw(
    name: str,
    size: tuple[float, float],
    paint: Callable[[Figure], None],
    layout: Literal["constrained", "compressed"] = "constrained",
) -> str:
    """Inline SVG of a figure of ``size`` inches; ``paint`` adds the axes. Deterministic.

    ``layout``: "compressed" for grids of square panels.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {**matplotlib.rcParamsDefault, **_STYLE, "backend": "agg"}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=size, layout=layout)
        FigureCanvasSVG(figure)
        figure.get_layout_engine().set(h_pad=0.06, w_pad=0.06)  # type: ignore[union-attr, call-arg]
        paint(figure)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(name, target.getvalue())


def _inline(name: str, text: str) -> str:
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, count=1, flags=re.DOTALL)
    for stand_in, colour in _PAGE_COLOURS.items():
        text = text.replace(stand_in, colour)
    text = re.sub(r'\b(d|x|y|points)="[^"]*"', lambda m: _rounded(m.group()), text)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    return re.sub(r">\s+<", "><", text).strip()


def _rounded(attribute: str) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute)


def heat_map(
    axes: Axes,
    matrix: Any,
    *,
    colours: str = "viridis",
    limits: tuple[float, float] | None = None,
    bar: str = "",
    norm: Any = None,
) -> None:
    """A square matrix, cell by cell; NaN is left empty. ``bar`` labels the colour bar."""
    import numpy as np

    values = np.ma.masked_invalid(np.asarray(matrix, dtype=float))
    low, high = limits if limits else (None, None)
    shown = {"norm": norm} if norm is not None else {"vmin": low, "vmax": high}
    image = axes.imshow(values, cmap=colours, interpolation="none", **shown)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if bar:
        figure = axes.figure
        assert figure is not None
        rule = figure.colorbar(
            image, ax=axes, orientation="horizontal", fraction=0.05, pad=0.03, aspect=30
        )
        rule.ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        rule.ax.xaxis.set_minor_formatter(lambda value, _: "")
        rule.outline.set_visible(False)
        rule.set_label(bar, fontsize=7)
        rule.ax.tick_params(labelsize=6.5, length=2)


def name_rows(axes: Axes, names: Sequence[str], most: int = 48) -> None:
    """Names on the left; every second, third … where there are too many to read."""
    step = -(-len(names) // most)
    axes.set_yticks(range(0, len(names), step))
    size = 6.5 if len(names) <= 24 else 5.0
    axes.set_yticklabels([short(name) for name in names[::step]], fontsize=size)
    axes.tick_params(axis="y", length=0, pad=2)


def short(name: str, most: int = 28) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
