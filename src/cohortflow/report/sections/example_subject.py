"""One region of one subject: its series, the cloud of its windows, its persistence diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cohortflow.report.blocks import Column, Figure, Section, Table, Text, not_run
from cohortflow.report.example import bars, degrees, example_unit, labels, shown_regions
from cohortflow.report.figures import DEGREE_INKS, GRID, ONE, SOFT, draw
from cohortflow.report.source import ReportSource

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

TITLE = "One region of one subject"


def example_subject(source: ReportSource) -> Section:
    """Series → delay-embedding cloud → persistence diagram."""
    import numpy as np

    diagram_unit = example_unit(source, "diagrams")
    if diagram_unit is None:
        return not_run("example_subject", TITLE, "no step of stage diagrams has a finished unit.")
    diagrams = source.entry(diagram_unit).dataset
    series_unit = next(
        (
            unit
            for unit in source.units(stage="standardise")
            if unit.subject == diagram_unit.subject and unit.state == "done"
        ),
        None,
    )
    if series_unit is None:
        return not_run("example_subject", TITLE, "the series of the example subject are not there.")
    dataset = source.entry(series_unit).dataset
    names, networks, valid = labels(diagrams)
    if not any(valid):
        return not_run("example_subject", TITLE, f"{diagram_unit.subject} has no valid region.")
    region = shown_regions(names, networks, valid)[0]
    series = np.asarray(dataset["series"][region].values, dtype=float)
    dimension, lag = int(diagrams.attrs.get("dimension", 3)), int(diagrams.attrs.get("lag", 1))
    found = {degree: bars(diagrams, degree, region) for degree in degrees(diagrams)}
    where = f"{names[region]} ({networks[region]}) of {diagram_unit.subject}"
    figure = _figure(series, float(dataset.attrs["tr_s"]), (dimension, lag), found, where)
    return Section("example_subject", TITLE, [_text(dimension, lag), figure, _table(found, where)])


def _text(dimension: int, lag: int) -> Text:
    return Text(
        f"Windows of {dimension} samples, {lag} apart, make the series a cloud of points; "
        "a loop in the cloud is an oscillation in the series. Growing a ball around every point, "
        "components (H0) merge, loops (H1) and voids (H2) are born and filled; each is one point "
        "of the diagram, and its height above the diagonal is how long it lasts. Turning the "
        "series upside down or backwards changes nothing here, so equal diagrams mean "
        "similar dynamics of the two regions, not that they act at the same time."
    )


def _table(found: dict[int, Any], where: str) -> Table:
    rows = []
    for degree, pairs in found.items():
        lengths = pairs[:, 1] - pairs[:, 0]
        rows.append(
            {
                "degree": f"H{degree}",
                "bars": len(pairs),
                "longest": float(lengths.max()) if len(pairs) else None,
                "total": float(lengths.sum()),
            }
        )
    columns = [
        Column("degree", "Degree"),
        Column("bars", "Finite bars", "integer"),
        Column("longest", "Longest bar", "number", "edge length"),
        Column("total", "Sum of bars", "number", "edge length"),
    ]
    return Table("example_bars", f"Bars of {where}", columns, rows)


def _figure(
    series: Any, tr_s: float, window: tuple[int, int], found: dict[int, Any], where: str
) -> Figure:
    def paint(canvas: Canvas) -> None:
        grid = canvas.add_gridspec(2, 2, width_ratios=(1, 1), height_ratios=(0.8, 1.7))
        _series(canvas.add_subplot(grid[0, :]), series, tr_s)
        _cloud(canvas, grid[1, 0], series, window)
        _diagram(canvas.add_subplot(grid[1, 1]), found)

    counts = ", ".join(f"{len(pairs)} bars in H{degree}" for degree, pairs in found.items())
    return Figure(
        "example_subject",
        draw("example_subject", (8.6, 5.6), paint),
        alt=f"Series, delay embedding and persistence diagram of {where}: "
        f"{len(series)} samples, {counts}.",
        caption=f"Top: the z-scored series of {where}, {len(series)} samples"
        + (f" of {tr_s:g} s" if tr_s == tr_s else ", repetition time not known")
        + ". Left: its windows as points, from the first (dark) to the last (bright). "
        "Right: birth and death of every finite bar.",
        data={"samples": len(series), "bars": {f"H{k}": len(v) for k, v in found.items()}},
        wide=True,
    )


def _series(axes: Any, series: Any, tr_s: float) -> None:
    import numpy as np

    known = tr_s == tr_s
    time = np.arange(len(series)) * (tr_s if known else 1.0)
    axes.plot(time, series, color=ONE, linewidth=1.0)
    axes.set_xlabel("time (s)" if known else "sample")
    axes.set_ylabel("signal (sd)")
    axes.margins(x=0.01)


def _cloud(canvas: Any, cell: Any, series: Any, window: tuple[int, int]) -> None:
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    dimension, lag = window
    count = len(series) - (dimension - 1) * lag
    cloud = np.stack([series[i * lag : i * lag + count] for i in range(dimension)], axis=1)
    order = np.arange(count)
    if dimension < 3:
        axes = canvas.add_subplot(cell)
        axes.scatter(cloud[:, 0], cloud[:, -1], c=order, cmap="viridis", s=9, linewidths=0)
        axes.set(xlabel="v(t)", ylabel="v(t + lag)")
        return
    axes = canvas.add_subplot(cell, projection="3d", computed_zorder=False)
    axes.plot(*cloud[:, :3].T, color=SOFT, linewidth=0.35, alpha=0.55)
    axes.scatter(*cloud[:, :3].T, c=order, cmap="viridis", s=10, linewidths=0, depthshade=False)
    for axis, text in zip((axes.xaxis, axes.yaxis, axes.zaxis), _axis_names(lag), strict=True):
        axis.set_pane_color((0, 0, 0, 0))
        axis.line.set_color(SOFT)
        axis._axinfo["grid"].update(color=GRID, linewidth=0.5)
        axis.set_label_text(text)
        axis.set_tick_params(labelsize=6, pad=0)
        axis.set_major_locator(MaxNLocator(4))
        axis.labelpad = -1
    axes.view_init(elev=22, azim=-58)
    axes.set_box_aspect((1, 1, 0.9), zoom=1.05)
    axes.set_title("windows as points", y=1.0)


def _axis_names(lag: int) -> tuple[str, str, str]:
    return "v(t)", f"v(t + {lag})", f"v(t + {2 * lag})"


def _diagram(axes: Any, found: dict[int, Any]) -> None:
    highest = max((float(pairs.max()) for pairs in found.values() if len(pairs)), default=1.0)
    axes.plot([0, highest * 1.05], [0, highest * 1.05], color=SOFT, linewidth=0.7, dashes=(4, 3))
    for degree, pairs in found.items():
        axes.scatter(
            pairs[:, 0],
            pairs[:, 1],
            s=16,
            marker="osD"[degree % 3],
            facecolors="none" if degree else DEGREE_INKS[0],
            edgecolors=DEGREE_INKS[degree % 3],
            linewidths=0.8,
            alpha=0.85,
            label=f"H{degree}: {len(pairs)} bars",
            clip_on=False,
        )
    axes.set(
        xlabel="birth (edge length)", ylabel="death (edge length)", title="persistence diagram"
    )
    axes.set_aspect("equal")
    axes.legend(loc="lower right", fontsize=7, handletextpad=0.2)
