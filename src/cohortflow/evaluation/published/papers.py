"""One packaged file of printed tables: read, checked, and with where its numbers come from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from cohortflow.errors import BadPublishedTable, UnknownName, nearest
from cohortflow.evaluation.published.correspondence import unit_of_ours
from cohortflow.evaluation.published.names import checked_name
from cohortflow.evaluation.published.printed import load_with_digits, printed_number
from cohortflow.evaluation.published.schema import CellLink, Metric, PaperFile, TableFile, Task
from cohortflow.evaluation.published.tables import PublishedRow, PublishedTable, plain_label

_ROW_KEYS = ("method", "proposed", "reference", "flags")


@dataclass(frozen=True)
class Paper:
    """All printed tables of one method; ``digest``: sha256 of the file they stand in."""

    system: str
    title: str
    year: int
    protocol: str
    notes: str
    tables: tuple[PublishedTable, ...]
    choices: Mapping[str, str]
    cells: CellLink | None
    digest: str

    def table(self, id: str) -> PublishedTable:
        """The table of this id; :class:`UnknownName` where there is none."""
        found = {one.id: one for one in self.tables}
        if id not in found:
            raise UnknownName(f"no table {id!r}", where=self.system, hint=nearest(id, found))
        return found[id]


@cache
def published_paper(name: str) -> Paper:
    """The packaged tables of a method; :class:`UnknownName` where there are none of that name."""
    file = files("cohortflow.systems") / "published" / f"{checked_name(name)}.yaml"
    return read_paper(file.read_bytes(), name)


def read_paper(data: bytes, name: str) -> Paper:
    """A file's bytes as tables; :class:`BadPublishedTable` names file, table and row."""
    found = load_with_digits(data.decode("utf-8"), f"{name}.yaml")
    try:
        paper = PaperFile.model_validate(found)
    except ValidationError as error:
        raise _named(error, found, f"{name}.yaml") from error
    if paper.system != name:
        raise BadPublishedTable(
            "a file of another system", where=f"{name}.yaml", expected=name, found=paper.system
        )
    _each_once([table.id for table in paper.tables], f"{name}.yaml", "table")
    return Paper(
        paper.system,
        paper.title,
        paper.year,
        paper.protocol,
        paper.notes,
        tuple(_table(table, paper, f"{name}.yaml, {table.id}") for table in paper.tables),
        paper.choices,
        paper.cells,
        hashlib.sha256(data).hexdigest(),
    )


def _named(error: ValidationError, found: Any, where: str) -> BadPublishedTable:
    """The first complaint of pydantic, with the table's id instead of its position."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    if place[:1] == ["tables"] and len(place) > 1 and place[1].isdigit():
        table = found["tables"][int(place[1])]
        place[:2] = [str(table.get("id", f"table {place[1]}")) if isinstance(table, dict) else "?"]
    return BadPublishedTable(
        "a file of printed tables that does not keep to its schema",
        where=", ".join([where, *place]),
        expected=first["msg"],
        found=repr(first.get("input"))[:120],
    )


def _each_once(names: list[str], where: str, what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadPublishedTable(f"a {what} that stands twice", where=where, found=", ".join(twice))


def _known(names: Any, known: Any, where: str, what: str) -> None:
    for name in names:
        if name not in known:
            raise BadPublishedTable(
                f"no such {what}",
                where=where,
                expected=", ".join(map(str, known)) or "none",
                found=str(name),
                hint=nearest(str(name), map(str, known)),
            )


def _defined(metric: Metric, task: Task, where: str) -> None:
    try:
        if metric.definition is not None:
            unit_of_ours(metric.definition, metric.task or task)
    except UnknownName as error:
        raise BadPublishedTable(
            "a metric that is none of ours",
            where=where,
            found=metric.definition or "",
            hint=error.hint,
        ) from error


def _table(table: TableFile, paper: PaperFile, where: str) -> PublishedTable:
    _each_once(table.columns, where, "column")
    names = {column: table.column_metric.get(column, column) for column in table.columns}
    _known(names.values(), table.metrics, where, "metric")
    _known(table.metrics, set(names.values()), where, "column of the metric")
    told = (table.column_metric, table.datasets, table.structures, table.column_flags, table.means)
    stated = [relation.named_columns() for relation in table.relations]
    stated += [claim.columns for claim in table.claims]
    for columns in (*told, *table.means.values(), *stated):
        _known(columns, table.columns, where, "column")
    for name, metric in table.metrics.items():
        _defined(metric, paper.task, f"{where}, {name}")
    codes = [code for several in table.column_flags.values() for code in several]
    _known([*table.flags, *codes], paper.flags, where, "flag")
    metrics = {column: table.metrics[name] for column, name in names.items()}
    rows = [_row(row, table, paper, where, position) for position, row in enumerate(table.rows, 1)]
    for row in rows:
        _known(table.compare, row.said, f"{where}, {row.method}", "label to compare by")
    if table.baseline:
        _known([table.baseline], [row.method for row in rows], where, "method")
    return PublishedTable(
        id=table.id,
        printed_in=table.printed_in,
        about=table.about,
        dataset=table.dataset,
        columns=tuple(table.columns),
        metrics=metrics,
        rows=tuple(rows),
        task=paper.task,
        structures=table.structures,
        datasets=table.datasets,
        means=table.means,
        compare=tuple(table.compare),
        baseline=table.baseline,
        flags=tuple(paper.flags[code] for code in table.flags),
        column_flags={k: _reasons(v, paper.flags) for k, v in table.column_flags.items()},
        relations=tuple(table.relations),
        claims=tuple(table.claims),
        notes=table.notes,
    )


def _reasons(codes: list[str], reasons: Mapping[str, str]) -> str:
    return "; ".join(reasons[code] for code in codes)


def _row(
    row: Mapping[str, Any], table: TableFile, paper: PaperFile, where: str, position: int
) -> PublishedRow:
    here = f"{where}, row {position}"
    method, proposed = row.get("method"), row.get("proposed")
    reference, flagged = row.get("reference", False), row.get("flags", {})
    if not (
        isinstance(method, str)
        and isinstance(proposed, bool)
        and isinstance(reference, bool)
        and isinstance(flagged, dict)
    ):
        raise BadPublishedTable(
            "a row that does not say its method",
            where=here,
            expected="method (text), proposed and reference (true or false), flags (a mapping)",
            found=", ".join(map(str, row)),
        )
    here = f"{here} ({method})"
    missing = [column for column in table.columns if column not in row]
    if missing:
        raise BadPublishedTable(
            "a row that lacks a column",
            where=here,
            expected=", ".join(table.columns),
            found=f"no {', '.join(missing)}",
        )
    labels = {k: plain_label(v) for k, v in row.items() if k not in (*_ROW_KEYS, *table.columns)}
    flags = {key: [v] if isinstance(v, str) else v for key, v in flagged.items()}
    _known(flags, [*table.columns, "row"], here, "column to flag")
    _known([code for several in flags.values() for code in several], paper.flags, here, "flag")
    metrics = {column: table.column_metric.get(column, column) for column in table.columns}
    return PublishedRow(
        method=method,
        proposed=proposed,
        labels=labels,
        numbers={
            column: printed_number(
                row[column], table.metrics[metrics[column]].decimals, f"{here}, {column}"
            )
            for column in table.columns
        },
        reference=reference,
        flags={key: _reasons(v, paper.flags) for key, v in flags.items() if key != "row"},
        flag=_reasons(flags.get("row", []), paper.flags),
    )
