"""Marks: digests that tell whether two cohorts hold the same, and nobody anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRecord, EntryRef
from cohortflow.cohort.ingests import IngestedEntry, IngestedFile, IngestedSubject
from cohortflow.errors import EntryMissing
from cohortflow.pipeline.ingested import fitting_entries
from cohortflow.pipeline.keys import digest, digest_lines
from cohortflow.pipeline.model import Pipeline

MARK_DIGITS = 32
_AT_A_TIME = 8


def entries_read(
    pipeline: Pipeline, subjects: Iterable[IngestedSubject]
) -> dict[str, list[IngestedEntry]]:
    """Subject → the ingested entries that an input of the pipeline fits, each once."""
    found: dict[str, list[IngestedEntry]] = {}
    for subject in subjects:
        entries = {
            entry.name: entry
            for declaration in pipeline.inputs.values()
            for entry in fitting_entries(declaration, subject)
        }
        found[subject.id] = [entries[name] for name in sorted(entries)]
    return found


def records_of(cohort: Cohort, refs: Iterable[EntryRef]) -> dict[EntryRef, EntryRecord | None]:
    """Records by entry, several at a time: a store may be far away. None: it is not there."""
    wanted = list(dict.fromkeys(refs))
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return dict(zip(wanted, pool.map(cohort.entries.record, wanted), strict=True))


def content_of(record: EntryRecord) -> dict[str, Any]:
    """What an entry holds, by the digests of its files; who committed it and when is no part."""
    files = {name: about["sha256"] for name, about in record.files.items()}
    return {"kind": record.kind, "files": files, "facts": dict(record.facts)}


def subject_marks(
    subject: IngestedSubject,
    entries: Iterable[IngestedEntry],
    records: Mapping[EntryRef, EntryRecord | None],
) -> tuple[str, str]:
    """Marks of a subject's recordings and of its row; :class:`EntryMissing` where one is gone."""
    brought = []
    for entry in entries:
        record = records[EntryRef(subject.id, entry.stage, entry.key)]
        if record is None:
            raise EntryMissing("an ingested entry is gone", where=f"{subject.id}, {entry.name}")
        brought.append([entry.name, entry.kind, entry.stage, entry.key, content_of(record)])
    facts = {name: entry.facts for name, entry in sorted(subject.entries.items())}
    # Of a high entropy, and in no report: it keeps a row of few possible values from being guessed.
    unknown = digest({"brought": brought, "source": subject.source})
    recordings = digest({"recordings": unknown, "facts": facts})
    row = [subject.number, subject.patient, subject.columns, (subject.error or {}).get("code")]
    return recordings[:MARK_DIGITS], digest({"unknown": unknown, "row": row})[:MARK_DIGITS]


def file_mark(file: IngestedFile, record: EntryRecord | None) -> str:
    """Mark of a file of no subject; :class:`EntryMissing` where it is gone."""
    if record is None:
        raise EntryMissing("a file that was taken in is gone", where=file.name)
    return digest([file.name, file.kind, file.key, content_of(record)])[:MARK_DIGITS]


def keys_mark(keys: Iterable[str]) -> str:
    """Mark of a set of keys."""
    return digest_lines(sorted(set(keys)))[:MARK_DIGITS]
