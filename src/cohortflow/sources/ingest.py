"""Ingest: what a source holds becomes subjects and entries of a cohort."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRecord, EntryRef
from cohortflow.cohort.ingests import IngestedEntry, IngestedSubject
from cohortflow.cohort.source_map import SourceFile
from cohortflow.errors import (
    IdentifiesPerson,
    InputError,
    RegionCountMismatch,
    SelectionEmpty,
    UnreadableFile,
    UnsafeIdentifier,
)
from cohortflow.recorder import MemoryRecorder, Recorder
from cohortflow.sources.atlases import Atlas, atlas_named
from cohortflow.sources.cohort_files import known_paths, read_cohort_files
from cohortflow.sources.discover import Recording, Tables, clashing, discover, look, read_tables
from cohortflow.sources.files import file_digest
from cohortflow.sources.images.decoded import ReadOptions
from cohortflow.sources.images.names import FORMATS
from cohortflow.sources.images.parts import READER_VERSION as IMAGE_READER_VERSION
from cohortflow.sources.images.parts import read_parts
from cohortflow.sources.images.reader_process import ReaderPool
from cohortflow.sources.ingest_report import IngestReport, Outcome, make_report, notes
from cohortflow.sources.options import IngestOptions
from cohortflow.sources.read import read_recording, require_coordinates
from cohortflow.sources.refused import nameless
from cohortflow.sources.roi_series import SUFFIXES
from cohortflow.sources.series_entry import READER_VERSION
from cohortflow.sources.subject_id import fold, placeholder

__all__ = [
    "IngestOptions",
    "IngestReport",
    "Recording",
    "discover",
    "ingest",
    "read_recording",
    "remembered",
]

_NO_RECORDINGS = ("label_map", "table")


def ingest(
    cohort: Cohort,
    source: Path | str,
    options: IngestOptions | None = None,
    *,
    only: Collection[str] | None = None,
    recorder: Recorder | None = None,
    threads: int | None = None,
) -> IngestReport:
    """Read what is new or changed in ``source``, commit it, and write the list of subjects.

    A recording whose size and time, or else digest, are known is not read again. A subject that
    cannot be used is refused with its named error and every other goes through; one refused
    earlier is tried again. Columns of known subjects follow the participants table. Files that
    belong to no subject are looked at again wherever they were named. ``threads``: subjects at a
    time, by default as many as there are cores, at most four.

    Raises :class:`NoSuchSource`, :class:`SelectionEmpty` (no recording in it, or none of ``only``)
    and errors of the options, their tables and files, all before anything is written.
    """
    source, options = Path(source), (options or IngestOptions()).absolute()
    given, earlier = options.files, known_paths(cohort)
    options = options.model_copy(update={"files": {**earlier, **given}})
    recorder = recorder or MemoryRecorder()
    atlas = atlas_named(options.atlas, options.networks)
    tables = read_tables(source, options) if source.exists() else None
    discovery = look(source, options, tables)
    found = discovery.recordings
    withdrawn = cohort.source_map.withdrawn(recording.subject for recording in found)
    recordings = _wanted([r for r in found if r.subject not in withdrawn], only, source)
    if any(recording.format in ("bold", "fmriprep") for recording in recordings):
        require_coordinates(atlas)
    files = read_cohort_files(cohort, given, earlier)
    newest = cohort.ingested
    before = newest.subjects
    known_files = cohort.source_map.subjects
    with ReaderPool(threads or _threads()) as reader:
        work = _Work(cohort, options, atlas, dict(before), known_files, reader, source)
        taken = reader.each(work.take, _told_apart(recordings, before))
        for done, _ in enumerate(taken, start=1):
            recorder.progress(done, len(recordings))
    work.in_order(before)
    if atlas is None:
        refuse_minorities(work.subjects)
    _follow_table(work.subjects, work.files, tables)
    files.commit()
    number = newest.number
    if number == 0 or work.subjects != before or files.after != newest.files:
        told_options = _without_paths(options, atlas)
        number = cohort.ingests.append(work.subjects, told_options, files.after).number
    remembered_options = options.model_dump(mode="json", exclude={"files"})
    cohort.source_map.update(
        work.files, {"source": str(source.resolve()), **remembered_options}, files.sources
    )
    outcome = Outcome(before, work.subjects, frozenset(work.files))
    told = notes(recordings, tables)
    if discovery.left_out:
        told = (*told, _left_out(discovery.left_out))
    if crowded := sum(_pictures(recording) > 1 for recording in recordings):
        told = (*told, _crowded(crowded))
    if withdrawn:
        told = (*told, f"{len(withdrawn)} withdrawn subjects stay out; --readmit lets one in again")
    report = make_report(number, outcome, told)
    report = replace(report, files=files.changes, refused_files=files.refused)
    for subject, warnings in report.warnings.items():
        for warning in warnings:
            recorder.warning(warning["code"], f"{subject}: {warning['message']}")
    return report


def remembered(cohort: Cohort) -> tuple[Path, IngestOptions] | None:
    """Source and options of the last ingest on this machine, for the next one."""
    options = dict(cohort.source_map.options)
    if "source" not in options:
        return None
    return Path(options.pop("source")), IngestOptions(**options)


def _wanted(
    recordings: list[Recording], only: Collection[str] | None, source: Path
) -> list[Recording]:
    wanted = [r for r in recordings if only is None or r.subject in only]
    if not wanted:
        raise SelectionEmpty(
            "the source holds no recording" if only is None else "none of these subjects is here",
            where=source.name,
            expected="images (" + " ".join(FORMATS) + ") or series (" + " ".join(SUFFIXES) + ")",
        )
    return wanted


def _pictures(recording: Recording) -> int:
    return sum(part.format == "picture" and part.role == "image" for part in recording.parts)


def _crowded(count: int) -> str:
    return (
        f"{count} subjects hold several pictures, as their folder is taken for the subject; "
        "--subject-from name makes each picture a subject"
    )


def _left_out(count: int) -> str:
    return (
        f"{count} series or tables beside the images were left out; an atlas takes the series of "
        "images in time, --time one image of them"
    )


def _threads() -> int:
    # Each holds a volume or two in memory, and a process that reads.
    return min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)


def _told_apart(
    recordings: list[Recording], before: Mapping[str, IngestedSubject]
) -> list[Recording]:
    known = {fold(subject): subject for subject in before}
    return [
        r if known.get(fold(r.subject), r.subject) == r.subject else clashing(r) for r in recordings
    ]


@dataclass
class _Work:
    """The subjects of the cohort as this ingest leaves them, and the files they came from."""

    cohort: Cohort
    options: IngestOptions
    atlas: Atlas | None
    subjects: dict[str, IngestedSubject]
    known_files: Mapping[str, list[SourceFile]]
    reader: ReaderPool
    root: Path
    files: dict[str, list[SourceFile]] = field(default_factory=dict)
    nameless: dict[str, Path] = field(default_factory=dict)

    def in_order(self, before: Mapping[str, IngestedSubject]) -> None:
        """Subjects as they stood, newcomers by name: not in the order in which they were read."""
        new = sorted(self.subjects.keys() - before.keys())
        kept = [name for name in before if name in self.subjects]
        self.subjects = {name: self.subjects[name] for name in (*kept, *new)}

    def take(self, recording: Recording) -> None:
        """Make the subject of one recording, good or refused; of several threads each its own."""
        before = self.subjects.get(recording.subject)
        columns = recording.columns
        if columns is None:
            columns = before.columns if before and recording.error is None else {}
        subject = IngestedSubject(
            id=recording.subject,
            number=before.number if before else 0,
            patient=recording.patient,
            columns=dict(columns),
        )
        self.files[subject.id] = []
        try:
            self.files[subject.id] = _stat(recording)
            if recording.error is not None:
                raise recording.error
            if recording.parts:
                self._images(recording, subject, before)
            else:
                subject.source = self._source(recording, before)
                subject.entries[recording.name] = self._entry(recording, subject, before)
        except InputError as error:
            name = self._kept_name(recording, error, before)
            if name != subject.id:
                files = self.files.pop(subject.id)
                subject = IngestedSubject(id=name, number=0, patient=name)
                self._refuse_collision(name, recording)
                self.files[name] = files
            subject.error = error.to_json()
        if subject.error is None:
            # It may have stood under a made-up name, as long as its id was not chosen on purpose.
            self.subjects.pop(placeholder(PurePath(subject.id)), None)
        self.subjects[subject.id] = subject

    def _kept_name(
        self, recording: Recording, error: InputError, before: IngestedSubject | None
    ) -> str:
        if isinstance(error, IdentifiesPerson):
            return error.where
        known = before is not None and before.error is None
        if known or self.options.subject_from is not None:
            return recording.subject
        return nameless(recording, error, self.reader)

    def _refuse_collision(self, name: str, recording: Recording) -> None:
        """Raises UnsafeIdentifier: one would take the other's place. It ends the ingest."""
        if self.nameless.setdefault(name, recording.path) != recording.path:
            raise UnsafeIdentifier(
                "two files that are refused have one digest of their names",
                where=name,
                hint="Rename one of them.",
            )

    def _images(
        self, recording: Recording, subject: IngestedSubject, before: IngestedSubject | None
    ) -> None:
        """The entries of a subject's images; those of unchanged files and options stand."""
        options = self.options.reading
        recipe = reading_recipe(options)
        files = self.files[subject.id]
        if (
            before
            and before.error is None
            and before.source.get("reading") == recipe
            and files == self.known_files.get(subject.id)
            and all(self._stands(subject.id, entry) for entry in before.entries.values())
        ):
            subject.source, subject.entries = dict(before.source), dict(before.entries)
            return
        digests = [file_digest(part.voxel_files, subject.id) for part in recording.parts]
        whole = hashlib.sha256("\n".join(digests).encode()).hexdigest()
        size = sum(file.size for file in files)
        subject.source = {"digest": whole, "bytes": size, "reading": recipe}
        recordings = set()
        chosen = self.options.subject_from is not None
        root = self.root if self.root.is_dir() else self.root.parent
        for image in read_parts(
            recording.parts, digests, subject.id, options, self.reader, chosen_id=chosen, root=root
        ):
            ref = EntryRef(subject.id, image.name, image.key)
            record = self.cohort.entries.record(ref) or self.cohort.entries.commit(
                ref, image.kind, image.output, subjects=[subject.id], recipe=dict(image.recipe)
            )
            subject.entries[image.name] = _ingested(image.name, image.kind, image.key, record)
            if image.kind not in _NO_RECORDINGS:
                recordings.add(str(image.recipe["source"]))
        subject.source["recordings"] = sorted(recordings)

    def _stands(self, subject: str, entry: IngestedEntry) -> bool:
        # On an object store a look costs a request each: there the list of subjects is trusted.
        near = self.cohort.storage.local_path("") is not None
        return not near or self.cohort.entries.exists(EntryRef(subject, entry.stage, entry.key))

    def _source(self, recording: Recording, before: IngestedSubject | None) -> dict[str, Any]:
        files = self.files[recording.subject]
        if before and before.source and files == self.known_files.get(recording.subject):
            return dict(before.source)
        digest = file_digest(recording.files, recording.subject)
        return {"digest": digest, "bytes": sum(file.size for file in files)}

    def _entry(
        self, recording: Recording, subject: IngestedSubject, before: IngestedSubject | None
    ) -> IngestedEntry:
        key = entry_key(recording, subject.source["digest"], self.options, self.atlas)
        ref = EntryRef(subject.id, recording.name, key)
        entries = self.cohort.entries
        standing = before.entries.get(recording.name) if before and not before.error else None
        if standing and standing.key == key and self._stands(subject.id, standing):
            return standing
        record = entries.record(ref)
        if record is None:
            output = read_recording(recording, self.options, self.atlas, self.reader)
            output = replace(output, warnings=(*output.warnings, *self._unknown_time(recording)))
            recipe = {"reader": READER_VERSION, "source": subject.source["digest"]}
            record = entries.commit(
                ref, recording.kind, output, subjects=[subject.id], recipe=recipe
            )
        return _ingested(recording.name, recording.kind, key, record)

    def _unknown_time(self, recording: Recording) -> tuple[dict[str, str], ...]:
        if self.options.repetition_times is None or not math.isnan(recording.tr_s):
            return ()
        message = "the table of repetition times does not say this subject's"
        return ({"code": "repetition-time-unknown", "message": message},)


def _ingested(name: str, kind: str, key: str, record: EntryRecord) -> IngestedEntry:
    warnings = [dict(warning) for warning in record.warnings]
    return IngestedEntry(name, kind, name, key, dict(record.facts), warnings)


def reading_recipe(options: ReadOptions) -> str:
    """Digest of all that reading images depends on but for their bytes."""
    parts = {**asdict(options), "accept": sorted(options.accept), "reader": IMAGE_READER_VERSION}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _stat(recording: Recording) -> list[SourceFile]:
    files = []
    for path in recording.files:
        try:
            status = path.stat()
        except OSError as error:
            raise UnreadableFile(
                "the file cannot be opened", where=recording.subject, found=str(error.strerror)
            ) from error
        place = str(path.absolute())
        files.append(SourceFile(place, status.st_size, status.st_mtime, path.name))
    return files


def entry_key(
    recording: Recording, digest: str, options: IngestOptions, atlas: Atlas | None
) -> str:
    """SHA-256 of all that the arrays depend on: bytes, options that change them, reader, id."""
    parts = {
        "subject": recording.subject,
        "entry": recording.name,
        "kind": recording.kind,
        "format": recording.format,
        "source": digest,
        "transpose": options.transpose and recording.format == "roi_series",
        "atlas": atlas.digest if atlas else None,
        "tr_s": None if math.isnan(recording.tr_s) else recording.tr_s,
        "tr_unknown": options.repetition_times is not None and math.isnan(recording.tr_s),
        "reader": READER_VERSION,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def refuse_minorities(subjects: dict[str, IngestedSubject]) -> None:
    """Without an atlas, the region count of most subjects is expected; of two, the larger.

    The others are refused by name.
    """
    counts = {
        name: int(subject.entries["series"].facts["rois"])
        for name, subject in subjects.items()
        if "series" in subject.entries
    }
    if len(set(counts.values())) < 2:
        return
    times = Counter(counts.values())
    expected = max(times, key=lambda count: (times[count], count))
    for name, count in counts.items():
        if count != expected:
            error = RegionCountMismatch(
                "the series has another number of regions than the cohort",
                where=name,
                expected=f"{expected} regions, as {times[expected]} subjects have",
                found=f"{count} regions",
                hint="Extract it with the same atlas, or make a cohort of its own.",
            )
            subjects[name] = replace(subjects[name], entries={}, source={}, error=error.to_json())


def _follow_table(
    subjects: dict[str, IngestedSubject], taken: Collection[str], tables: Tables | None
) -> None:
    """Columns of subjects that are in the cohort and the table, though not in this source."""
    people = tables.participants if tables else None
    for name, subject in subjects.items():
        if people is None or name in taken:
            continue
        try:
            row = people.row(name, subject.patient)
        except InputError:
            continue  # no row, or a doubtful one: its recording is not here to be refused
        subjects[name] = replace(subject, columns=people.columns(row))


def _without_paths(options: IngestOptions, atlas: Atlas | None) -> dict[str, Any]:
    times = options.repetition_times
    return {
        "columns": dict(options.columns),
        "subject_from": options.subject_from,
        "atlas": {"name": atlas.name, "digest": atlas.digest} if atlas else None,
        "repetition_times": "table" if isinstance(times, str) else times,
        "transpose": options.transpose,
        "patient_column": options.patient_column,
        **_of_images(options),
    }


def _of_images(options: IngestOptions) -> dict[str, Any]:
    names = ("spacing_mm", "orientation", "time", "fill_not_finite", "series", "accept")
    return options.model_dump(mode="json", include=set(names), exclude_defaults=True)
