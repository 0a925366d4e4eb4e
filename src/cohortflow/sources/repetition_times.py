"""Repetition times: one number for all, or a table by site or subject."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cohortflow.errors import BadParameter, UnknownName, UsageError
from cohortflow.sources.participants import Participants
from cohortflow.sources.tables import read_table

_VALUE = ("tr_s", "RepetitionTime", "repetition_time_s", "tr")
SHORTEST_S, LONGEST_S = 0.05, 30.0


@dataclass(frozen=True)
class RepetitionTimes:
    """``everywhere``: the same for all; else ``by_value`` of the participants column ``column``."""

    everywhere: float = math.nan
    column: str = ""
    by_value: Mapping[str, float] = field(default_factory=dict)

    def of(self, subject: str, row: int | None, participants: Participants | None) -> float:
        """Seconds for a subject, NaN where none is known."""
        if not self.column:
            return self.everywhere
        if participants is None or row is None:
            return self.by_value.get(subject, math.nan)
        return self.by_value.get(participants.text(row, self.column), math.nan)


def repetition_times(
    spec: float | str | Path | None, participants: Participants | None
) -> RepetitionTimes:
    """Read the option: seconds, or a table such as ``SITE_ID,tr_s``.

    The table is keyed by a column that the participants table has too, under that name or the kept
    one. Raises :class:`BadParameter` (implausible, such as milliseconds) and :class:`UnknownName`.
    """
    if spec is None:
        return RepetitionTimes()
    number = _as_number(spec)
    if number is not None:
        return RepetitionTimes(everywhere=check_seconds(number, "repetition_times"))
    table = read_table(Path(spec))  # type: ignore[arg-type]
    value = table.find(*_VALUE)
    if value is None:
        raise UnknownName(
            "no column of repetition times", where=table.name, expected=" or ".join(_VALUE)
        )
    key = _key_column(table.columns, value, participants, table.name)
    by_value: dict[str, float] = {}
    for row, line in zip(table.rows, table.lines, strict=True):
        where = f"{table.name} line {line}"
        seconds = _as_number(row[value])
        if seconds is None:
            raise BadParameter("no number of seconds", where=where, found=repr(row[value]))
        if by_value.setdefault(row[key], check_seconds(seconds, where)) != seconds:
            raise BadParameter("two repetition times for one value", where=where)
    return RepetitionTimes(column=key, by_value=by_value)


def _key_column(
    columns: tuple[str, ...], value: str, participants: Participants | None, where: str
) -> str:
    keys = [column for column in columns if column != value]
    if participants is None:
        if len(keys) == 1:
            return keys[0]
        raise UsageError(
            "repetition times by a participants column need a participants table", where=where
        )
    known = {*participants.table.columns, *participants.chosen}
    shared = next((column for column in keys if column in known), None)
    if shared is None:
        raise UnknownName(
            "the table of repetition times shares no column with the participants",
            where=where,
            expected=" or ".join(sorted(known)),
            found=", ".join(keys),
        )
    return shared


def _as_number(spec: object) -> float | None:
    try:
        return float(spec)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def check_seconds(seconds: float, where: str) -> float:
    """A plausible repetition time; :class:`BadParameter` otherwise."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise BadParameter(
            "implausible repetition time",
            where=where,
            expected=f"{SHORTEST_S} to {LONGEST_S:g} seconds",
            found=f"{seconds:g}",
            hint="It is in seconds, not milliseconds.",
        )
    return seconds
