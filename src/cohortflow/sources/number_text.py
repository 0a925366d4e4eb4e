"""Delimited text of numbers: parsed quickly, and line by line only to name what is wrong."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass

import numpy as np

from cohortflow.errors import (
    EmptyInput,
    MissingValues,
    NotANumber,
    TooLarge,
    TruncatedFile,
    UnreadableFile,
)
from cohortflow.sources.tables import MAX_COLUMNS

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
_ABSENT = {"", "na", "n/a", "nan", "+nan", "-nan", "null", "none"}
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
MAX_NAME = 80


@dataclass(frozen=True)
class NumberText:
    """``values`` (row, column) float64; ``names`` of the columns where a header gives them."""

    values: np.ndarray
    names: tuple[str, ...] | None
    lines: tuple[int, ...]


@dataclass(frozen=True)
class _Row:
    line: int
    fields: list[str]


def parse_numbers(text: str, delimiter: str | None, where: str) -> NumberText:
    """Rows of numbers under an optional header (``# …`` or a first line without any number).

    ``delimiter`` None splits at white space. Infinities and ``nan`` are returned as they are: the
    caller knows what a row and a column mean. Raises :class:`EmptyInput`, :class:`NotANumber`
    (line and column), :class:`UnreadableFile` (ragged), :class:`TruncatedFile` (a ragged last line
    without its end).
    """
    rows, comments = _split(text, delimiter, where)
    names: list[str] | None = None
    if rows and _is_header(rows[0], text):
        names, rows = rows[0].fields, rows[1:]
    if not rows:
        raise EmptyInput("the file holds no numbers", where=where, expected="rows of numbers")
    width = len(rows[0].fields)
    if names is None and comments and len(comments[-1]) == width:
        names = comments[-1]
    _check_widths(rows, len(names) if names and len(names) != width else width, text, where)
    flat = [field for row in rows for field in row.fields]
    try:
        values = np.array([float(field) for field in flat], dtype=np.float64)
        if "_" in text and any("_" in field for field in flat):
            raise ValueError("digits grouped by underscores")
    except ValueError:
        values = _parse_slowly(rows, where)
    return NumberText(
        values.reshape(len(rows), width),
        None if names is None else _clean_names(names),
        tuple(row.line for row in rows),
    )


def _split(text: str, delimiter: str | None, where: str) -> tuple[list[_Row], list[list[str]]]:
    rows: list[_Row] = []
    comments: list[list[str]] = []
    quoted = '"' in text
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped:
            continue
        if stripped.startswith("#"):
            if not rows:
                bare = stripped.lstrip("#").strip()
                comments.append(_fields(bare, "\t" if "\t" in bare else delimiter, '"' in bare))
            continue
        rows.append(_Row(number, _fields(line if delimiter else stripped, delimiter, quoted)))
        refuse_wide(len(rows[-1].fields), where)
    return rows, comments


def refuse_wide(columns: int, where: str) -> None:
    """Raises :class:`TooLarge` for more columns than any series of regions has."""
    if columns > MAX_COLUMNS:
        raise TooLarge(
            "the file has more columns than are read",
            where=where,
            expected=f"at most {MAX_COLUMNS:,}",
            found=f"{columns:,}",
            hint="A file of (region, time)? Then ingest it with the option transpose.",
        )


def _fields(line: str, delimiter: str | None, quoted: bool) -> list[str]:
    if delimiter is None:
        return line.split()
    if quoted:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter, skipinitialspace=True))
    return line.split(delimiter)


def _is_header(row: _Row, text: str) -> bool:
    first = text.splitlines()[row.line - 1].strip()
    if first.startswith('"'):
        return True
    return not any(_is_value(field) for field in row.fields)


def _is_value(field: str) -> bool:
    bare = field.strip()
    return (
        _NUMBER.fullmatch(bare) is not None
        or bare.lower() in _ABSENT
        or _INFINITE.fullmatch(bare) is not None
    )


def _check_widths(rows: list[_Row], width: int, text: str, where: str) -> None:
    for position, row in enumerate(rows):
        if len(row.fields) == width:
            continue
        cut = position == len(rows) - 1 and position > 0 and not text.endswith(("\n", "\r"))
        fault = TruncatedFile if cut and len(row.fields) < width else UnreadableFile
        # A line of words among numbers is told as what it is, not as a line of another length.
        if not any(_NUMBER.fullmatch(field.strip()) for field in row.fields):
            raise _not_a_number(row.line, 1, where)
        raise fault(
            f"line {row.line} has another number of fields",
            where=where,
            expected=f"{width} fields",
            found=str(len(row.fields)),
            hint="Copy or download it again." if fault is TruncatedFile else "Mend that line.",
        )


def _parse_slowly(rows: list[_Row], where: str) -> np.ndarray:
    values: list[float] = []
    for row in rows:
        for column, field in enumerate(row.fields, start=1):
            bare = field.strip()
            if bare.lower() in _ABSENT:
                values.append(math.nan)
            elif _INFINITE.fullmatch(bare):
                values.append(math.inf)
            elif _NUMBER.fullmatch(bare):
                values.append(float(bare.lower().replace("d", "e")))
            else:
                raise _not_a_number(row.line, column, where)
    return np.array(values, dtype=np.float64)


def _not_a_number(line: int, column: int, where: str) -> NotANumber:
    # The text itself stays out of the message: it is kept in the store, and may be a name.
    return NotANumber(
        f"text where a number should be, at line {line}, column {column}",
        where=where,
        expected="a number",
        found="text",
        hint="Mend or remove that line.",
    )


def _clean_names(names: list[str]) -> tuple[str, ...]:
    cleaned = ("".join(filter(str.isprintable, name)).strip().lstrip("#").strip() for name in names)
    return tuple(name[:MAX_NAME] or str(i) for i, name in enumerate(cleaned, start=1))


def refuse_missing(
    values: np.ndarray, lines: tuple[int, ...] | None, names: tuple[str, ...], where: str
) -> None:
    """Raise :class:`MissingValues` for the first value of (time, roi) that is NaN or infinite."""
    if np.isfinite(values).all():
        return
    at = np.argwhere(~np.isfinite(values))
    time, region = int(at[0, 0]), int(at[0, 1])
    kind = "NaN" if np.isnan(values[time, region]) else "infinity"
    line = f" (line {lines[time]})" if lines else ""
    more = f", and {len(at) - 1} more" if len(at) > 1 else ""
    raise MissingValues(
        f"{kind} in region {names[region]!r} at time point {time}{line}{more}",
        where=where,
        expected="finite numbers",
        found=f"{len(at)} of {values.size} missing or infinite",
        hint="Interpolate or censor these time points before ingest, or leave the subject out.",
    )
