"""Which printed numbers a point of a pipeline stands beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cohortflow.evaluation.published.papers import published_paper
from cohortflow.evaluation.published.tables import Label, plain_label


@dataclass(frozen=True)
class PublishedCell:
    """One printed number beside a point of a pipeline."""

    table: str
    column: str
    unit: str
    value: float
    method: str
    labels: Mapping[str, Label]
    flag: str = ""


def published_cells(system: str, point: Mapping[str, Any]) -> list[PublishedCell]:
    """The paper's own numbers for a point (axis → value); one per printed cohort,
    none if unprinted."""
    paper = published_paper(system)
    link = paper.cells
    if link is None or point.get(link.column) is None:
        return []
    wanted: dict[str, Label] = {}
    for axis, words in link.labels.items():
        if point.get(axis) not in words:
            return []
        wanted[link.keys[axis]] = plain_label(words[point[axis]])
    table = paper.table(link.table)
    column = str(point[link.column])
    return [
        PublishedCell(
            table.id,
            column,
            table.units[column],
            value,
            row.method,
            row.labels,
            row.flags.get(column, ""),
        )
        for row in table.rows
        if row.proposed and row.fits(wanted) and (value := row.values.get(column)) is not None
    ]
