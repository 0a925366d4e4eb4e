"""forget: remove a patient or a subject, and everything that was computed from them.

Lineage ends at weights: those stay and are listed, unless they hold rows of subjects. What it
writes comes before what it deletes, and the old documents that name the subject go last, so that
an interrupted call is finished by calling it again.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cohortflow.cohort import ratings
from cohortflow.cohort.documents import encode_gzip, numbers, read_document
from cohortflow.cohort.entries import KEY_DIGITS, EntryRecord
from cohortflow.cohort.gc import LEASE, SUBJECT_LEDGER, WORK, remove_entry, subject_pages
from cohortflow.cohort.indexes import Index, IndexBook, slugs
from cohortflow.cohort.leases import FOLDER as LEASES
from cohortflow.cohort.leases import Lease
from cohortflow.cohort.selections import Selection
from cohortflow.cohort.storage import Storage
from cohortflow.cohort.survey import EntryFolder, Survey, readable_records, survey
from cohortflow.cohort.withdrawal import Withdrawal
from cohortflow.errors import EntryCorrupt, EntryMissing, UnknownName, nearest

if TYPE_CHECKING:
    from cohortflow.cohort.cohort import Cohort

_TEXT = (".log", ".txt", ".json", ".jsonl", ".html", ".csv", ".tsv", ".md")
_TEXT_BYTES = 20 * 2**20
_ID_DIGITS = 4
COHORT_PAGE = "reports/cohort.html"
_REPORT = ("/report.html", "/report.json")


@dataclass
class ForgetResult:
    """``removed``: entries gone; ``pending``: those of them that other subjects' units must make
    again; ``weights``: that saw the subject and remain; ``mentions``: other files of the store
    that name it still; ``indexes`` and ``selections`` written anew."""

    subjects: list[str]
    removed: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    selections: list[str] = field(default_factory=list)
    source_rows: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"forgotten: {', '.join(self.subjects)}",
            f"{len(self.removed)} entries removed, {len(self.pending)} of them to be made again "
            "without them",
        ]
        if self.weights:
            lines.append(f"{len(self.weights)} weights that saw them remain:")
            lines += [f"  {path}" for path in self.weights]
        if self.mentions:
            lines += ["still naming them:", *(f"  {path}" for path in self.mentions)]
        lines.append("MLflow runs and exports are outside the cohort: look there too")
        return "\n".join(lines)


def forget(cohort: Cohort, who: str, *, silence_s: float = 60.0) -> ForgetResult:
    """Remove a subject, or all subjects of a patient. UnknownName, or LeaseHeld while a run works.

    No run may work meanwhile: it would bring back what is being removed.
    """
    storage = cohort.storage
    subjects = _resolve(cohort, who)
    with ExitStack() as stack:
        for name in sorted({LEASE, *slugs(storage), *storage.list(LEASES)}):
            lease = Lease.acquire(storage, name, run_id="forget", silence_s=silence_s)
            stack.enter_context(lease)
        return _forget(cohort, subjects)


def _resolve(cohort: Cohort, who: str) -> list[str]:
    found: set[str] = set()
    known: set[str] = set()
    for number in cohort.ingests.numbers():
        for subject in cohort.ingests.get(number).subjects.values():
            known |= {subject.id, subject.patient}
            if who in (subject.id, subject.patient):
                found.add(subject.id)
    if who in cohort.storage.list("subjects") or cohort.source_map.files(who):
        found.add(who)
    if not found:
        raise UnknownName(
            f"no subject or patient {who!r}", where=cohort.url, hint=nearest(who, known)
        )
    return sorted(found)


def _forget(cohort: Cohort, subjects: list[str]) -> ForgetResult:
    storage = cohort.storage
    result = ForgetResult(subjects)
    found = survey(storage)
    doomed = _doomed(storage, found, set(subjects), result)
    gone = {folder.path for folder in doomed}
    standing = [f for f in found.folders.values() if f.has_record and f.path not in gone]
    withdrawal = Withdrawal(subjects, {folder.key for folder in standing})

    _renew_ingest(cohort, withdrawal)
    old: list[str] = []
    for slug in slugs(storage):
        old += _renew_indexes(cohort.indexes(slug), withdrawal, result)
    _renew_selections(cohort, withdrawal, result)
    for path in ratings.without(cohort, withdrawal.subjects, withdrawal.strike):
        remove_entry(storage, path)
        result.removed.append(path)

    for folder in doomed:
        remove_entry(storage, folder.path)
        result.removed.append(folder.path)
    for subject in subjects:
        storage.delete(f"subjects/{subject}")
    _remove_failures(storage, found, withdrawal, result)
    _remove_work(storage, {folder.key for folder in doomed})
    _remove_remnants(storage, found)
    for path in old:
        _, slug, digits = path.split("/")
        cohort.indexes(slug).delete(int(digits))
    _renew_gc_lists(storage, withdrawal)
    _rest(storage, found, withdrawal, result)
    result.mentions += _tables_naming(cohort, withdrawal)
    for number in cohort.ingests.numbers():
        ingested = cohort.ingests.get(number)
        if withdrawal.subjects & (set(ingested.subjects) | set(ingested.assigned)):
            cohort.ingests.delete(number)
    result.source_rows = cohort.source_map.remove(subjects)
    cohort.source_map.withdraw(subjects)
    return result


def _remove_remnants(storage: Storage, found: Survey) -> None:
    """Arrays without a record, which an interrupted call leaves: no run works that could commit."""
    for folder in found.folders.values():
        if not folder.has_record:
            for attempt in folder.attempts():
                storage.delete(f"{folder.path}/{attempt}")
            storage.prune(folder.path)


def _doomed(
    storage: Storage, found: Survey, subjects: set[str], result: ForgetResult
) -> list[EntryFolder]:
    """Entries of the subjects, and those of others that were computed from them."""
    doomed = {f.path: f for f in found.folders.values() if f.subject in subjects}
    lost_weights: set[str] = set()
    with_weights: list[tuple[EntryFolder, EntryRecord]] = []
    for folder, record in readable_records(storage, found):
        if folder.path in doomed or record.kind == ratings.STAGE:
            continue
        if record.weights:
            with_weights.append((folder, record))
        if not _saw(record, subjects):
            continue
        if record.kind == "weights" and not record.facts.get("holds_rows"):
            result.weights.append(folder.path)
            continue
        doomed[folder.path] = folder
        result.pending.append(folder.path)
        if record.kind == "weights":
            lost_weights.add(record.ref.key)
    for folder, record in with_weights:
        # Made with weights that are made again: no longer what its recipe would give.
        behind = {str(key) for key in record.weights}
        if record.kind != "weights" and folder.path not in doomed and behind & lost_weights:
            doomed[folder.path] = folder
            result.pending.append(folder.path)
    return list(doomed.values())


def _saw(record: EntryRecord, subjects: set[str]) -> bool:
    for line in record.subjects:
        name = line.get("subject") if isinstance(line, dict) else line
        if name in subjects:
            return True
    return False


def _renew_ingest(cohort: Cohort, withdrawal: Withdrawal) -> None:
    newest = cohort.ingests.newest()
    if newest is None:
        return
    if withdrawal.subjects & (set(newest.subjects) | set(newest.assigned)):
        cohort.ingests.create(withdrawal.ingested(newest, newest.number + 1))


def _renew_indexes(book: IndexBook, withdrawal: Withdrawal, result: ForgetResult) -> list[str]:
    """Write every index from the first that concerns them again, in order; the old ones.

    Returned newest first: deleted in that order, an interruption leaves them in order still.
    """
    indexes = _without_copies(book)
    first = next(
        (
            i
            for i, index in enumerate(indexes)
            if any(map(withdrawal.concerns, index.parts()))
            or withdrawal.mentions(index.claim)
            or withdrawal.mentions(index.summary)
        ),
        len(indexes),
    )
    moved: dict[int, int] = {}
    for index in indexes[first:]:
        writer = book.begin({**withdrawal.strike(index.claim), "rewritten_from": index.number})
        moved[index.number] = writer.number
        for part in index.parts():
            writer.append(_moved(withdrawal.part(part), moved))
        if index.summary is not None:
            writer.finish(withdrawal.strike(index.summary))
        result.indexes.append(book.path(writer.number))
    return [index.path for index in reversed(indexes[first:])]


def _moved(part: dict[str, Any], moved: Mapping[int, int]) -> dict[str, Any]:
    """A part whose units name the indexes that computed them by their new numbers."""
    if "made_in" not in part:
        return part
    return {**part, "made_in": [moved.get(number, number) for number in part["made_in"]]}


def _without_copies(book: IndexBook) -> list[Index]:
    """The indexes, less the copies that an interrupted call made of those still there."""
    there = []
    for number in book.numbers():
        try:
            there.append(book.get(number))
        except EntryMissing:
            continue
    known = {index.number for index in there}
    kept = [index for index in there if index.claim.get("rewritten_from") not in known]
    for index in there:
        if index not in kept:
            book.delete(index.number)
    return kept


def _renew_selections(cohort: Cohort, withdrawal: Withdrawal, result: ForgetResult) -> None:
    """The selection in force of each question without their lines; superseded ones go."""
    newest: dict[str, Selection] = {}
    concerned: list[Selection] = []
    for selection in cohort.selections.all():
        newest[selection.question] = selection
        if withdrawal.mentions([selection.subjects, selection.described]):
            concerned.append(selection)
    for selection in concerned:
        if newest[selection.question] is selection:
            cohort.selections.create(withdrawal.selection(selection, selection.number + 1))
            result.selections.append(selection.digest)
        cohort.selections.delete(selection)


def _remove_failures(
    storage: Storage, found: Survey, withdrawal: Withdrawal, result: ForgetResult
) -> None:
    for folder in found.folders.values():
        for name in folder.failures():
            path = f"{folder.path}/{name}"
            try:
                concerned = withdrawal.mentions(read_document(storage, path))
            except EntryMissing:
                continue
            except EntryCorrupt:
                concerned = True  # it cannot be told; the unit runs again
            if concerned:
                storage.delete(path)
                result.failures.append(path)


def _remove_work(storage: Storage, keys: set[str]) -> None:
    for name in storage.list(WORK):
        if name[:KEY_DIGITS] in keys:
            storage.delete(f"{WORK}/{name}")


def _renew_gc_lists(storage: Storage, withdrawal: Withdrawal) -> None:
    old = numbers(storage, "gc")
    if not old:
        return
    document = read_document(storage, f"gc/{old[-1]:06d}.json.gz")
    kept: dict[str, Any] = {
        path: seen
        for path, seen in document["unreferenced"].items()
        if not withdrawal.mentions(path.split("/"))
    }
    renewed = {"made": document["made"], "unreferenced": kept, "deleting": []}
    storage.create(f"gc/{old[-1] + 1:06d}.json.gz", encode_gzip(renewed))
    for number in old:
        storage.delete(f"gc/{number:06d}.json.gz")


def _rest(storage: Storage, found: Survey, withdrawal: Withdrawal, result: ForgetResult) -> None:
    """Logs and reports that name them go (the next run renders anew); other texts are listed.

    The page of the cohort names everybody, also by ids too short to be told from numbers.
    """
    storage.delete(COHORT_PAGE)
    _remove_subject_pages(storage, withdrawal.subjects)
    for path in _loose_texts(found):
        try:
            named = withdrawal.mentions(path)
            text = storage.read(path).decode("utf-8", errors="replace")
        except EntryMissing:
            continue
        if not named and not withdrawal.mentions(text):
            continue
        if path.endswith(_REPORT):  # the page may show fewer rows than the data beside it
            folder = path.rpartition("/")[0]
            storage.delete_files([folder + name for name in _REPORT])
            storage.prune(folder)  # else it would count as a report that stands
        elif path.startswith(("logs/", "reports/")) or path.endswith(".log"):
            storage.delete(path)
        else:
            result.mentions.append(path)


def _remove_subject_pages(storage: Storage, subjects: Collection[str]) -> None:
    """All pages of a pipeline with one of theirs: the others show their numbers, without ids."""
    pages = {f"{subject}.html" for subject in subjects}
    for slug in storage.list("reports"):
        folder = subject_pages(slug)
        if pages & set(storage.list(folder)) or _names_any(storage, folder, subjects):
            storage.delete(folder)
            storage.delete(f"{folder}.html")


def _names_any(storage: Storage, folder: str, subjects: Collection[str]) -> bool:
    """Whether what is kept of the pages names one whose page is gone, or cannot be read."""
    try:
        kept = read_document(storage, f"{folder}/{SUBJECT_LEDGER}")
    except EntryMissing:
        return False
    except EntryCorrupt:
        return True
    return bool(set(subjects) & set(kept.get("subjects", ())))


def _tables_naming(cohort: Cohort, withdrawal: Withdrawal) -> Iterator[str]:
    """Tables of no subject that name one all the same: to be mended at their source."""
    import pyarrow.parquet as pq
    from pyarrow.types import is_dictionary, is_integer, is_large_string, is_string

    telling = (is_string, is_large_string, is_dictionary, is_integer)
    for file in cohort.ingested.files.values():
        if file.kind != "table" or not cohort.entries.exists(file.ref):
            continue
        table = pq.read_table(io.BytesIO(cohort.entries.open(file.ref).read_file("table.parquet")))
        columns = [c for c in table.columns if any(tells(c.type) for tells in telling)]
        values = {str(value) for column in columns for value in column.unique().to_pylist()}
        # A short number is a label or a rank; it names nobody.
        if withdrawal.mentions([v for v in values if not v.isdigit() or len(v) >= _ID_DIGITS]):
            yield file.ref.path


def _loose_texts(found: Survey) -> Iterator[str]:
    ours = ("indexes/", "selections/", "ingests/", "gc/", "leases/", "subjects/", "cohort.json")
    for path, size in found.others.items():
        if path.endswith(_TEXT) and size <= _TEXT_BYTES and not path.startswith(ours):
            yield path
