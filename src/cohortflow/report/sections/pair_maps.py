"""Distances between regions of one subject, and between subjects at one region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.report.blocks import Block, Column, Figure, Heading, Note, Section, Table, Text
from cohortflow.report.example import degree_labels, example_unit, labels, shown_regions
from cohortflow.report.figures import SOFT, draw, heat_map, name_rows, short
from cohortflow.report.identifiers import slug
from cohortflow.report.source import ReportSource, ReportUnit, axis_labels, done

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_NETWORKS = 6
MOST_COMPARISONS = 4


def pair_maps(source: ReportSource) -> Section:
    """PR heat maps of one subject per network, PS heat maps with group blocks and their means."""
    blocks: list[Block] = [
        Heading("Between the regions of one subject"),
        *_region_blocks(source),
        Heading("Between subjects, one region at a time"),
        *_subject_blocks(source),
    ]
    return Section("pair_maps", "Distances between diagrams", blocks)


def _region_blocks(source: ReportSource) -> list[Block]:
    unit = example_unit(source, "pairwise_rois")
    if unit is None:
        return [Note("Not shown: no step of stage pairwise_rois has a finished unit.", "absent")]
    dataset = source.entry(unit).dataset
    names, networks, _ = labels(dataset)
    order = list(dict.fromkeys(networks))
    held = degree_labels(dataset)
    distance = dataset["distance"].values
    blocks: list[Block] = [
        Text(
            "A small distance means that two regions have similar dynamics. "
            "It does not mean that they act together."
        )
    ]
    for network in order[:MOST_NETWORKS]:
        inside = [i for i, name in enumerate(networks) if name == network]
        part = distance[:, inside][:, :, inside]
        blocks.append(_region_figure(str(unit.subject), network, part, held, names, inside))
    if len(order) > MOST_NETWORKS:
        blocks.append(Note(f"{len(order) - MOST_NETWORKS} more networks are not drawn."))
    return blocks


def _region_figure(
    subject: str,
    network: str,
    part: Any,
    held: Sequence[int],
    names: Sequence[str],
    inside: Sequence[int],
) -> Figure:
    def paint(canvas: Canvas) -> None:
        for layer, degree in enumerate(held):
            axes = canvas.add_subplot(1, len(held), layer + 1)
            heat_map(axes, part[layer], bar="distance")
            axes.set_title(f"H{degree}")
            if layer == 0:
                name_rows(axes, [names[i] for i in inside])

    name = f"pr_{slug(network)}"
    size = (1.5 + 2.35 * len(held), 3.1)
    return Figure(
        name,
        draw(name, size, paint, "compressed"),
        alt=f"Heat maps of the distances between the {len(inside)} regions of network {network} "
        f"of {subject}, one per homology degree.",
        caption=f"{network}, {subject}: Wasserstein distances between the diagrams of "
        f"{len(inside)} regions, columns in the order of the rows; empty where a region is "
        "invalid. Every panel has its own scale.",
        data={"subject": subject, "network": network, "regions": len(inside)},
        wide=len(held) > 1,
    )


def _subject_blocks(source: ReportSource) -> list[Block]:
    units = done(source.units(stage="pairwise_subjects"))
    if not units:
        return [
            Note("Not shown: no step of stage pairwise_subjects has a finished unit.", "absent")
        ]
    people = source.participants
    if "group" not in people.columns:
        return [Note("Not shown: the participants table has no group column.", "absent")]
    groups = {str(subject): str(group) for subject, group in people["group"].items()}
    regions = _chosen_rois(source, units)
    comparisons = axis_labels(source, "comparison", units) or [None]
    blocks: list[Block] = []
    rows: list[dict[str, Any]] = []
    for comparison in comparisons[:MOST_COMPARISONS]:
        panels = []
        for unit in units:
            if unit.point.get("comparison") == comparison and unit.point.get("roi") in regions:
                panel = _panel(source, unit, groups)
                panels.append(panel)
                rows += _means(comparison, panel)
        if panels:
            blocks.append(_subject_figure(comparison, panels))
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


def _chosen_rois(source: ReportSource, units: Sequence[ReportUnit]) -> list[Any]:
    found = axis_labels(source, "roi", units)
    unit = example_unit(source, "diagrams")
    if unit is None:
        return found[:6]
    chosen = shown_regions(*labels(source.entry(unit).dataset))
    return [roi for roi in chosen if roi in found] or found[:6]


def _panel(source: ReportSource, unit: ReportUnit, groups: Mapping[str, str]) -> dict[str, Any]:
    """Matrices ordered by group; subjects of the cohort's table only."""
    import numpy as np

    dataset = source.entry(unit).dataset
    subjects = [str(name) for name in dataset["subject"].values]
    known = [groups.get(name, "not given") for name in subjects]
    order = sorted(range(len(subjects)), key=lambda i: (known[i], i))
    distance = np.asarray(dataset["distance"].values)[:, order][:, :, order]
    return {
        "region": str(dataset.attrs.get("region", f"region {unit.point.get('roi')}")),
        "degrees": degree_labels(dataset),
        "distance": distance,
        "groups": [known[i] for i in order],
    }


def _means(comparison: Any, panel: Mapping[str, Any]) -> list[dict[str, Any]]:
    import numpy as np

    names = list(dict.fromkeys(panel["groups"]))
    if len(names) != 2:
        return []
    member = np.array(panel["groups"]) == names[0]
    rows = []
    for degree, matrix in zip(panel["degrees"], panel["distance"], strict=True):
        one, other = matrix[member][:, member], matrix[~member][:, ~member]
        rows.append(
            {
                "comparison": comparison,
                "region": panel["region"],
                "degree": f"H{degree}",
                "first": names,
                "sizes": [int(member.sum()), int((~member).sum())],
                "within_first": _mean(one[np.triu_indices(len(one), 1)]),
                "within_second": _mean(other[np.triu_indices(len(other), 1)]),
                "between": _mean(matrix[member][:, ~member]),
            }
        )
    return rows


def _mean(values: Any) -> float | None:
    import numpy as np

    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else None


def _subject_figure(comparison: Any, panels: Sequence[Mapping[str, Any]]) -> Figure:
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)

    def paint(canvas: Canvas) -> None:
        for number, panel in enumerate(panels):
            axes = canvas.add_subplot(lines, columns, number + 1)
            heat_map(axes, panel["distance"][0], bar="distance")
            axes.set_title(short(panel["region"]))
            _group_blocks(axes, panel["groups"], left=number % columns == 0)

    name = f"ps_{slug(str(comparison or 'all'))}"
    degree = panels[0]["degrees"][0]
    groups = panels[0]["groups"]
    sizes = ", ".join(f"{group} {groups.count(group)}" for group in dict.fromkeys(groups))
    return Figure(
        name,
        draw(name, (0.4 + 2.6 * columns, 3.3 * lines), paint, "compressed"),
        alt=f"Heat maps of the distances between subjects at {len(panels)} regions, subjects "
        f"ordered by group ({sizes}).",
        caption=f"{comparison or 'All subjects'}: distances between the H{degree} diagrams of all "
        f"pairs of subjects, ordered by group ({sizes}). The blocks on the diagonal are within a "
        "group, the others between. Every panel has its own scale.",
        data={"comparison": comparison, "regions": [panel["region"] for panel in panels]},
        wide=columns > 2,
    )


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
