"""Ingests: the list of subjects, numbered once and for ever, with what each brought."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cohortflow.cohort.documents import encode_gzip, numbers, read_document
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.storage import TEMPORARY, Storage
from cohortflow.errors import AlreadyExists, EntryMissing, ParticipantDuplicate, UnsafeIdentifier

FOLDER = "ingests"
FILE_KINDS = ("table", "weights")
"""What a file that belongs to no subject can be."""


@dataclass
class IngestedEntry:
    """An entry that ingest committed: its name, kind, stage, key and facts."""

    name: str
    kind: str
    stage: str
    key: str
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[dict[str, str]] = field(default_factory=list)


@dataclass
class IngestedSubject:
    """A subject: ``error`` when it was refused; ``source`` holds digests and bytes, never paths."""

    id: str
    number: int = 0
    patient: str = ""
    columns: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, IngestedEntry] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    source: dict[str, Any] = field(default_factory=dict)


@dataclass
class IngestedFile:
    """A file that belongs to no subject. ``digest``, ``bytes``: of the file; never its path."""

    name: str
    kind: str
    key: str
    digest: str
    bytes: int

    @property
    def ref(self) -> EntryRef:
        return EntryRef(None, self.name, self.key)


@dataclass
class Ingested:
    """One ingest: the subjects of the cohort as of then, by id, in order of id.

    ``assigned`` maps every id that ever entered to its number, also when it is gone from the
    source; ``next_number`` survives forgetting. ``files``: those of no subject, by name.
    """

    number: int
    subjects: dict[str, IngestedSubject]
    options: dict[str, Any]
    assigned: dict[str, int] = field(default_factory=dict)
    next_number: int = 1
    files: dict[str, IngestedFile] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "subjects": [asdict(subject) for subject in self.subjects.values()],
            "options": self.options,
            "assigned": self.assigned,
            "next_number": self.next_number,
            "files": [asdict(file) for file in self.files.values()],
        }


class IngestBook:
    """The ingests of a cohort; the newest is the list of subjects."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def numbers(self) -> list[int]:
        return numbers(self.storage, FOLDER)

    def path(self, number: int) -> str:
        return f"{FOLDER}/{number:06d}.json.gz"

    def get(self, number: int) -> Ingested:
        document = read_document(self.storage, self.path(number))
        subjects = [_subject(row) for row in document.pop("subjects")]
        files = [IngestedFile(**row) for row in document.pop("files", ())]
        return Ingested(
            number=number,
            subjects={s.id: s for s in subjects},
            files={file.name: file for file in files},
            **document,
        )

    def newest(self) -> Ingested | None:
        """The newest ingest; None before the first."""
        for number in reversed(self.numbers()):
            try:
                return self.get(number)
            except EntryMissing:
                continue
        return None

    def append(
        self,
        subjects: Iterable[IngestedSubject] | Mapping[str, IngestedSubject],
        options: Mapping[str, Any],
        files: Mapping[str, IngestedFile] | None = None,
    ) -> Ingested:
        """Write the next ingest: the whole list of subjects. Known ids keep their numbers.

        ``files``: all that belong to no subject; None leaves those of the ingest before.

        Raises UnsafeIdentifier for ids that cannot be paths or differ in case only,
        ParticipantDuplicate for an id that comes twice.
        """
        rows = list(subjects.values() if isinstance(subjects, Mapping) else subjects)
        while True:
            before = self.newest()
            assigned = dict(before.assigned) if before else {}
            next_number = before.next_number if before else 1
            kept = before.files if before and files is None else files or {}
            check_identifiers(row.id for row in rows)
            # Folders of those who left may still be there.
            check_identifiers(dict.fromkeys([*assigned, *(row.id for row in rows)]))
            for row in sorted(rows, key=lambda row: row.id):
                if row.id not in assigned:
                    assigned[row.id] = next_number
                    next_number += 1
                row.number = assigned[row.id]
                row.patient = row.patient or row.id
            ingested = Ingested(
                number=(self.numbers() or [0])[-1] + 1,
                subjects={row.id: row for row in sorted(rows, key=lambda row: row.id)},
                options=dict(options),
                assigned=assigned,
                next_number=next_number,
                files={name: kept[name] for name in sorted(kept)},
            )
            try:
                self.create(ingested)
            except AlreadyExists:
                continue
            return ingested

    def create(self, ingested: Ingested) -> None:
        self.storage.create(self.path(ingested.number), encode_gzip(ingested.to_json()))

    def delete(self, number: int) -> None:
        self.storage.delete(self.path(number))


def check_identifiers(ids: Iterable[str]) -> None:
    """Refuse ids that are unsafe as folder names, clash, or come twice."""
    seen: dict[str, str] = {}
    for name in ids:
        if seen.get(name.casefold()) == name:
            raise ParticipantDuplicate(f"subject id {name!r} comes twice")
        problem = unsafe(name)
        if problem:
            raise UnsafeIdentifier(
                f"subject id {name!r} {problem}",
                hint="Choose another rule with --subject-from, or rename it at the source.",
            )
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise UnsafeIdentifier(
                f"subject ids {other!r} and {name!r} differ in case only",
                hint="Some file systems would give both one folder; rename one.",
            )


def unsafe(name: str) -> str:
    """Why a subject id cannot be a folder name; empty when it can."""
    if not name or name != name.strip() or name.startswith((".", TEMPORARY)):
        return "is empty, or starts with a dot or a blank, or ends with one"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in Unicode's composed form (NFC)"
    bad = sorted({c for c in name if c in '/\\@:*?"<>|' or unicodedata.category(c)[0] == "C"})
    if bad:
        return f"holds {' '.join(map(repr, bad))}"
    if len(name.encode()) > 200:
        return "is longer than 200 bytes"
    return ""


def _subject(row: dict[str, Any]) -> IngestedSubject:
    entries = {name: IngestedEntry(**entry) for name, entry in row.pop("entries").items()}
    return IngestedSubject(entries=entries, **row)
