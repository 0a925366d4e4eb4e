"""fsck: everything in a store that is damaged, or that no record names. Changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cohortflow.cohort.documents import read_document
from cohortflow.cohort.entries import RECORD, EntryRecord
from cohortflow.cohort.indexes import slugs
from cohortflow.cohort.storage import TEMPORARY
from cohortflow.cohort.survey import EntryFolder, Survey, read_record, survey
from cohortflow.errors import EntryCorrupt, EntryMissing, StoreTooNew

if TYPE_CHECKING:
    from cohortflow.cohort.cohort import Cohort

_DOCUMENTS = ("indexes/", "selections/", "ingests/", "gc/")


@dataclass(frozen=True)
class Problem:
    """``code``: damaged-record · missing-file · damaged-file · orphan · leftover · stranger ·
    damaged-document · missing-entry. ``path`` is relative to the store."""

    path: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message} [{self.code}]"


def fsck(cohort: Cohort, deep: bool = False) -> list[Problem]:
    """Check records, files by size (``deep``: by sha256), documents, and what nothing names."""
    found = survey(cohort.storage)
    problems: list[Problem] = []
    for folder in found.folders.values():
        problems += _folder(cohort, folder, deep)
    problems += _others(cohort, found)
    problems += _missing_entries(cohort, found)
    return sorted(problems, key=lambda problem: (problem.path, problem.code))


def _folder(cohort: Cohort, folder: EntryFolder, deep: bool) -> Iterator[Problem]:
    record: EntryRecord | None = None
    if folder.has_record:
        try:
            record = read_record(cohort.storage, folder)
        except (EntryCorrupt, StoreTooNew) as error:
            yield Problem(f"{folder.path}/{RECORD}", "damaged-record", str(error))
    if record is not None:
        if record.ref.path != folder.path:
            message = f"the record of {record.ref.path}"
            yield Problem(f"{folder.path}/{RECORD}", "damaged-record", message)
        yield from _files(cohort, folder, record, deep)
    named = record.attempt if record is not None else None
    for attempt in folder.attempts():
        if attempt != named:
            path = f"{folder.path}/{attempt}"
            yield Problem(
                path, "orphan", f"no record names it, {folder.bytes(attempt + '/')} bytes"
            )
    for name in folder.leftovers():
        yield Problem(f"{folder.path}/{name}", "leftover", "a creation that was cut short")
    for name in folder.files:
        if name != RECORD and not name.startswith(("a-", "failures/", TEMPORARY)):
            yield Problem(f"{folder.path}/{name}", "stranger", "no record names it")


def _files(
    cohort: Cohort, folder: EntryFolder, record: EntryRecord, deep: bool
) -> Iterator[Problem]:
    prefix = f"{record.attempt}/"
    there = {
        name.removeprefix(prefix): size
        for name, size in folder.files.items()
        if record.attempt and name.startswith(prefix)
    }
    for name, about in record.files.items():
        path = f"{folder.path}/{prefix}{name}"
        if name not in there:
            yield Problem(path, "missing-file", f"expected {about['bytes']} bytes")
        elif there[name] != about["bytes"]:
            message = f"expected {about['bytes']} bytes, found {there[name]}"
            yield Problem(path, "damaged-file", message)
        elif deep:
            found = hashlib.sha256(cohort.storage.read(path)).hexdigest()
            if found != about["sha256"]:
                message = f"expected sha256 {about['sha256']}, found {found}"
                yield Problem(path, "damaged-file", message)
    for name in sorted(set(there) - set(record.files)):
        yield Problem(f"{folder.path}/{prefix}{name}", "stranger", "no record names it")


def _others(cohort: Cohort, found: Survey) -> Iterator[Problem]:
    for path in found.others:
        name = path.rsplit("/", 1)[-1]
        if name.startswith(TEMPORARY):
            yield Problem(path, "leftover", "a creation that was cut short")
        elif path.startswith(("subjects/", "cohort/")):
            yield Problem(path, "stranger", "no record names it")
        elif path.startswith(_DOCUMENTS):
            try:
                read_document(cohort.storage, path)
            except EntryCorrupt as error:
                yield Problem(path, "damaged-document", str(error))
            except EntryMissing:
                continue  # removed since the walk


def _missing_entries(cohort: Cohort, found: Survey) -> Iterator[Problem]:
    """What a newest index calls done, or the newest ingest names, and is not there."""
    there = {folder.path for folder in found.folders.values() if folder.has_record}
    promised: dict[str, str] = {}
    for slug in slugs(cohort.storage):
        try:
            promised |= _done(cohort, slug)
        except EntryCorrupt:
            continue  # named as a damaged document
    try:
        ingested = cohort.ingested
    except EntryCorrupt:
        return
    for subject in ingested.subjects.values():
        for entry in subject.entries.values():
            path = f"subjects/{subject.id}/{entry.stage}@{entry.key[:16]}"
            promised[path] = f"ingest {ingested.number}"
    promised |= {file.ref.path: f"ingest {ingested.number}" for file in ingested.files.values()}
    for path in sorted(set(promised) - there):
        yield Problem(path, "missing-entry", f"{promised[path]} names it; it will be made again")


def _done(cohort: Cohort, slug: str) -> dict[str, str]:
    index = cohort.indexes(slug).newest()
    paths: dict[str, str] = {}
    for part in index.parts() if index is not None else []:
        for key, subject, state in zip(part["key"], part["subject"], part["state"], strict=True):
            if state == "done":
                owner = "cohort" if subject is None else f"subjects/{subject}"
                paths[f"{owner}/{part['stage']}@{key[:16]}"] = (
                    f"{slug} {index.number if index else ''}"
                )
    return paths
