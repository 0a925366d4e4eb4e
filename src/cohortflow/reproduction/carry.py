"""Carry what a report was computed from into an empty cohort; every byte is checked on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.documents import digest, encode
from cohortflow.cohort.entries import RECORD, EntryRecord, EntryRef
from cohortflow.cohort.ingests import Ingested, IngestedEntry
from cohortflow.cohort.selections import Selection
from cohortflow.errors import (
    EntryMissing,
    ReportDataChanged,
    ReportDataMissing,
    StoreError,
)
from cohortflow.pipeline.model import Pipeline
from cohortflow.reproduction.manifest import Manifest
from cohortflow.reproduction.marks import entries_read, file_mark, records_of, subject_marks

NAMED = 12
_NOT_AS_BEFORE = (
    "Nothing was computed. cohortflow fsck --deep says what is damaged; what changed on purpose "
    "makes another report, which a run writes."
)

Records = dict[EntryRef, EntryRecord | None]


def carry(manifest: Manifest, pipeline: Pipeline, original: Cohort, scratch: Cohort) -> int:
    """Ingested entries, participants, files and frozen selections; how many entries were carried.

    ``original`` is only read. Raises :class:`ReportDataMissing` and :class:`ReportDataChanged`,
    which name the subjects, before ``scratch`` holds anything a run could start from.
    """
    ingested = _the_ingest(manifest, original)
    rows = {mark.id: ingested.subjects[mark.id] for mark in manifest.subjects}
    read = entries_read(pipeline, rows.values())
    refs = [EntryRef(s, e.stage, e.key) for s, entries in read.items() for e in entries]
    records = records_of(original, refs)
    _check_subjects(manifest, ingested, read, records)
    files = _check_files(manifest, original, ingested)
    selections = _check_selections(manifest, original)
    wanted = [record for record in [*records.values(), *files] if record is not None]
    damaged = [_owner(record) for record in wanted if not _copied(record, original, scratch)]
    if damaged:
        raise ReportDataChanged(
            f"{len(damaged)} recordings or files are not as they were taken in",
            found=_some(damaged),
            hint=_NOT_AS_BEFORE,
        )
    for selection in selections:
        scratch.selections.create(selection)
    names = {mark.name for mark in manifest.files}
    kept = {name: file for name, file in ingested.files.items() if name in names}
    scratch.ingests.create(replace(ingested, subjects=rows, files=kept))
    return len(wanted)


def _the_ingest(manifest: Manifest, original: Cohort) -> Ingested:
    """The ingest the run was planned with; the newest one where that is not kept any more."""
    try:
        ingested = original.ingests.get(manifest.ingest)
    except EntryMissing:
        ingested = original.ingested
    missing = [mark.id for mark in manifest.subjects if mark.id not in ingested.subjects]
    missing += [mark.name for mark in manifest.files if mark.name not in ingested.files]
    if missing:
        raise ReportDataMissing(
            f"{len(missing)} subjects or files of the report are not in this cohort",
            expected=f"{len(manifest.subjects)} subjects",
            found=f"without {_some(missing)}",
            hint="Is it the cohort of the report? What was withdrawn from it cannot come back.",
        )
    return ingested


def _check_subjects(
    manifest: Manifest,
    ingested: Ingested,
    read: dict[str, list[IngestedEntry]],
    records: Records,
) -> None:
    gone, recordings, rows = [], [], []
    for mark in manifest.subjects:
        subject = ingested.subjects[mark.id]
        try:
            found = subject_marks(subject, read[mark.id], records)
        except EntryMissing:
            gone.append(mark.id)
            continue
        if found[0] != mark.recordings:
            recordings.append(mark.id)
        elif found[1] != mark.columns:
            rows.append(mark.id)
    if gone:
        raise ReportDataMissing(
            f"the recordings of {len(gone)} subjects are gone",
            found=_some(gone),
            hint="Ingest them again: a recording that did not change gets the entry it had.",
        )
    if recordings or rows:
        told = {"recordings of": recordings, "participants columns of": rows}
        raise ReportDataChanged(
            f"{len(recordings) + len(rows)} subjects are not as the report read them",
            found="; ".join(f"{what} {_some(names)}" for what, names in told.items() if names),
            hint=_NOT_AS_BEFORE,
        )


def _check_files(manifest: Manifest, original: Cohort, ingested: Ingested) -> list[EntryRecord]:
    records = []
    for mark in manifest.files:
        file = ingested.files[mark.name]
        record = original.entries.record(file.ref)
        if record is None:
            raise ReportDataMissing("a file that was taken in is gone", where=mark.name)
        if file_mark(file, record) != mark.content or file.digest != mark.digest:
            raise ReportDataChanged(
                "a file is not the one the report was computed with",
                where=mark.name,
                expected=f"sha256 {mark.digest[:12]}…",
                found=f"{file.digest[:12]}…",
                hint=_NOT_AS_BEFORE,
            )
        records.append(record)
    return records


def _check_selections(manifest: Manifest, original: Cohort) -> list[Selection]:
    """The frozen selections by question and number, whole and as they were frozen.

    Another cohort has frozen its own: there they are made anew, and must come out with the digests
    that the report names.
    """
    if original.id != manifest.cohort:
        return []
    found = {}
    for selection in original.selections.all() if manifest.selections else ():
        found[selection.question, selection.number] = selection
    kept = []
    for mark in manifest.selections:
        chosen = found.get((mark.question, mark.number))
        where = f"{mark.step}, selection {mark.number} of {mark.question[:12]}…"
        if chosen is None:
            raise ReportDataMissing("what a step trained on is not known any more", where=where)
        if chosen.withdrawn:
            raise ReportDataMissing(
                f"{chosen.withdrawn} subjects that a step trained on were withdrawn",
                where=where,
                hint="Weights that learned from them cannot be computed again.",
            )
        if digest(chosen.subjects) != mark.digest or chosen.digest != mark.digest:
            raise ReportDataChanged(
                "a frozen selection is not as it was frozen", where=where, hint=_NOT_AS_BEFORE
            )
        kept.append(chosen)
    return kept


def refuse_other_recordings(selections: Iterable[Selection], planned: set[str]) -> None:
    """Raise where a selection names results of recordings that have changed since it was frozen."""
    for selection in selections:
        if selection.keys() - planned:
            stale = [line["subject"] for line in selection.subjects if not _known(line, planned)]
            raise ReportDataMissing(
                f"weights were trained on earlier recordings or settings of {len(stale)} subjects",
                where=str(selection.described.get("step", "")),
                found=_some(stale),
                hint="A run with --refresh of that step trains on what there is today.",
            )


def _known(line: Mapping[str, Any], planned: set[str]) -> bool:
    return all(key in planned for entries in line["inputs"].values() for *_, key in entries)


def _copied(record: EntryRecord, original: Cohort, scratch: Cohort) -> bool:
    """Copy an entry; False where a file of it is not the one that its record names."""
    if any(part in ("", ".", "..") for name in record.files for part in name.split("/")):
        return False
    try:
        files = {name: original.entries.read_checked(record, name) for name in record.files}
    except StoreError:
        return False
    if files:
        scratch.storage.write_tree(f"{record.ref.path}/{record.attempt}", files)
    scratch.storage.create(f"{record.ref.path}/{RECORD}", encode(record.to_json()))
    return True


def _owner(record: EntryRecord) -> str:
    return record.ref.subject or record.ref.stage


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
