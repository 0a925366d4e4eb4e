"""The numbers a paper printed, as typed rows, and which of them a point stands beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from cohortflow.errors import InvalidEntry
from cohortflow.systems import system_named

Label = str | int | float | None
_ROW_KEYS = ("method", "proposed", "flags")


@dataclass(frozen=True)
class PublishedRow:
    """One printed row: ``labels`` say what it is of, ``values`` are as printed (None: no number).

    ``flags`` maps a column to the reason why its number is doubtful.
    """

    method: str
    proposed: bool
    labels: Mapping[str, Label]
    values: Mapping[str, float | None]
    flags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishedTable:
    """One printed table; ``units`` and ``better`` by column."""

    id: str
    about: str
    dataset: str
    columns: tuple[str, ...]
    units: Mapping[str, str]
    better: Mapping[str, Literal["higher", "lower"]]
    rows: tuple[PublishedRow, ...]


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


def published_tables(system: str) -> tuple[PublishedTable, ...]:
    """All printed tables of a system; :class:`UnknownName` when there is no such system."""
    document = _document(system)
    reasons = document.get("flags", {})
    return tuple(_table(table, reasons, system) for table in document["tables"])


def published_protocol(system: str) -> str:
    """How the printed numbers came about, in a sentence."""
    return str(_document(system).get("protocol", ""))


def published_choices(system: str) -> dict[str, str]:
    """What the paper says about single parameters, by ``stage.parameter``."""
    return {str(name): str(said) for name, said in _document(system).get("choices", {}).items()}


def published_cells(system: str, point: Mapping[str, Any]) -> list[PublishedCell]:
    """The paper's own numbers for a point (axis → value); one per printed cohort,
    none if unprinted."""
    link = _document(system).get("cells")
    if link is None or point.get(link["column"]) is None:
        return []
    wanted: dict[str, Label] = {}
    for axis, words in link["labels"].items():
        if point.get(axis) not in words:
            return []
        wanted[link["keys"][axis]] = words[point[axis]]
    (table,) = (one for one in published_tables(system) if one.id == link["table"])
    column = str(point[link["column"]])
    cells = []
    for row in table.rows:
        value = row.values.get(column)
        named = all(row.labels.get(key) == label for key, label in wanted.items())
        if row.proposed and named and value is not None:
            flag = row.flags.get(column, "")
            cells.append(
                PublishedCell(
                    table.id, column, table.units[column], value, row.method, row.labels, flag
                )
            )
    return cells


@cache
def _document(system: str) -> dict[str, Any]:
    name = system_named(system).published
    text = (files("cohortflow.systems") / "published" / name).read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    if not isinstance(document, dict) or document.get("system") != system:
        raise InvalidEntry("the file of printed tables is of another system", where=name)
    return document


def _table(table: Mapping[str, Any], reasons: Mapping[str, str], system: str) -> PublishedTable:
    columns = tuple(table["columns"])
    metrics = table["metrics"]
    where = f"{system} {table['id']}"
    return PublishedTable(
        id=table["id"],
        about=table["about"],
        dataset=table["dataset"],
        columns=columns,
        units={column: metrics[column]["unit"] for column in columns},
        better={column: metrics[column]["better"] for column in columns},
        rows=tuple(_row(row, columns, reasons, where) for row in table["rows"]),
    )


def _row(
    row: Mapping[str, Any], columns: tuple[str, ...], reasons: Mapping[str, str], where: str
) -> PublishedRow:
    flags = row.get("flags", {})
    unknown = sorted((set(flags) - set(columns)) | (set(flags.values()) - set(reasons)))
    if unknown or not set(columns) <= set(row):
        raise InvalidEntry(
            "a row of the printed tables lacks a column or has an unknown flag",
            where=f"{where}, {row.get('method')}",
            expected=", ".join((*columns, *reasons)),
            found=", ".join(map(str, unknown or row)),
        )
    return PublishedRow(
        method=row["method"],
        proposed=row["proposed"],
        labels={k: v for k, v in row.items() if k not in (*_ROW_KEYS, *columns)},
        values={column: None if row[column] is None else float(row[column]) for column in columns},
        flags={column: reasons[code] for column, code in flags.items()},
    )
