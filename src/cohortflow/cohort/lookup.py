"""What stands of many units: on a disk by a look each, on S3 by pages of one listing.

A page of a listing costs as much as a look and tells of a thousand objects. Units are asked for in
the order of their subjects, so that one page answers for many of them; it is remembered.
"""

from __future__ import annotations

import bisect
from typing import Any

from cohortflow.cohort import failures
from cohortflow.cohort.documents import numbers_in, read_document
from cohortflow.cohort.entries import RECORD, EntryRef
from cohortflow.cohort.storage import Storage

_END = "\U0010ffff"


class Lookup:
    """Records and failures of units, as they are when their part of the store is first looked
    at."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lows: list[str] = []
        self._highs: list[str] = []
        self._named: dict[str, list[str]] = {}

    def has_record(self, ref: EntryRef) -> bool:
        """Whether an entry is committed."""
        if not self._storage.lists_in_pages:
            return self._storage.exists(f"{ref.path}/{RECORD}")
        return RECORD in self._names(ref.path)

    def failures(self, ref: EntryRef) -> list[dict[str, Any]]:
        """The failures of a unit, the oldest first."""
        if not self._storage.lists_in_pages:
            return failures.failures(self._storage, ref)
        prefix = f"{failures.FOLDER}/"
        found = numbers_in(n.removeprefix(prefix) for n in self._names(ref.path) if n != RECORD)
        folder = f"{ref.path}/{failures.FOLDER}"
        return [read_document(self._storage, f"{folder}/{number:06d}.json") for number in found]

    def _names(self, folder: str) -> list[str]:
        prefix = f"{folder}/"
        if not self._covers(prefix):
            self._list_from(prefix)
        return self._named.get(folder, [])

    def _covers(self, prefix: str) -> bool:
        place = bisect.bisect_right(self._lows, prefix) - 1
        if place < 0:
            return False
        high = self._highs[place]
        return prefix < high and not high.startswith(prefix)

    def _list_from(self, prefix: str) -> None:
        high = prefix
        while high.startswith(prefix):  # a folder may be longer than a page
            names, whole = self._storage.page_after(high)
            for name in names:
                self._note(name)
            high = _END if whole or not names else names[-1]
        place = bisect.bisect_right(self._lows, prefix)
        self._lows.insert(place, prefix)
        self._highs.insert(place, high)

    def _note(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        above, _, last = folder.rpartition("/")
        if last == failures.FOLDER:
            folder, name = above, f"{last}/{name}"
        elif name != RECORD:
            return
        known = self._named.setdefault(folder, [])
        if name not in known:
            known.append(name)
