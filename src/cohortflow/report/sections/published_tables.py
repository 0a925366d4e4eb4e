"""Printed tables as they stand in print, with places, gains and doubts of our computing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cohortflow.evaluation.published import (
    Gain,
    Paper,
    PublishedRow,
    PublishedTable,
    correspondence,
    findings,
    gains,
    row_ranks,
)
from cohortflow.report.blocks import Block, Column, Heading, Note, Table

HOW_GAINED = (
    "Gain: the best proposed row over the best other one, above zero where it is better. "
    "Places and gains are computed from the printed numbers; equal numbers share a place. "
    "±: how far off the printed digits may put the gain."
)


def printed_blocks(table: PublishedTable) -> list[Block]:
    """Every printed row, doubts below; then what each column is, its places and gains."""
    if not table.columns:
        return [Note(f"{table.printed_in}: {table.about}; it prints no numbers.")]
    return [_as_printed(table), _places(table)]


def _as_printed(table: PublishedTable) -> Table:
    keys = list(dict.fromkeys(key for row in table.rows for key in row.labels))
    columns = [Column("method", "Method"), *(Column(f"label_{key}", key) for key in keys)]
    columns += [
        Column(f"value_{name}", name, "as_printed", _unit(table, name)) for name in table.columns
    ]
    rows = [
        {
            "method": row.method,
            **{f"label_{key}": row.labels.get(key) for key in keys},
            **{f"value_{name}": _cell(row, name) for name in table.columns},
        }
        for row in table.rows
    ]
    where = f"{table.printed_in}: {table.about}"
    caption = f"{where} ({table.dataset})" if table.dataset else where
    notes = [f"{text}." for text in (*table.doubts(), table.notes) if text]
    return Table(f"printed_{table.id}", caption, columns, rows, folded=True, notes=notes)


def _cell(row: PublishedRow, column: str) -> dict[str, Any] | None:
    number = row.numbers[column]
    if number is None:
        return None
    doubt = " †" if column in row.flags or row.flag else ""
    return {"value": number.value, "text": f"{number}{doubt}"}


def _unit(table: PublishedTable, column: str) -> str:
    metric = table.metrics[column]
    return metric.unit if metric.stated else f"{metric.unit}, not stated"


def _places(table: PublishedTable) -> Table:
    found = {(one.column, tuple(one.labels.values())): one for one in gains(table)}
    named: dict[Any, Gain] = {}
    if table.baseline:
        over = gains(table, over=table.baseline)
        named = {(one.column, tuple(one.labels.values())): one for one in over}
    rows = [
        _place(table, column, group, found, named)
        for group in table.groups()
        for column in table.columns
    ]
    columns = [
        Column("column", "Column"),
        *([Column("group", "Of")] if table.compare or table.datasets else []),
        Column("unit", "Unit", about="as printed"),
        Column("ours", "Metric of ours"),
        Column("ours_unit", "Its unit"),
        Column("best", "Best printed"),
        Column("proposed", "Best proposed"),
        Column("place", "Place", "fraction", "of methods"),
        Column("gain", "Gain", "signed", "over the best other"),
        Column("half_width", "±", "number"),
        Column("relative", "Relative", "points", "percent"),
        Column("told", "Told by the digits"),
    ]
    if table.baseline:
        columns.insert(-1, Column("named", "Gain", "signed", f"over {table.baseline}"))
    notes = [HOW_GAINED, *_reasons(table)]
    caption = f"{table.printed_in}: what each column is by our definitions, places and gains"
    return Table(f"places_{table.id}", caption, columns, rows, folded=True, notes=notes)


def _reasons(table: PublishedTable) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for column in table.columns:
        if table.metrics[column].why:
            by_reason.setdefault(table.metrics[column].why, []).append(column)
    said = [f"{', '.join(columns)}: {why}." for why, columns in by_reason.items()]
    policies = sorted({metric.policy for metric in table.metrics.values() if metric.policy})
    return [*said, *(f"Empty masks are counted by the rule {name!r}." for name in policies)]


def _place(
    table: PublishedTable,
    column: str,
    group: Sequence[PublishedRow],
    found: dict[Any, Gain],
    named: dict[Any, Gain],
) -> dict[str, Any]:
    ours = correspondence(table, column)
    labels = tuple(group[0].said[key] for key in table.compare)
    all_ranks = {id(row): r for row, r in zip(table.rows, row_ranks(table, column), strict=True)}
    placed = [(rank, row) for row in group if (rank := all_ranks[id(row)]) is not None]
    best = min(placed, key=lambda one: one[0], default=None)
    proposed = min((one for one in placed if one[1].proposed), key=lambda x: x[0], default=None)
    gain, over = found.get((column, labels)), named.get((column, labels))
    rivals = any(not row.proposed for _, row in placed)
    return {
        "column": column,
        "group": group_name(table, column, group),
        "unit": _unit(table, column),
        "ours": table.metrics[column].definition or "none",
        "ours_unit": ours.unit or ("as computed" if ours.ids else ""),
        "best": _named(best, column),
        "proposed": _named(proposed, column),
        "place": [proposed[0], len(placed)] if proposed and rivals else None,
        "gain": gain.value if gain else None,
        "half_width": gain.half_width if gain else None,
        "relative": gain.relative if gain else None,
        "named": over.value if over else None,
        "told": _told(gain),
    }


def group_name(table: PublishedTable, column: str, group: Sequence[PublishedRow]) -> str:
    """What competing rows share in a column: its data set, and the labels they are told by."""
    labels = [group[0].said[key] for key in table.compare]
    return ", ".join(str(one) for one in (table.datasets.get(column), *labels) if one is not None)


def _told(gain: Gain | None) -> str:
    if gain is None:
        return ""
    chosen = f", best of {gain.among} proposed" if gain.among > 1 else ""
    return ("yes" if gain.told else "no, smaller than they can tell") + chosen


def _named(placed: tuple[int, PublishedRow] | None, column: str) -> str:
    return f"{placed[1].method} {placed[1].numbers[column]}" if placed else ""


def against_themselves(paper: Paper) -> list[Block]:
    """Stated means, gains, places and other relations that the printed numbers do not bear out."""
    rows = [
        {
            "table": paper.table(one.table).printed_in,
            "row": one.row,
            "column": one.column,
            "about": one.about,
            "flagged": "yes" if one.flagged else "no",
        }
        for one in findings(paper)
    ]
    if not rows:
        return []
    columns = [
        Column("table", "Table"),
        Column("row", "Row"),
        Column("column", "Column"),
        Column("about", "Found", "prose"),
        Column("flagged", "Flagged above"),
    ]
    caption = "Printed numbers and statements that other printed numbers do not bear out"
    note = "Computed from the digits as printed; what rounding can explain is not listed."
    return [
        Heading("What the printed numbers say against themselves"),
        Table("against_themselves", caption, columns, rows, notes=[note]),
    ]
