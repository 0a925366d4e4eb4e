"""One walk over a store: every entry folder with its files, and everything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cohortflow.cohort.documents import read_document
from cohortflow.cohort.entries import RECORD, EntryRecord
from cohortflow.cohort.failures import FOLDER as FAILURES
from cohortflow.cohort.storage import TEMPORARY, Storage
from cohortflow.errors import EntryCorrupt, EntryMissing, StoreTooNew


@dataclass
class EntryFolder:
    """What lies in ``subjects/<subject>/<stage>@<key>/``: file (relative to it) → bytes."""

    path: str
    subject: str | None
    stage: str
    key: str
    files: dict[str, int] = field(default_factory=dict)

    @property
    def has_record(self) -> bool:
        return RECORD in self.files

    def attempts(self) -> list[str]:
        return sorted({n.split("/", 1)[0] for n in self.files if n.startswith("a-") and "/" in n})

    def failures(self) -> list[str]:
        return sorted(n for n in self.files if n.startswith(f"{FAILURES}/"))

    def leftovers(self) -> list[str]:
        """Temporary files of a creation that a crash cut short, outside of attempts."""
        own = [name for name in self.files if not name.startswith("a-")]
        return [name for name in own if name.rsplit("/", 1)[-1].startswith(TEMPORARY)]

    def bytes(self, below: str = "") -> int:
        return sum(size for name, size in self.files.items() if name.startswith(below))


@dataclass
class Survey:
    """Entry folders by path; ``others``: every other file of the store → bytes."""

    folders: dict[str, EntryFolder] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)


def survey(storage: Storage) -> Survey:
    """Walk the store once; no record and no array is opened."""
    found = Survey()
    for path, size in storage.walk(""):
        folder = _folder_of(path)
        if folder is None:
            found.others[path] = size
            continue
        known = found.folders.setdefault(folder.path, folder)
        known.files[path.removeprefix(f"{folder.path}/")] = size
    return found


def read_record(storage: Storage, folder: EntryFolder) -> EntryRecord | None:
    """The record of a folder, whosever it says it is; None when there is none (any more)."""
    path = f"{folder.path}/{RECORD}"
    try:
        return EntryRecord.from_json(read_document(storage, path), f"{storage.url}/{path}")
    except EntryMissing:
        return None


def readable_records(storage: Storage, found: Survey) -> Iterator[tuple[EntryFolder, EntryRecord]]:
    """Folders and their records; what cannot be read is left to ``fsck``."""
    for folder in found.folders.values():
        if not folder.has_record:
            continue
        try:
            record = read_record(storage, folder)
        except (EntryCorrupt, StoreTooNew):
            continue
        if record is not None:
            yield folder, record


def _folder_of(path: str) -> EntryFolder | None:
    parts = path.split("/")
    depth = {"subjects": 2, "cohort": 1}.get(parts[0])
    if depth is None or len(parts) <= depth + 1:
        return None
    stage, at, key = parts[depth].rpartition("@")
    if not at or not stage:
        return None
    subject = parts[1] if depth == 2 else None
    return EntryFolder("/".join(parts[: depth + 1]), subject, stage, key)
