"""Printed numbers beside points of a classification: comparison, network, degree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.evaluation.published import (
    PublishedCell,
    PublishedTable,
    convert,
    published_cells,
    published_tables,
)
from cohortflow.report.blocks import Block, Column, Note, Table
from cohortflow.report.cells import Cell
from cohortflow.report.sections.accuracy import label
from cohortflow.report.sections.accuracy_optimistic import optimistic_of
from cohortflow.report.source import ReportSource

OTHER_DATA = (
    "The printed numbers are of the paper's recordings: a difference between two cohorts says "
    "little about the method. What differs is listed below."
)
WHY_OPTIMISTIC = (
    "Optimistic: the best epoch, chosen on the test subjects themselves; no difference is formed "
    "with it. The printed numbers may have been chosen so: the paper does not say."
)


def beside_points(source: ReportSource, system: str, found: Sequence[Cell]) -> list[Block]:
    """Cells that correspond by comparison, network and degree; the others without a difference."""
    rows: list[dict[str, Any]] = []
    without: list[Cell] = []
    twins = optimistic_of(source, found)
    for position, cell in enumerate(found):
        printed = published_cells(system, cell.point)
        rows += [_row(cell, one) | {"optimistic": twins.value(position)} for one in printed]
        if not printed:
            without.append(cell)
    blocks: list[Block] = []
    if rows:
        blocks.append(_correspondence(rows))
    if without:
        blocks += _no_correspondence(system, without)
    return blocks


def _row(cell: Cell, printed: PublishedCell) -> dict[str, Any]:
    obtained = cell.mean_sd("accuracy")
    share = convert(printed.value, printed.unit, "1")
    return {
        "comparison": cell.point.get("comparison"),
        "variant": cell.point.get("variant"),
        "network": cell.point.get("network"),
        "degree": label("degree", cell.point.get("degree")),
        "cohort": printed.labels.get("cohort"),
        "published": share,
        "obtained": obtained,
        "n": cell.seeds[0].n,
        "interval": list(cell.seeds[0].interval),
        "difference": obtained["mean"] - share
        if obtained and obtained["mean"] is not None
        else None,
        "flag": printed.flag,
    }


def _correspondence(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        Column("comparison", "Comparison"),
        Column("network", "Network"),
        Column("degree", "Degree"),
        Column("cohort", "Printed for"),
        Column("published", "Published", "share", "one split"),
        Column("obtained", "Obtained", "mean_sd", "mean ± sd"),
        Column("n", "n", "integer", "tested"),
        Column("interval", "95 % interval", "interval", "first seed"),
        Column("difference", "Difference", "points", "points"),
    ]
    if any(row["optimistic"] for row in rows):
        columns.append(Column("optimistic", "Optimistic", "mean_sd", "best epoch"))
    if any(row["variant"] is not None for row in rows):
        columns.insert(1, Column("variant", "Variant"))
    caption = (
        "Accuracy in percent, correct of all test subjects; cells that correspond by comparison, "
        "network and homology degree"
    )
    doubts = [
        f"{row['comparison']} {row['network']} {row['degree']}, printed for {row['cohort']}: "
        f"{row['flag']}."
        for row in rows
        if row["flag"]
    ]
    same = "Both sides: accuracy, correct of all judged; printed in percent, ours a share of one."
    notes = [OTHER_DATA, same, *(f"Doubt about a printed number: {doubt}" for doubt in doubts)]
    if any(row["optimistic"] for row in rows):
        notes.insert(2, WHY_OPTIMISTIC)
    return Table("published_beside", caption, columns, rows, notes=notes)


def _no_correspondence(system: str, without: Sequence[Cell]) -> list[Block]:
    """The same network and degree, other comparisons: side by side, and no difference is formed."""
    names = sorted({str(cell.point.get("comparison", "all")) for cell in without})
    text = (
        f"The paper printed no number for {', '.join(names)}. Below stand its numbers for other "
        "groups at the same network and degree: for orientation only, so no difference is formed."
    )
    blocks: list[Block] = [Note(text, "warning")]
    tables = [table for table in published_tables(system) if _has_networks(table, without)]
    if not tables:
        return blocks
    table = tables[0]
    rows, printed_names = _oriented(table, without)
    columns = [
        Column("comparison", "Comparison"),
        Column("network", "Network"),
        Column("degree", "Degree"),
        Column("obtained", "Obtained", "mean_sd", "mean ± sd, seeds"),
        Column("n", "n", "integer", "test subjects"),
        *(Column(f"printed_{i}", name, "share", "printed") for i, name in enumerate(printed_names)),
    ]
    caption = (
        "Accuracy in percent beside printed ones of other comparisons, same network and degree"
    )
    return [*blocks, Table("published_other", caption, columns, rows)]


def _has_networks(table: PublishedTable, without: Sequence[Cell]) -> bool:
    return any(cell.point.get("network") in table.columns for cell in without)


def _oriented(
    table: PublishedTable, without: Sequence[Cell]
) -> tuple[list[dict[str, Any]], list[str]]:
    own = [row for row in table.rows if row.proposed]
    names = list(dict.fromkeys(_printed_name(row.labels) for row in own))
    rows = []
    for cell in without:
        degree = label("degree", cell.point.get("degree"))
        row: dict[str, Any] = {
            "comparison": cell.point.get("comparison"),
            "network": cell.point.get("network"),
            "degree": degree,
            "obtained": cell.mean_sd("accuracy"),
            "n": cell.seeds[0].n,
        }
        for printed in own:
            value = printed.values.get(str(cell.point.get("network")))
            if printed.labels.get("dim") == degree and value is not None:
                place = names.index(_printed_name(printed.labels))
                row[f"printed_{place}"] = convert(value, "percent", "1")
        rows.append(row)
    return rows, names


def _printed_name(labels: Mapping[str, Any]) -> str:
    return " ".join(str(labels[key]) for key in ("comparison", "cohort") if labels.get(key))
