"""What a refused subject is called: its own id where no header can contradict it, else a digest."""

from __future__ import annotations

import re
from pathlib import PurePath

from cohortflow.errors import InputError
from cohortflow.sources.discover import Recording
from cohortflow.sources.images.decoded import Request
from cohortflow.sources.images.parts import Part, Reader
from cohortflow.sources.images.persons import COMPARE
from cohortflow.sources.subject_id import bids_label, placeholder


def nameless(recording: Recording, error: InputError, reader: Reader) -> str:
    """The id that a subject refused for the first time is kept under, which ``error`` then tells.

    A file's or a folder's name is free text, and may be a person's. Formats whose headers name the
    patient keep it only where all headers were read and none does; an id of the BIDS rule or of the
    participants table keeps itself.
    """
    name = recording.subject
    label = bids_label(PurePath(name))
    if recording.columns is not None or (label is not None and label[0] == name):
        return name
    if all(_compared(part, name, reader) for part in recording.parts if part.format in COMPARE):
        return name
    other = placeholder(PurePath(name))
    whole = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    for field in ("message", "where", "expected", "found", "hint"):
        setattr(error, field, whole.sub(other, getattr(error, field)))
    return other


def _compared(part: Part, name: str, reader: Reader) -> bool:
    files = tuple(str(path) for path in part.files)
    try:
        reader.read(Request(COMPARE[part.format], files, part.role, name, id=name))
    except InputError:
        return False
    return True
