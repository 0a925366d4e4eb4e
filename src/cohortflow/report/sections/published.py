"""What the paper printed beside what was obtained, and what differs between the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.evaluation.published import (
    PublishedCell,
    PublishedTable,
    published_cells,
    published_tables,
)
from cohortflow.report.blocks import Block, Column, Heading, Note, Section, Table, Text, not_run
from cohortflow.report.cells import Cell, cells
from cohortflow.report.sections.accuracy import label
from cohortflow.report.sections.accuracy_optimistic import optimistic_of
from cohortflow.report.sections.differences import differences
from cohortflow.report.sections.peaks import peaks
from cohortflow.report.source import ReportSource
from cohortflow.systems import SYSTEMS

TITLE = "Beside the published numbers"
OTHER_DATA = (
    "The printed numbers are of the paper's recordings: a difference between two cohorts says "
    "little about the method. What differs is listed below."
)
WHY_OPTIMISTIC = (
    "Optimistic: the best epoch, chosen on the test subjects themselves; no difference is formed "
    "with it. The printed numbers may have been chosen so: the paper does not say."
)


def published(source: ReportSource) -> Section:
    """Cells that correspond by comparison, network and degree; then the printed tables."""
    system = str(source.pipeline.get("system") or source.pipeline["slug"])
    if system not in SYSTEMS:
        return not_run("published", TITLE, f"no printed tables belong to {system!r}.")
    tables = published_tables(system)
    found = [cell for cell in cells(source) if not cell.control]
    blocks: list[Block] = [Text(f"Printed in: {SYSTEMS[system].source}.")]
    if found:
        blocks += _beside(source, system, found)
        best = peaks(system, found)
        if best.rows:
            blocks.append(best)
        blocks.append(differences(source, system, tables, found))
    else:
        blocks.append(Note("No score has finished, so nothing stands beside them.", "absent"))
    blocks.append(Heading("The tables as printed"))
    blocks += [_as_printed(table) for table in tables]
    return Section("published", TITLE, blocks)


def _beside(source: ReportSource, system: str, found: Sequence[Cell]) -> list[Block]:
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
        blocks += _no_correspondence(system, without, bool(rows))
    return blocks


def _row(cell: Cell, printed: PublishedCell) -> dict[str, Any]:
    obtained = cell.mean_sd("accuracy")
    share = printed.value / 100 if printed.unit == "percent" else printed.value
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
    notes = [OTHER_DATA, *(f"Doubt about a printed number: {doubt}" for doubt in doubts)]
    if any(row["optimistic"] for row in rows):
        notes.insert(1, WHY_OPTIMISTIC)
    return Table("published_beside", caption, columns, rows, notes=notes)


def _no_correspondence(system: str, without: Sequence[Cell], some: bool) -> list[Block]:
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
                row[f"printed_{names.index(_printed_name(printed.labels))}"] = value / 100
        rows.append(row)
    return rows, names


def _printed_name(labels: Mapping[str, Any]) -> str:
    return " ".join(str(labels[key]) for key in ("comparison", "cohort") if labels.get(key))


def _as_printed(table: PublishedTable) -> Table:
    """Every printed row; numbers as printed, doubts below."""
    keys = list(dict.fromkeys(key for row in table.rows for key in row.labels))
    columns = [Column("method", "Method"), *(Column(f"label_{key}", key) for key in keys)]
    columns += [
        Column(f"value_{name}", name, "printed", table.units[name]) for name in table.columns
    ]
    rows = [
        {
            "method": row.method,
            **{f"label_{key}": row.labels.get(key) for key in keys},
            **{f"value_{name}": row.values[name] for name in table.columns},
        }
        for row in table.rows
    ]
    notes = [
        f"{' '.join(str(label) for label in (row.method, *row.labels.values()) if label)}, "
        f"{column} {row.values[column]:g}: {reason}"
        for row in table.rows
        for column, reason in row.flags.items()
    ]
    better = "higher is better" if set(table.better.values()) == {"higher"} else ""
    caption = f"{table.id}: {table.about} ({table.dataset}; {better})"
    return Table(f"printed_{table.id}", caption, columns, rows, folded=True, notes=notes)
