"""Distances between regions of one subject, and between subjects at one region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.report.blocks import Block, Figure, Heading, Note, Section, Text
from cohortflow.report.example import degree_labels, example_unit, labels
from cohortflow.report.figures import draw, heat_map, name_rows
from cohortflow.report.identifiers import slug
from cohortflow.report.sections.subject_maps import subject_blocks
from cohortflow.report.source import ReportSource

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_NETWORKS = 6


def pair_maps(source: ReportSource) -> Section:
    """PR heat maps of one subject per network, PS heat maps with group blocks and their means."""
    blocks: list[Block] = [
        Heading("Between the regions of one subject"),
        *_region_blocks(source),
        Heading("Between subjects, one region at a time"),
        *subject_blocks(source),
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
