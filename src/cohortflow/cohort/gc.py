"""gc: remove what nothing names, once it has been nameless for a day of collections.

A list of what is unreferenced is written before anything is deleted. Records go first, then what
they named, so that no reader ever finds a record over missing arrays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cohortflow.cohort import ratings
from cohortflow.cohort.documents import create_numbered, encode_gzip, numbers, read_document
from cohortflow.cohort.entries import KEY_DIGITS, RECORD
from cohortflow.cohort.indexes import slugs
from cohortflow.cohort.leases import Lease, held
from cohortflow.cohort.storage import TEMPORARY, Storage
from cohortflow.cohort.survey import EntryFolder, Survey, read_record, survey
from cohortflow.errors import EntryCorrupt, EntryMissing, StoreTooNew

if TYPE_CHECKING:
    from cohortflow.cohort.cohort import Cohort

FOLDER = "gc"
WORK = "work"
REPORTS = "reports"
SUBJECT_LEDGER = "pages.json.gz"
"""Beside the pages of subjects: what each of them shows."""
LEASE = "store-maintenance"
DAY_S = 86400.0
KEEP = 10
_LISTS = 2


@dataclass
class GcResult:
    """Paths removed (with ``dry_run``: that would be), those that wait out their day, bytes freed,
    and indexes and ingests that were beyond what is kept."""

    dry_run: bool
    deleted: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    bytes: int = 0

    def __str__(self) -> str:
        verb = "would be removed" if self.dry_run else "removed"
        lines = [f"  {path}" for path in (*self.deleted, *self.documents)]
        total = f"{self.bytes / 2**20:.1f} MiB"
        lines.append(f"{len(self.deleted)} paths and {len(self.documents)} records {verb}, {total}")
        if self.waiting:
            lines.append(f"{len(self.waiting)} wait until they have been unused for a day")
        return "\n".join(lines)


def gc(
    cohort: Cohort,
    dry_run: bool = False,
    *,
    keep: int = KEEP,
    grace_s: float = DAY_S,
    now: Callable[[], float] = time.time,
) -> GcResult:
    """Remove what no kept index, no selection and not the newest ingest names.

    Kept are the newest ``keep`` indexes of each pipeline and the newest that finished. Something
    is removed when it was unreferenced in every collection since ``grace_s`` seconds ago. The
    folder ``work/`` is left alone while any run may be alive.
    """
    storage = cohort.storage
    if dry_run:
        return _collect(cohort, True, keep, grace_s, now())
    with Lease.acquire(storage, LEASE, run_id="gc"):
        return _collect(cohort, False, keep, grace_s, now())


def _collect(cohort: Cohort, dry_run: bool, keep: int, grace_s: float, now: float) -> GcResult:
    storage = cohort.storage
    kept = kept_keys(cohort, keep)
    found = survey(storage)
    sizes = dict(_unreferenced(storage, found, kept)) | dict(_pages_of_nobody(cohort, found))
    before = _previous(storage)
    first_seen = {path: before.get(path, now) for path in sizes}
    due = sorted(path for path in sizes if path in before and now - before[path] >= grace_s)
    result = GcResult(
        dry_run=dry_run,
        deleted=due,
        waiting=sorted(set(sizes) - set(due)),
        documents=_surplus(cohort, keep),
        bytes=sum(sizes[path] for path in due),
    )
    if dry_run:
        return result
    # What goes now and comes back under the same path waits a day of its own.
    waiting = {path: first_seen[path] for path in result.waiting}
    lists = {"made": now, "unreferenced": waiting, "deleting": due}
    create_numbered(storage, FOLDER, ".json.gz", encode_gzip(lists))
    # A run may have claimed some of it since; claims are written before the first look.
    kept |= kept_keys(cohort, keep)
    result.deleted = [path for path in due if _remove(storage, path, kept)]
    _drop_documents(cohort, result.documents)
    for number in numbers(storage, FOLDER)[:-_LISTS]:
        storage.delete(f"{FOLDER}/{number:06d}.json.gz")
    return result


def kept_keys(cohort: Cohort, keep: int = KEEP) -> set[str]:
    """The first 16 digits of every key that something kept names."""
    found: set[str] = set()
    for slug in slugs(cohort.storage):
        book = cohort.indexes(slug)
        for number in _kept_numbers(cohort, slug, keep):
            try:
                found |= book.get(number).keys()
            except EntryMissing:
                continue
    for selection in cohort.selections.all():
        found |= selection.keys()
    ingested = cohort.ingested
    for subject in ingested.subjects.values():
        found |= {entry.key for entry in subject.entries.values()}
    found |= {file.key for file in ingested.files.values()}
    found |= ratings.keys_of(cohort.storage)
    return {key[:KEY_DIGITS] for key in found}


def _kept_numbers(cohort: Cohort, slug: str, keep: int) -> list[int]:
    book = cohort.indexes(slug)
    kept = set(book.numbers()[-keep:])
    complete = book.newest(complete_only=True)
    return sorted(kept | ({complete.number} if complete is not None else set()))


def _surplus(cohort: Cohort, keep: int) -> list[str]:
    paths = []
    for slug in slugs(cohort.storage):
        book = cohort.indexes(slug)
        kept = _kept_numbers(cohort, slug, keep)
        paths += [book.path(number) for number in book.numbers() if number not in kept]
    paths += [cohort.ingests.path(number) for number in cohort.ingests.numbers()[:-keep]]
    return paths


def _drop_documents(cohort: Cohort, paths: Iterable[str]) -> None:
    for path in paths:
        if path.startswith("indexes/"):
            _, slug, number = path.split("/")
            cohort.indexes(slug).delete(int(number))
        else:
            cohort.storage.delete(path)


def _previous(storage: Storage) -> dict[str, float]:
    """Unreferenced at the last collection: path → when it was first seen so."""
    for number in reversed(numbers(storage, FOLDER)):
        try:
            document = read_document(storage, f"{FOLDER}/{number:06d}.json.gz")
        except EntryCorrupt:
            return {}  # without the list everything waits another day
        return dict(document["unreferenced"])
    return {}


def _unreferenced(storage: Storage, found: Survey, kept: set[str]) -> Iterable[tuple[str, int]]:
    for folder in found.folders.values():
        if folder.key not in kept and (folder.has_record or folder.failures()):
            yield folder.path, folder.bytes()
            continue
        attempts = folder.attempts()
        named = _named_attempt(storage, folder) if attempts else None
        for attempt in attempts:
            if named is not None and attempt != named:
                yield f"{folder.path}/{attempt}", folder.bytes(f"{attempt}/")
        for name in folder.leftovers():
            yield f"{folder.path}/{name}", folder.files[name]
    for path, size in found.others.items():
        if path.rsplit("/", 1)[-1].startswith(TEMPORARY):
            yield path, size
    yield from _work(storage, found, kept)


def _named_attempt(storage: Storage, folder: EntryFolder) -> str | None:
    """The attempt in force, empty when there is no record; None when it cannot be told."""
    try:
        record = read_record(storage, folder)
    except (EntryCorrupt, StoreTooNew):
        return None
    return record.attempt if record is not None else ""


def _work(storage: Storage, found: Survey, kept: set[str]) -> Iterable[tuple[str, int]]:
    if set(held(storage)) - {LEASE}:
        return
    committed = {folder.key for folder in found.folders.values() if folder.has_record}
    sizes: dict[str, int] = {}
    for path, size in found.others.items():
        parts = path.split("/")
        if parts[0] == WORK and len(parts) > 2:
            sizes[parts[1]] = sizes.get(parts[1], 0) + size
    for key, size in sizes.items():
        digits = key[:KEY_DIGITS]
        if digits in committed or digits not in kept:
            yield f"{WORK}/{key}", size


def subject_pages(slug: str) -> str:
    """The folder with the pages of subjects of a pipeline, a file each."""
    return f"{REPORTS}/{slug}/subjects"


def _pages_of_nobody(cohort: Cohort, found: Survey) -> Iterable[tuple[str, int]]:
    """Pages of subjects that the newest ingest does not have, or of a pipeline without an index."""
    known, ran = {f"{subject}.html" for subject in cohort.subjects}, set(slugs(cohort.storage))
    for path, size in found.others.items():
        folder, _, name = path.rpartition("/")
        slug = folder.split("/")[1] if folder.count("/") == 2 else ""
        if folder != subject_pages(slug):
            continue
        if slug not in ran or (name.endswith(".html") and name not in known):
            yield path, size


def _remove(storage: Storage, path: str, kept: set[str]) -> bool:
    parts = path.split("/")
    if parts[0] == WORK:
        if set(held(storage)) - {LEASE}:
            return False
        storage.delete(path)
    elif parts[0] == REPORTS or parts[-1].startswith(TEMPORARY):
        storage.delete(path)
    elif parts[-1].startswith("a-"):
        return _remove_attempt(storage, path)
    else:
        if path.rpartition("@")[2] in kept:
            return False
        remove_entry(storage, path)
    storage.prune(path.rsplit("/", 1)[0])
    return True


def _remove_attempt(storage: Storage, path: str) -> bool:
    folder, _, attempt = path.rpartition("/")
    stage, _, key = folder.rsplit("/", 1)[-1].rpartition("@")
    if _named_attempt(storage, EntryFolder(folder, None, stage, key)) in (None, attempt):
        return False  # it was committed after all
    storage.delete(path)
    storage.prune(folder)
    return True


def remove_entry(storage: Storage, path: str) -> None:
    """Remove an entry: its record, then the attempts and failures there were before.

    Attempts that another process begins meanwhile are left alone.
    """
    names = [name for name in storage.list(path) if name != RECORD]
    storage.delete(f"{path}/{RECORD}")
    for name in names:
        storage.delete(f"{path}/{name}")
    storage.prune(path)
