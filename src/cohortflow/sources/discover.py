"""What recordings a source holds, and whose they are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Literal

from cohortflow.errors import (
    InputError,
    MissingInput,
    NoSuchSource,
    UnreadableFile,
    UnsafeIdentifier,
)
from cohortflow.sources import fmriprep
from cohortflow.sources.options import IngestOptions
from cohortflow.sources.participants import Participants, Scalar, read_participants
from cohortflow.sources.repetition_times import RepetitionTimes, repetition_times
from cohortflow.sources.roi_series import SUFFIXES
from cohortflow.sources.subject_id import bids_label, check_rule, fold, identify, placeholder

Format = Literal["roi_series", "bold", "fmriprep"]
_NIFTI = (".nii", ".nii.gz")
_NO_SERIES = {
    *("events", "scans", "sessions", "channels", "electrodes", "coordsystem", "physio", "stim"),
    *("blood", "aslcontext", "motion", "regressors", "outliers", "confounds", "mixing"),
}


@dataclass(frozen=True)
class Recording:
    """One recording of a source. ``error``: why it cannot be taken, known before it is read.

    ``files``: the recording itself first, then what lies beside it; private, as they may name
    people. ``tr_s``: seconds by the options, NaN where they do not say.
    """

    subject: str
    patient: str
    files: tuple[Path, ...]
    format: Format = "roi_series"
    columns: Mapping[str, Scalar] | None = None
    tr_s: float = math.nan
    from_table: bool = False
    name: str = "series"
    kind: str = "roi_series"
    error: InputError | None = field(default=None, compare=False)

    @property
    def path(self) -> Path:
        return self.files[0]


@dataclass(frozen=True)
class Tables:
    """The tables that a source is read with."""

    participants: Participants | None
    times: RepetitionTimes
    in_source: bool = False


def read_tables(source: Path, options: IngestOptions) -> Tables:
    """Read participants and repetition times; ``participants.tsv`` of the source is known."""
    path, in_source = options.participants, False
    if path is None and (source / "participants.tsv").is_file():
        path, in_source = source / "participants.tsv", True
    participants = path and read_participants(path, options.columns, options.patient_column)
    times = repetition_times(options.repetition_times, participants or None)
    return Tables(participants or None, times, in_source)


def discover(
    source: Path | str, options: IngestOptions | None = None, tables: Tables | None = None
) -> list[Recording]:
    """The recordings of a BIDS derivatives tree, a folder of files or of folders, or one file.

    Sorted by subject. A subject with two recordings, or without its row in the participants table,
    is there with its ``error``. Raises :class:`NoSuchSource`.
    """
    source, options = Path(source), options or IngestOptions()
    if not source.exists():
        raise NoSuchSource(
            "no such source", where=source.name, hint="Is the path right, and the disk mounted?"
        )
    if options.subject_from is not None:
        check_rule(options.subject_from)
    tables = tables or read_tables(source, options)
    known = tables.participants.ids if tables.participants else frozenset()
    recordings = []
    for path, form, fault in _files(source, set(options.paths)):
        relative = PurePath(path.relative_to(source) if source.is_dir() else path.name)
        try:
            if fault is not None:
                raise fault
            who = identify(relative, (*SUFFIXES, *_NIFTI), options.subject_from, known)
        except InputError as error:
            name = placeholder(relative)
            recordings.append(Recording(name, name, (path,), form, error=_at(error, name)))
            continue
        beside = fmriprep.companions(path).present() if form == "fmriprep" else ()
        found = Recording(who.subject, who.patient, (path, *beside), form)
        recordings.append(_with_row(replace(found, from_table=who.from_table), tables))
    return _one_each(sorted(recordings, key=lambda r: (r.subject, r.path.as_posix())))


def _at(error: InputError, name: str) -> InputError:
    error.where = name
    return error


def _with_row(recording: Recording, tables: Tables) -> Recording:
    people = tables.participants
    if people is None:
        return replace(recording, tr_s=tables.times.of(recording.subject, None, None))
    try:
        row = people.row(recording.subject, recording.patient)
    except InputError as error:
        return replace(recording, error=error)
    return replace(
        recording,
        columns=people.columns(row),
        patient=people.patient(row) or recording.patient,
        tr_s=tables.times.of(recording.subject, row, people),
    )


def _one_each(recordings: list[Recording]) -> list[Recording]:
    by_subject: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_subject.setdefault(recording.subject, []).append(recording)
    folded: dict[str, str] = {}
    result = []
    for subject, found in by_subject.items():
        if len(found) > 1:
            files = tuple(path for recording in found for path in recording.files)
            result.append(replace(found[0], files=files, error=_twice(subject, len(found))))
        elif folded.setdefault(fold(subject), subject) != subject:
            result.append(clashing(found[0]))
        else:
            result.append(found[0])
    return result


def _twice(subject: str, count: int) -> MissingInput:
    return MissingInput(
        f"the source holds {count} recordings of one subject",
        where=subject,
        expected="one series",
        found=str(count),
        hint="Choose a rule with subject_from that tells them apart (such as 'name'), or move one.",
    )


def clashing(recording: Recording) -> Recording:
    """The same, refused: its id is another's but for case."""
    name = placeholder(PurePath(recording.path.name))
    error = UnsafeIdentifier(
        "two subjects' ids differ in case only, and would share a folder on some disks",
        where=name,
        hint="Rename one of the two files.",
    )
    return replace(recording, subject=name, patient=name, error=error)


def _files(source: Path, not_these: set[Path]) -> Iterator[tuple[Path, Format, InputError | None]]:
    if source.is_file():
        form = _format(PurePath(source.name))
        fault = UnreadableFile("not a series that is known", expected=" ".join(SUFFIXES))
        yield source, form or "roi_series", None if form else fault
        return
    found: list[tuple[Path, Format]] = []
    for path in _walk(source):
        if isinstance(path, OSError):
            fault = UnreadableFile("a folder cannot be listed", found=str(path.strerror))
            yield Path(str(path.filename)), "roi_series", fault
        elif (form := _format(PurePath(path.relative_to(source)))) is not None:
            found.append((path, form))
    derivatives = any(form == "fmriprep" for _, form in found)
    for path, form in found:
        # Beside preprocessed images, others (references, other spaces) are no recordings.
        if path.resolve() not in not_these and not (derivatives and form == "bold"):
            yield path, form, None


def _walk(source: Path) -> Iterator[Path | OSError]:
    """Files below a folder, hidden ones and cohorts left out; folders that cannot be listed."""
    faults: list[OSError] = []
    for folder, folders, names in os.walk(source, onerror=faults.append):
        inside = Path(folder)
        folders[:] = sorted(
            f for f in folders if f[0] not in "._" and not (inside / f / "cohort.json").exists()
        )
        yield from (inside / name for name in sorted(names) if name[0] != ".")
    yield from faults


def _format(relative: PurePath) -> Format | None:
    name = relative.name
    lower = name.lower()
    ending = name.split(".", 1)[0].rsplit("_", 1)[-1]
    if lower.startswith(("participants.", "phenotypic.", "atlas.")):
        return None
    if lower.endswith(fmriprep.BOLD):
        # Coordinates of atlases are in MNI space: other spaces of one run are not for them.
        return "fmriprep" if "_space-MNI" in name else None
    if lower.endswith(_NIFTI):
        return "bold" if not bids_label(relative) or ending == "bold" else None
    if not lower.endswith(tuple(suffix.lower() for suffix in SUFFIXES)):
        return None
    if bids_label(relative) and (ending in _NO_SERIES or "desc-confounds" in name):
        return None
    return "roi_series"
