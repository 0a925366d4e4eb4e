"""What recordings a source holds, and whose they are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from stat import S_ISREG
from typing import Literal

from cohortflow.errors import (
    InputError,
    MissingInput,
    NoSuchSource,
    OutsideSource,
    UnreadableFile,
    UnsafeIdentifier,
)
from cohortflow.sources import fmriprep
from cohortflow.sources.images.names import FORMATS, MANY_TIMES, Named, format_of, named
from cohortflow.sources.images.parts import Part, grouped
from cohortflow.sources.options import IngestOptions
from cohortflow.sources.participants import Participants, Scalar, read_participants
from cohortflow.sources.repetition_times import RepetitionTimes, repetition_times
from cohortflow.sources.roi_series import SUFFIXES
from cohortflow.sources.subject_id import bids_label, check_rule, fold, identify, placeholder

Format = Literal["roi_series", "bold", "fmriprep", "images"]
_NIFTI = (".nii", ".nii.gz")
_SUFFIXES = (*SUFFIXES, *FORMATS)
_NO_SERIES = {
    *("events", "scans", "sessions", "channels", "electrodes", "coordsystem", "physio", "stim"),
    *("blood", "aslcontext", "motion", "regressors", "outliers", "confounds", "mixing", "dseg"),
}


@dataclass(frozen=True)
class Recording:
    """One recording of a source. ``error``: why it cannot be taken, known before it is read.

    ``files``: the recording itself first, then what lies beside it; private, as they may name
    people. ``parts``: of images, which of the files are read together. ``tr_s``: seconds by the
    options, NaN where they do not say.
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
    parts: tuple[Part, ...] = ()
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


@dataclass(frozen=True)
class Discovery:
    """The recordings of a source, and how many files that could be others were left out."""

    recordings: list[Recording]
    left_out: int = 0


def discover(
    source: Path | str, options: IngestOptions | None = None, tables: Tables | None = None
) -> list[Recording]:
    """The recordings of a BIDS tree, a folder of files or of folders, or one file.

    Without an atlas a source that holds images gives these alone. Sorted by subject. A subject with
    two series, or without its row in the participants table, is there with its ``error``. Raises
    :class:`NoSuchSource`.
    """
    return look(source, options, tables).recordings


def look(
    source: Path | str, options: IngestOptions | None = None, tables: Tables | None = None
) -> Discovery:
    """As :func:`discover`, with what was left out."""
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
    images: dict[str, list[tuple[Recording, Named]]] = {}
    files = _files(source, options)
    for path, form, fault in files.taken:
        relative = PurePath(path.relative_to(source) if source.is_dir() else path.name)
        about = None
        try:
            if fault is not None:
                raise fault
            if form == "images":
                about = named(relative, format_of(path) or "dicom")
            who = identify(
                _telling(relative, about, source, options), _SUFFIXES, options.subject_from, known
            )
        except InputError as error:
            name = placeholder(relative)
            recordings.append(Recording(name, name, (path,), form, error=_at(error, name)))
            continue
        beside = fmriprep.companions(path).present() if form == "fmriprep" else ()
        found = Recording(who.subject, who.patient, (path, *beside), form)
        found = _with_row(replace(found, from_table=who.from_table), tables)
        if (no_file := _not_a_file_of(source, path, options)) is not None:
            found = replace(found, error=_at(no_file, found.subject))
        if about is None:
            recordings.append(found)
        else:
            images.setdefault(found.subject, []).append((found, about))
    by_name = options.subject_from == "name"
    recordings += [_together(found, files.documents, by_name) for found in images.values()]
    each = _one_each(sorted(recordings, key=lambda r: (r.subject, r.path.as_posix())))
    return Discovery(each, files.left_out)


def _telling(
    relative: PurePath, about: Named | None, source: Path, options: IngestOptions
) -> PurePath:
    """The path by which a file's subject is known: a series of DICOM goes by its folder."""
    if about is None:
        return relative
    if about.format != "dicom" or source.is_file():
        return about.identity
    folder = relative.parent.name or source.resolve().name
    if options.subject_from == "name":
        return PurePath(folder)
    return relative if len(relative.parts) > 1 else PurePath(folder) / relative


def _together(
    found: list[tuple[Recording, Named]],
    documents: Mapping[Path, Sequence[Path]],
    by_name: bool = False,
) -> Recording:
    """All images of a subject as one recording; ``by_name``: of one folder, or it is refused.

    Two patients' ``ct.nii.gz`` in two folders are not one subject's.
    """
    first = found[0][0]
    parts = grouped(((recording.path, about) for recording, about in found), documents)
    files = tuple(path for part in parts for path in part.all_files)
    error = next((one.error for one, _ in found if one.error is not None), None)
    if by_name and (folders := len({about.identity.parent for _, about in found})) > 1:
        error = error or _twice(first.subject, folders)
    return replace(first, files=files, parts=parts, name="image", kind="volume", error=error)


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
        expected="one series, or the images of one folder",
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


@dataclass
class _Files:
    """Files of a source with what they are, or why they are nothing; JSON files by folder."""

    taken: list[tuple[Path, Format, InputError | None]]
    left_out: int = 0
    documents: Mapping[Path, Sequence[Path]] = field(default_factory=dict)


def _files(source: Path, options: IngestOptions) -> _Files:
    if source.is_file():
        form = _format(source, PurePath(source.name), options)
        fault = UnreadableFile("not a recording that is known", expected=" ".join(_SUFFIXES))
        return _Files([(source, form or "roi_series", None if form else fault)])
    not_these = {str(path) for path in options.paths}
    faults: list[tuple[Path, Format, InputError | None]] = []
    found: list[tuple[Path, Format]] = []
    in_time: list[tuple[Path, Format]] = []
    documents: dict[Path, list[Path]] = {}
    for path in _walk(source):
        if isinstance(path, tuple):
            faults.append((path[0], "roi_series", _linked_folder()))
            continue
        if isinstance(path, OSError):
            fault = UnreadableFile("a folder cannot be listed", found=str(path.strerror))
            faults.append((Path(str(path.filename)), "roi_series", fault))
            continue
        if path.name.endswith(".json"):
            documents.setdefault(path.parent, []).append(path)
            continue
        if os.path.realpath(path) in not_these:  # a loop of links raises nothing there
            continue
        relative = PurePath(path.relative_to(source))
        if (form := _format(path, relative, options)) is not None:
            found.append((path, form))
        elif options.atlas == "none" and (form := _series_of_images(relative)) is not None:
            in_time.append((path, form))
    if not any(form == "images" and format_of(path) != "confounds" for path, form in found):
        found = [(path, form) for path, form in found if form != "images"]
    # Series in time are no images; alone they are what was meant, and then an atlas is asked for.
    taken = found or in_time
    forms = {form for _, form in taken}
    if "images" in forms:
        taken = [(path, form) for path, form in taken if form == "images"]
    elif "fmriprep" in forms:
        # Beside preprocessed images, others (references, other spaces) are no recordings.
        taken = [(path, form) for path, form in taken if form != "bold"]
    left_out = len(found) + len(in_time) - len(taken) if "images" in forms else 0
    return _Files([*faults, *((path, form, None) for path, form in taken)], left_out, documents)


def _not_a_file_of(source: Path, path: Path, options: IngestOptions) -> InputError | None:
    """Why a path is no file inside the source: a device, or a link that leads out of it."""
    try:
        if not S_ISREG(path.stat().st_mode):
            return UnreadableFile("not a file", expected="a regular file")
    except OSError as error:
        return UnreadableFile("the file cannot be opened", found=str(error.strerror))
    if OutsideSource.code in options.accept or not path.is_symlink():
        return None
    if Path(os.path.realpath(path)).is_relative_to(source.resolve()):
        return None
    return OutsideSource(
        "a link leads out of the source",
        hint=f"Copy the file, or --accept {OutsideSource.code} where the links are your own.",
    )


def _linked_folder() -> OutsideSource:
    return OutsideSource(
        "a link to a folder leads out of the source",
        expected="links of files",
        hint="Copy the folder, or ingest it by itself.",
    )


def _walk(source: Path) -> Iterator[Path | OSError | tuple[Path]]:
    """Files below a folder, hidden ones and cohorts left out; folders that cannot be listed.

    Links of folders are not followed; those that lead out of the source come in a tuple.
    """
    root = os.path.realpath(source)
    faults: list[OSError] = []
    for folder, folders, names in os.walk(source, onerror=faults.append):
        inside = Path(folder)
        folders[:] = sorted(
            f for f in folders if f[0] not in "._" and not (inside / f / "cohort.json").exists()
        )
        links = (inside / f for f in folders if (inside / f).is_symlink())
        yield from ((f,) for f in links if not Path(os.path.realpath(f)).is_relative_to(root))
        yield from (inside / name for name in sorted(names) if name[0] != ".")
    yield from faults


def _format(path: Path, relative: PurePath, options: IngestOptions) -> Format | None:
    name = relative.name
    lower = name.lower()
    ending = name.split(".", 1)[0].rsplit("_", 1)[-1]
    if lower.startswith(("participants.", "phenotypic.", "atlas.")):
        return None
    if options.atlas != "none":
        if (form := _series_of_images(relative)) is not None:
            return form
    elif (image := format_of(path)) is not None:
        if not bids_label(relative):
            return "images"
        in_time = ending in MANY_TIMES and options.time is None
        return None if in_time or image == "picture" else "images"
    if not lower.endswith(tuple(suffix.lower() for suffix in SUFFIXES)):
        return None
    if bids_label(relative) and (ending in _NO_SERIES or "desc-confounds" in name):
        return None
    return "roi_series"


def _series_of_images(relative: PurePath) -> Format | None:
    """NIfTI whose series an atlas takes."""
    name = relative.name
    if name.lower().endswith(fmriprep.BOLD):
        # Coordinates of atlases are in MNI space: other spaces of one run are not for them.
        return "fmriprep" if "_space-MNI" in name else None
    if name.lower().endswith(_NIFTI):
        ending = name.split(".", 1)[0].rsplit("_", 1)[-1]
        return "bold" if not bids_label(relative) or ending == "bold" else None
    return None
