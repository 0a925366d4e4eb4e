"""The tables of a BIDS data set: participants, their sessions, labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cohortflow.cohort.ingests import Ingested, IngestedSubject
from cohortflow.exports.bids_names import BidsName

_ABSENT = "n/a"
_STUDY_ID = "study_id"


def participants(ingested: Ingested, names: Mapping[str, BidsName]) -> dict[str, bytes]:
    """``participants.tsv`` with the cohort's columns, and ``sub-…_sessions.tsv`` where there are.

    ``study_id`` says whose row it is in the cohort. Where the sessions of a participant differ in a
    column, its value stands with the sessions.
    """
    people: dict[str, list[IngestedSubject]] = {}
    for study_id, name in names.items():
        people.setdefault(name.subject, []).append(
            ingested.subjects.get(study_id) or IngestedSubject(study_id)
        )
    columns = sorted({c for found in people.values() for one in found for c in one.columns})
    headings = {column: _heading(column) for column in columns}
    head = ["participant_id", _STUDY_ID, *headings.values()]
    rows = [
        [f"sub-{label}", _one([s.id for s in found]), *(_one(_values(found, c)) for c in columns)]
        for label, found in sorted(people.items())
    ]
    files = {"participants.tsv": tsv(head, rows), "participants.json": _about(headings)}
    for label, found in people.items():
        sessions = [(names[one.id].session, one) for one in found if names[one.id].session]
        if sessions:
            files |= _sessions(label, sorted(sessions, key=lambda pair: pair[0]), headings)
    return files


def _sessions(
    label: str, sessions: Sequence[tuple[str, IngestedSubject]], headings: Mapping[str, str]
) -> dict[str, bytes]:
    head = ["session_id", _STUDY_ID, *headings.values()]
    rows = [
        [f"ses-{session}", one.id, *(one.columns.get(column) for column in headings)]
        for session, one in sessions
    ]
    stem = f"sub-{label}/sub-{label}_sessions"
    return {f"{stem}.tsv": tsv(head, rows), f"{stem}.json": _about(headings)}


def _about(headings: Mapping[str, str]) -> bytes:
    document: dict[str, Any] = {
        "Description": "Columns of the cohort that was exported",
        _STUDY_ID: {"Description": "Id of the subject in the cohort"},
    }
    for column, heading in headings.items():
        document[heading] = {"Description": f"Column {column!r} of the cohort"}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _heading(column: str) -> str:
    """A column's name as BIDS wants it: in snake case, and not one that has a meaning there."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", column).strip("_") or "column"
    return f"cohort_{name}" if name in ("participant_id", "session_id", _STUDY_ID) else name


def _values(found: Iterable[IngestedSubject], column: str) -> list[Any]:
    return [one.columns.get(column) for one in found]


def _one(values: Sequence[Any]) -> Any:
    """The value on which all agree; None where they differ."""
    return values[0] if all(value == values[0] for value in values) else None


def tsv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Tab-separated UTF-8; ``n/a`` where there is no value."""
    lines = ["\t".join(head), *("\t".join(map(_cell, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return _ABSENT
    return " ".join(str(value).split()) or _ABSENT
