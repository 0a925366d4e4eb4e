"""The best cell of each comparison and network, as papers quote it: chosen after the test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cohortflow.evaluation.published import PublishedCell, published_cells
from cohortflow.report.blocks import Column, Table
from cohortflow.report.cells import Cell


def peaks(system: str, found: Sequence[Cell]) -> Table:
    """Best over homology degrees per comparison and network, then over networks too."""
    rows: list[dict[str, Any]] = []
    comparisons: dict[Any, list[Cell]] = {}
    for cell in found:
        comparisons.setdefault(cell.point.get("comparison"), []).append(cell)
    for comparison, all_cells in comparisons.items():
        networks: dict[Any, list[Cell]] = {}
        for cell in all_cells:
            networks.setdefault(cell.point.get("network"), []).append(cell)
        groups = [*networks.items(), *([("any", all_cells)] if len(networks) > 1 else [])]
        rows += [_row(system, comparison, name, group) for name, group in groups]
    columns = [
        Column("comparison", "Comparison"),
        Column("network", "Network"),
        Column("best", "Best cell here"),
        Column("obtained", "Obtained, optimistic", "share", "mean over seeds"),
        Column("n", "n", "integer", "test subjects"),
        Column("tried", "Chosen among", "integer", "cells"),
        Column("printed_best", "Printed best cell"),
        Column("printed", "Published", "share", "best printed"),
    ]
    caption = (
        "Best cell of each network, optimistic: it is chosen by the very test subjects it is "
        "quoted for, and the more cells there are the higher it gets by chance"
    )
    return Table("peaks", caption, columns, [row for row in rows if row["printed"] is not None])


def _row(system: str, comparison: Any, network: Any, group: Sequence[Cell]) -> dict[str, Any]:
    best = max(group, key=_mean)
    printed = [one for cell in group for one in published_cells(system, cell.point)]
    top = max(printed, key=lambda one: one.value, default=None)
    return {
        "comparison": comparison,
        "network": network,
        "best": _place(best),
        "obtained": _mean(best),
        "n": best.seeds[0].n,
        "tried": len(group),
        "printed_best": _printed_place(top) if top else None,
        "printed": top.value / 100 if top else None,
    }


def _mean(cell: Cell) -> float:
    found = cell.mean_sd("accuracy")
    return found["mean"] if found and found["mean"] is not None else 0.0


def _place(cell: Cell) -> str:
    words = [str(cell.point[axis]) for axis in ("variant", "network") if axis in cell.point]
    return " ".join([*words, f"H{cell.point['degree']}"] if "degree" in cell.point else words)


def _printed_place(cell: PublishedCell) -> str:
    words = (cell.column, cell.labels.get("dim"), cell.labels.get("cohort"))
    return " ".join(str(word) for word in words if word)
