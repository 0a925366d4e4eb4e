"""Printed tables of a method, for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cohortflow.evaluation.published import (
    PUBLISHED,
    Paper,
    PublishedTable,
    correspondence,
    findings,
    gains,
    published_paper,
    row_ranks,
)

HOW_TO_READ = "(n): place among the methods it competes with, computed; †: doubtful, see below"


def published_list() -> list[list[str]]:
    """Name and what is packaged, of every method with printed tables."""
    return [[name, _about(published_paper(name))] for name in PUBLISHED]


def _about(paper: Paper) -> str:
    count = len(paper.tables)
    return f"{paper.title} ({paper.year}); {count} {'table' if count == 1 else 'tables'}"


def published_json(paper: Paper) -> dict[str, Any]:
    """Everything that is known of a method's printed numbers."""
    return {
        "published": paper.system,
        "title": paper.title,
        "year": paper.year,
        "digest": paper.digest,
        "protocol": paper.protocol,
        "notes": paper.notes,
        "tables": [_table_json(table) for table in paper.tables],
        "findings": [vars(one) for one in findings(paper)],
    }


def _table_json(table: PublishedTable) -> dict[str, Any]:
    places = {column: row_ranks(table, column) for column in table.columns}
    return {
        "id": table.id,
        "printed_in": table.printed_in,
        "about": table.about,
        "dataset": table.dataset,
        "columns": {column: _column_json(table, column) for column in table.columns},
        "flags": list(table.flags),
        "rows": [
            {
                "method": row.method,
                "proposed": row.proposed,
                "labels": dict(row.labels),
                "values": row.values,
                "places": {column: places[column][position] for column in table.columns},
                "flags": dict(row.flags) | ({"row": row.flag} if row.flag else {}),
            }
            for position, row in enumerate(table.rows)
        ],
        "gains": [vars(gain) | {"told": gain.told} for gain in gains(table)],
    }


def _column_json(table: PublishedTable, column: str) -> dict[str, Any]:
    ours, metric = correspondence(table, column), table.metrics[column]
    return {
        "unit": metric.unit,
        "stated": metric.stated,
        "better": metric.better,
        "definition": metric.definition,
        "task": ours.task if metric.definition else None,
        "why": metric.why,
        "flag": table.column_flags.get(column, ""),
    }


def tell_published(
    paper: Paper, say: Callable[[str], None], show: Callable[[list[str], list[list[Any]]], None]
) -> None:
    """Lines and tables: every printed row with its doubts, and what they say against themselves."""
    say(f"printed in: {paper.title}, {paper.year}; file {paper.digest[:12]}")
    for text in (paper.protocol, paper.notes):
        if text:
            say(text)
    if paper.tables:
        say(HOW_TO_READ)
    for table in paper.tables:
        say("")
        say(f"{table.id} ({table.printed_in}): {table.about}; {table.dataset or 'no data set'}")
        if table.columns:
            show(*_printed(table))
        else:
            say("  it prints no numbers")
        for doubt in table.doubts():
            say(f"  {doubt}")
    for one in findings(paper):
        say(f"found: {one.table}, {one.row}, {one.column}: {one.about}")


def _printed(table: PublishedTable) -> tuple[list[str], list[list[Any]]]:
    """Head and rows: the place among competing methods stands behind each number."""
    keys = list(dict.fromkeys(key for row in table.rows for key in row.labels))
    places = {column: row_ranks(table, column) for column in table.columns}
    head = ["method", *keys, *(f"{column}, {unit}" for column, unit in table.units.items())]
    rows = []
    for position, row in enumerate(table.rows):
        cells: list[Any] = [
            row.method,
            *("" if row.labels.get(k) is None else row.labels[k] for k in keys),
        ]
        for column in table.columns:
            place = places[column][position]
            flagged = column in row.flags or (row.flag and row.numbers[column] is not None)
            mark = "†" if flagged else ""
            number = "—" if row.numbers[column] is None else str(row.numbers[column])
            cells.append(f"{number}{mark}" + (f" ({place})" if place else ""))
        rows.append(cells)
    return head, rows
