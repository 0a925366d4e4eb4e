"""Small tables of text (participants, atlases, repetition times) from ``.csv`` and ``.tsv``."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cohortflow.errors import EmptyInput, TooLarge, UnknownName, UnreadableFile, nearest
from cohortflow.sources.files import read_text

MAX_TABLE_BYTES = 256 * 2**20
MAX_COLUMNS = 2**16
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,15})")
_NUMBER = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")


@dataclass(frozen=True)
class Table:
    """``rows`` hold the text of each field by column name; ``lines`` their line in the file."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    lines: tuple[int, ...]

    def find(self, *names: str) -> str | None:
        """The first of these columns that is there, whatever its case."""
        folded = {column.casefold(): column for column in self.columns}
        return next((folded[n.casefold()] for n in names if n.casefold() in folded), None)

    def require(self, name: str) -> str:
        """The column of that name; :class:`UnknownName` with the nearest one."""
        found = self.find(name)
        if found is None:
            raise UnknownName(
                f"no column {name!r}", where=self.name, hint=nearest(name, self.columns)
            )
        return found


def read_table(path: Path | str) -> Table:
    """Read a table with a header line; lines that begin with ``#`` above it are skipped."""
    path = Path(path)
    return parse_table(read_text(path, path.name, MAX_TABLE_BYTES), path.name)


def parse_table(text: str, name: str, *, tabs: bool | None = None) -> Table:
    """The table in a text; ``name`` is what errors call it. ``tabs``: by default as it ends."""
    lines = text.splitlines()
    start = next((i for i, x in enumerate(lines) if x.strip() and not x.startswith("#")), None)
    if start is None:
        raise EmptyInput("the table has no header", where=name)
    if tabs is None:
        tabs = name.lower().removesuffix(".gz").endswith(".tsv")
    delimiter = "\t" if tabs else max(",;\t", key=lines[start].count)
    columns, rows, numbers = _parse("\n".join(lines[start:]) + "\n", delimiter, start, name)
    return Table(name, columns, tuple(rows), tuple(numbers))


def typed_column(
    fields: Sequence[str | None],
) -> list[int | None] | list[float | None] | list[str | None]:
    """Whole numbers where all fields are such, else numbers, else the text; None stays."""
    present = [field for field in fields if field is not None]
    if present and all(_WHOLE.fullmatch(field) for field in present):
        return [None if field is None else int(field) for field in fields]
    if present and all(_NUMBER.fullmatch(field) for field in present):
        return [None if field is None else float(field) for field in fields]
    return list(fields)


def _parse(
    body: str, delimiter: str, start: int, name: str
) -> tuple[tuple[str, ...], list[dict[str, str]], list[int]]:
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows: list[dict[str, str]] = []
    numbers: list[int] = []
    try:
        columns = _header(next(reader), name)
        for fields in reader:
            if any(field.strip() for field in fields):
                rows.append(_row(fields, columns, f"{name} line {start + reader.line_num}"))
                numbers.append(start + reader.line_num)
    except csv.Error as error:
        where = f"{name} line {start + reader.line_num}"
        raise UnreadableFile("the table cannot be read", where=where, found=str(error)) from error
    return columns, rows, numbers


def _header(fields: Sequence[str], name: str) -> tuple[str, ...]:
    columns = tuple(field.strip() for field in fields)
    if len(columns) > MAX_COLUMNS:
        raise TooLarge(
            "the table has more columns than are read",
            where=name,
            expected=f"at most {MAX_COLUMNS:,}",
            found=f"{len(columns):,}",
        )
    twice = sorted(c for c, times in Counter(columns).items() if c and times > 1)
    if twice:
        raise UnreadableFile(
            "a column stands twice in the header", where=name, found=str(twice[:9])
        )
    return tuple(c or f"column {i}" for i, c in enumerate(columns, start=1))


def _row(fields: Sequence[str], columns: tuple[str, ...], where: str) -> dict[str, str]:
    if len(fields) != len(columns):
        raise UnreadableFile(
            "a row has another number of fields than the header",
            where=where,
            expected=str(len(columns)),
            found=str(len(fields)),
        )
    return {column: field.strip() for column, field in zip(columns, fields, strict=True)}
