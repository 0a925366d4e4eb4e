"""Phenotype tables: which row is whose, which columns are kept, and what their codes mean."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cohortflow.errors import (
    BadParameter,
    GroupTooSmall,
    ParticipantDuplicate,
    ParticipantMissing,
    UnknownName,
    nearest,
)
from cohortflow.sources.tables import Table, read_table, typed_column

Scalar = str | int | float | bool | None

ID_COLUMNS = ("FILE_ID", "participant_id", "SUB_ID", "subject", "subject_id", "id")
_MISSING = {"", "n/a", "na", "nan", "null", "none"}
_ABIDE_MISSING = {"-9999", "-9999.0"}
_ABIDE = {"group": "DX_GROUP", "site": "SITE_ID", "age": "AGE_AT_SCAN", "sex": "SEX"}
_ABIDE_CODES = {
    "DX_GROUP": {"1": "autism", "2": "control"},
    "SEX": {"1": "male", "2": "female"},
}
_PERSONAL = re.compile(
    r"(patient|first|last|sur|given|family|full)?_?names?|.*birth.*|dob|mrn|ssn|.*address.*"
    r"|.*phone.*|e_?mail|patient_?id|.*insurance.*",
    re.IGNORECASE,
)
RESERVED = ("id", "patient")
"""Names of a mapping that choose the id and the patient and are no columns of their own."""


@dataclass(frozen=True)
class Participants:
    """A phenotype table with the columns that a cohort keeps.

    ``chosen``: kept name → column of the table. ``dropped``: columns left out because their name
    says that they identify people.
    """

    table: Table
    id_column: str
    patient_column: str | None
    chosen: Mapping[str, str]
    abide: bool = False
    dropped: tuple[str, ...] = ()

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        session = self.table.find("session_id")
        for i, row in enumerate(self.table.rows):
            key = unicodedata.normalize("NFC", row[self.id_column])
            if session and row[session].startswith("ses-"):
                key = f"{key}_{row[session]}"
            rows.setdefault(key, []).append(i)
        return rows

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self._rows)

    def row(self, subject: str, patient: str = "") -> int:
        """Row of a subject, else that of its patient (with or without ``sub-``).

        Raises :class:`ParticipantMissing` or :class:`ParticipantDuplicate`.
        """
        for name in dict.fromkeys((subject, patient, patient.removeprefix("sub-"))):
            rows = self._rows.get(name, []) if name else []
            if len(rows) > 1:
                raise ParticipantDuplicate(
                    "the participants table has the subject more than once",
                    where=subject,
                    expected="one row",
                    found="lines " + ", ".join(str(self.table.lines[i]) for i in rows),
                    hint="Remove the row that is wrong and ingest again.",
                )
            if rows:
                return rows[0]
        raise ParticipantMissing(
            "the participants table lacks the subject",
            where=subject,
            expected=f"a row with this id in the column {self.id_column!r}",
            hint="Add the row, or choose another id rule with subject_from.",
        )

    def columns(self, row: int) -> dict[str, Scalar]:
        """Values that the cohort keeps of a row: codes spelled out, what is missing as None."""
        return {name: self._typed[name][row] for name in self.chosen}

    def patient(self, row: int) -> str | None:
        """The patient that the table names, where a column was chosen for it."""
        if self.patient_column is None:
            return None
        return self.table.rows[row][self.patient_column] or None

    def text(self, row: int, column: str) -> str:
        """A field as it stands in the file, by the table's column name or by the kept one."""
        return self.table.rows[row][self.chosen.get(column, column)]

    @cached_property
    def _typed(self) -> dict[str, list[Scalar]]:
        return {name: self._column(source) for name, source in self.chosen.items()}

    def _column(self, source: str) -> list[Scalar]:
        missing = _MISSING | _ABIDE_MISSING if self.abide else _MISSING
        fields = [row[source] for row in self.table.rows]
        kept = [None if field.lower() in missing else field for field in fields]
        codes = _ABIDE_CODES.get(source, {}) if self.abide and self.chosen == _ABIDE else {}
        if codes:
            return [None if field is None else codes.get(field, field) for field in kept]
        return list(typed_column(kept))


def read_participants(
    path: Path | str,
    columns: Mapping[str, str] | None = None,
    patient_column: str | None = None,
) -> Participants:
    """Read a phenotype table.

    ``columns`` maps kept names to the table's columns (``{"group": "DX_GROUP"}``); its entries
    ``id`` and ``patient`` choose what a row is found by and whose it is. Without it, ABIDE's table
    is known by its columns (diagnosis and sex spelled out, -9999 is missing); of any other all
    columns are kept whose name does not say that they identify people.

    Raises :class:`UnknownName` with the nearest column.
    """
    table = read_table(path)
    mapping = dict(columns or {})
    for name in {"number", "subject"} & set(mapping):
        raise BadParameter(f"a kept column cannot be called {name!r}", where="columns")
    id_column = table.require(mapping.pop("id")) if "id" in mapping else _id_column(table)
    patient = mapping.pop("patient", None) or patient_column
    patient = table.require(patient) if patient else None
    abide = all(column in table.columns for column in _ABIDE.values())
    dropped: tuple[str, ...] = ()
    if mapping:
        chosen = {name: table.require(column) for name, column in mapping.items()}
    elif abide:
        chosen = dict(_ABIDE)
    else:
        rest = [c for c in table.columns if c not in (id_column, patient)]
        dropped = tuple(c for c in rest if _PERSONAL.fullmatch(c))
        chosen = {c: c for c in rest if c not in dropped}
    return Participants(table, id_column, patient, chosen, abide, dropped)


def _id_column(table: Table) -> str:
    found = table.find(*ID_COLUMNS)
    if found is None:
        raise UnknownName(
            "no column holds the subjects' ids",
            where=table.name,
            expected=f"one of {', '.join(ID_COLUMNS)}, or a mapping id=COLUMN",
            hint=nearest("participant_id", table.columns),
        )
    return found


def check_groups(participants: Any, column: str, minimum: int = 2) -> dict[Scalar, int]:
    """Size of every group, where all have at least ``minimum`` members.

    ``participants``: a DataFrame indexed by subject, or subject → columns. A subject without a
    value belongs to no group. Raises :class:`GroupTooSmall` and :class:`UnknownName`.
    """
    if hasattr(participants, "to_dict"):
        participants = participants.to_dict("index")
    rows: Mapping[str, Mapping[str, Scalar]] = participants
    known = {name for row in rows.values() for name in row}
    if rows and column not in known:
        raise UnknownName(
            f"no column {column!r}", where="participants", hint=nearest(column, known)
        )
    values = [row.get(column) for row in rows.values()]
    sizes: Counter[Scalar] = Counter(v for v in values if v is not None and v == v)
    for group, size in sorted(sizes.items(), key=lambda item: str(item[0])):
        if size < minimum:
            raise GroupTooSmall(
                f"the group {group!r} is too small to be compared",
                where=f"participants column {column!r}",
                expected=f"at least {minimum} members",
                found=str(size),
                hint="Ingest more subjects of it, or leave it out with where.",
            )
    return dict(sizes)
