"""Distances between the subjects at one region: maps by group, and means within and between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cohortflow.cohort.tiles import standing, whole_matrix
from cohortflow.report.blocks import Block, Column, Figure, Note, Table
from cohortflow.report.example import degree_labels, example_unit, labels, shown_regions
from cohortflow.report.figures import SOFT, draw, heat_map, short
from cohortflow.report.identifiers import slug
from cohortflow.report.source import ReportSource, ReportUnit, axis_labels, done

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

MOST_COMPARISONS = 4
MOST_DRAWN = 400
"""Subjects in a picture; of more, every second, third … in their order is drawn."""
SLAB = 256
"""Rows of a matrix that are in memory at once."""


@dataclass(frozen=True)
class Panel:
    """One region: the matrix, its subjects by group, and those that are drawn."""

    region: str
    degrees: list[int]
    distance: xr.DataArray
    order: list[int]
    groups: list[str]
    drawn: list[int]


def subject_blocks(source: ReportSource) -> list[Block]:
    units = source.units(stage="pairwise_subjects")
    if not done(units):
        return [
            Note("Not shown: no step of stage pairwise_subjects has a finished unit.", "absent")
        ]
    people = source.participants
    if "group" not in people.columns:
        return [Note("Not shown: the participants table has no group column.", "absent")]
    groups = {str(subject): str(group) for subject, group in people["group"].items()}
    regions = _chosen_rois(source, units)
    matrices = _matrices(source, units)
    comparisons = axis_labels(source, "comparison", units) or [None]
    blocks: list[Block] = []
    rows: list[dict[str, Any]] = []
    undone = lost = 0
    for comparison in comparisons[:MOST_COMPARISONS]:
        panels = []
        for point, tiles in matrices:
            if point.get("comparison") != comparison or point.get("roi") not in regions:
                continue
            kept = _standing(source, tiles)
            lost = max(lost, len(tiles) - len(kept))
            if not kept or len(done(kept)) < len(kept):
                undone += 1
                continue
            dataset = whole_matrix([source.entry(tile).dataset for tile in kept])
            panels.append(_panel(dataset, point, groups))
            rows += _means(comparison, panels[-1])
        if panels:
            blocks.append(_subject_figure(comparison, panels))
    if undone:
        blocks.append(
            Note(f"{undone} matrices are not shown: a part of each is not done.", "absent")
        )
    if lost:
        said = (
            f"Up to {lost} tiles of a matrix are left out: nobody of a block of subjects came "
            "through."
        )
        blocks.append(Note(said, "warning"))
    if len(comparisons) > MOST_COMPARISONS:
        blocks.append(Note(f"{len(comparisons) - MOST_COMPARISONS} more comparisons not drawn."))
    rest = len(axis_labels(source, "roi", units)) - len(regions)
    if rest > 0:
        blocks.append(Note(f"{rest} more regions were computed and are not drawn."))
    columns = [
        Column("comparison", "Comparison"),
        Column("region", "Region"),
        Column("degree", "Degree"),
        Column("first", "Groups", "names"),
        Column("sizes", "n", "names", "subjects"),
        Column("within_first", "Within first", "number", "mean distance"),
        Column("within_second", "Within second", "number", "mean distance"),
        Column("between", "Between", "number", "mean distance"),
    ]
    caption = "Mean distance of pairs of subjects within and between the groups, drawn regions only"
    blocks.append(Table("subject_distances", caption, columns, rows))
    return blocks


def _matrices(
    source: ReportSource, units: Sequence[ReportUnit]
) -> list[tuple[dict[str, Any], list[ReportUnit]]]:
    """Units by their point; the tiles of one matrix stand together."""
    tiles = set(source.pipeline.get("tiles", ()))
    found: dict[tuple[Any, ...], tuple[dict[str, Any], list[ReportUnit]]] = {}
    for unit in units:
        point = {axis: label for axis, label in unit.point.items() if axis not in tiles}
        found.setdefault(tuple(point.items()), (point, []))[1].append(unit)
    return list(found.values())


def _standing(source: ReportSource, tiles: Sequence[ReportUnit]) -> list[ReportUnit]:
    axis = next((a for a in source.pipeline.get("tiles", ()) if a in tiles[0].point), None)
    if axis is None:
        return list(tiles)
    by_label = {str(tile.point[axis]): tile for tile in tiles}
    kept = standing({label: (tile.state, tile.reason) for label, tile in by_label.items()})
    return [by_label[label] for label in kept]


def _chosen_rois(source: ReportSource, units: Sequence[ReportUnit]) -> list[Any]:
    found = axis_labels(source, "roi", units)
    unit = example_unit(source, "diagrams")
    if unit is None:
        return found[:6]
    chosen = shown_regions(*labels(source.entry(unit).dataset))
    return [roi for roi in chosen if roi in found] or found[:6]


def _panel(dataset: xr.Dataset, point: Mapping[str, Any], groups: Mapping[str, str]) -> Panel:
    """Ordered by group; subjects of the cohort's table only."""
    subjects = [str(name) for name in dataset["subject"].values]
    known = [groups.get(name, "not given") for name in subjects]
    order = sorted(range(len(subjects)), key=lambda i: (known[i], i))
    step = -(-len(order) // MOST_DRAWN)
    return Panel(
        region=str(dataset.attrs.get("region", f"region {point.get('roi')}")),
        degrees=degree_labels(dataset),
        distance=dataset["distance"],
        order=order,
        groups=[known[i] for i in order],
        drawn=list(range(0, len(order), step)),
    )


def _means(comparison: Any, panel: Panel) -> list[dict[str, Any]]:
    import numpy as np

    names = list(dict.fromkeys(panel.groups))
    if len(names) != 2:
        return []
    member = np.empty(len(panel.order), dtype=bool)
    member[panel.order] = [group == names[0] for group in panel.groups]
    rows = []
    for layer, degree in enumerate(panel.degrees):
        within_first, within_second, between = _group_means(panel.distance[layer], member)
        rows.append(
            {
                "comparison": comparison,
                "region": panel.region,
                "degree": f"H{degree}",
                "first": names,
                "sizes": [int(member.sum()), int((~member).sum())],
                "within_first": within_first,
                "within_second": within_second,
                "between": between,
            }
        )
    return rows


def _group_means(distance: xr.DataArray, first: Any) -> list[float | None]:
    """Means of pairs of two subjects in the first group, in the second, and one of each.

    ``first`` (subject,). A matrix of a large cohort is read some rows at a time.
    """
    import numpy as np

    sums, counts = np.zeros(3), np.zeros(3)
    for start in range(0, len(first), SLAB):
        slab = distance[start : start + SLAB].values
        kinds = np.where(
            first[start : start + SLAB, None] != first, 2, np.where(first, 0, 1)[None, :]
        )
        usable = np.isfinite(slab)
        usable[np.arange(len(slab)), start + np.arange(len(slab))] = False
        sums += np.bincount(kinds[usable], weights=slab[usable], minlength=3)
        counts += np.bincount(kinds[usable], minlength=3)
    return [float(s / n) if n else None for s, n in zip(sums, counts, strict=True)]


def _subject_figure(comparison: Any, panels: Sequence[Panel]) -> Figure:
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)

    def paint(canvas: Canvas) -> None:
        for number, panel in enumerate(panels):
            axes = canvas.add_subplot(lines, columns, number + 1)
            shown = [panel.order[i] for i in panel.drawn]
            heat_map(axes, panel.distance[0][shown][:, shown].values, bar="distance")
            axes.set_title(short(panel.region))
            _group_blocks(axes, [panel.groups[i] for i in panel.drawn], left=number % columns == 0)

    name = f"ps_{slug(str(comparison or 'all'))}"
    degree = panels[0].degrees[0]
    groups = panels[0].groups
    sizes = ", ".join(f"{group} {groups.count(group)}" for group in dict.fromkeys(groups))
    return Figure(
        name,
        draw(name, (0.4 + 2.6 * columns, 3.3 * lines), paint, "compressed"),
        alt=f"Heat maps of the distances between subjects at {len(panels)} regions, subjects "
        f"ordered by group ({sizes}).",
        caption=f"{comparison or 'All subjects'}: distances between the H{degree} diagrams of all "
        f"pairs of subjects, ordered by group ({sizes}). The blocks on the diagonal are within a "
        f"group, the others between. {_thinned(panels[0])}Every panel has its own scale.",
        data={"comparison": comparison, "regions": [panel.region for panel in panels]},
        wide=columns > 2,
    )


def _thinned(panel: Panel) -> str:
    if len(panel.drawn) == len(panel.order):
        return ""
    return f"One subject in {panel.drawn[1]} is drawn. "


def _group_blocks(axes: Any, groups: Sequence[str], left: bool) -> None:
    start = 0
    for group in dict.fromkeys(groups):
        count = groups.count(group)
        if start:
            axes.axhline(start - 0.5, color="white", linewidth=1.2)
            axes.axvline(start - 0.5, color="white", linewidth=1.2)
        if left:
            middle = start + (count - 1) / 2
            axes.text(
                -0.03,
                middle,
                short(group, 12),
                rotation=90,
                va="center",
                ha="right",
                fontsize=7,
                color=SOFT,
                transform=axes.get_yaxis_transform(),
            )
        start += count
