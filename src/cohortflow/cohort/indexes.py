"""Indexes: what a run meant to make, then what it made, batch by batch; numbered, exclusive."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cohortflow.cohort.documents import encode, encode_gzip, numbers, read_document
from cohortflow.cohort.storage import Storage
from cohortflow.errors import AlreadyExists, EntryMissing, UnsafeIdentifier

FOLDER = "indexes"
_CLAIM = "claim.json"
_SUMMARY = "summary.json"
_FILES = "files"
"""Member of a stored summary: how many files of parts there are, so that none need be listed."""


@dataclass(frozen=True)
class Index:
    """One run's index. ``claim``: what it meant to make. ``summary`` None: it did not finish."""

    number: int
    storage: Storage = field(repr=False, compare=False)
    path: str = field(repr=False)

    @cached_property
    def claim(self) -> dict[str, Any]:
        return read_document(self.storage, f"{self.path}/{_CLAIM}")

    @cached_property
    def summary(self) -> dict[str, Any] | None:
        ended = self._ended
        return None if ended is None else {k: v for k, v in ended.items() if k != _FILES}

    @cached_property
    def _ended(self) -> dict[str, Any] | None:
        try:
            return read_document(self.storage, f"{self.path}/{_SUMMARY}")
        except EntryMissing:
            return None

    def parts(self) -> list[dict[str, Any]]:
        """The parts in the order they were appended; each is columnar."""
        found: list[dict[str, Any]] = []
        for name in self._part_names():
            document = read_document(self.storage, f"{self.path}/{name}")
            found += document.get("parts", [document])
        return found

    def _part_names(self) -> list[str]:
        count = (self._ended or {}).get(_FILES)
        if count is not None:
            return [_part_name(number) for number in range(count)]
        return [name for name in self.storage.list(self.path) if name.startswith("part-")]

    def timings(self) -> list[dict[str, Any]]:
        """What each step did in this run; of an unfinished one, the steps that it wrote."""
        if self.summary is not None:
            return list(self.summary.get("steps", ()))
        return [part["timing"] for part in self.parts() if part.get("timing")]

    def keys(self) -> set[str]:
        """Every key that the claim or a part names."""
        found = keys_named(self.claim)
        for part in self.parts():
            found |= keys_named(part)
        return found


class IndexWriter:
    """Appends to an index of its own number; each file holds one part or several."""

    def __init__(self, storage: Storage, path: str, number: int) -> None:
        self.number = number
        self._storage = storage
        self._path = path
        self._files = 0
        self._waiting: list[Mapping[str, Any]] = []

    def append(self, part: Mapping[str, Any], *, news: bool = True) -> None:
        """Add one batch of one step; it is there whole when this returns.

        What is no ``news`` stands in an earlier index and waits for the next file: where nothing
        was computed, all parts are one file.
        """
        self._waiting.append(part)
        if news:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        path = f"{self._path}/{_part_name(self._files)}"
        self._storage.create(path, encode_gzip({"parts": [dict(part) for part in self._waiting]}))
        self._files += 1
        self._waiting = []

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Say how the run ended; without it the index counts as unfinished."""
        self._flush()
        document = {**summary, _FILES: self._files}
        self._storage.create(f"{self._path}/{_SUMMARY}", encode(document))


class IndexBook:
    """The indexes of one pipeline on one cohort."""

    def __init__(self, storage: Storage, slug: str) -> None:
        if not slug or slug in (".", "..") or any(c in slug for c in "/\\\0"):
            raise UnsafeIdentifier("not usable as the name of a pipeline", found=repr(slug))
        self.storage = storage
        self.slug = slug
        self.folder = f"{FOLDER}/{slug}"

    def path(self, number: int) -> str:
        return f"{self.folder}/{number:06d}"

    def numbers(self) -> list[int]:
        """Numbers of the indexes that are there, ascending."""
        return numbers(self.storage, self.folder)

    def get(self, number: int) -> Index:
        """One index; EntryMissing when it has no claim (it is being deleted, or never was)."""
        index = self._at(number)
        index.claim  # noqa: B018 - read now: an index that is being deleted is none
        return index

    def ended(self, number: int) -> str | None:
        """When a run ended, or began if it did not end, by one read as a rule; None: not kept."""
        index = self._at(number)
        try:
            return str(index.summary["finished"] if index.summary else index.claim["started"])
        except EntryMissing:
            return None

    def _at(self, number: int) -> Index:
        return Index(number=number, storage=self.storage, path=self.path(number))

    def newest(self, complete_only: bool = False) -> Index | None:
        """The newest index, or the newest of a run that finished."""
        if complete_only:
            return next((index for index in self.trusted() if index.summary is not None), None)
        for number in reversed(self.numbers()):
            with contextlib.suppress(EntryMissing):
                return self.get(number)
        return None

    def trusted(self, numbers: Sequence[int] | None = None) -> list[Index]:
        """The newest index of a run that finished, then those of later runs, which did not."""
        found: list[Index] = []
        for number in reversed(self.numbers() if numbers is None else numbers):
            index = self._at(number)
            # A summary goes before its claim: where it is there, the index is whole.
            if index.summary is not None:
                return [index, *reversed(found)]
            with contextlib.suppress(EntryMissing):
                found.append(self.get(number))
        return found[::-1]

    def begin(self, claim: Mapping[str, Any], *, after: int | None = None) -> IndexWriter:
        """Take the next number and say what the run means to make, before its first look.

        ``after``: the newest number, where it was listed just now.
        """
        data = encode(dict(claim))
        number = (max(self.numbers(), default=0) if after is None else after) + 1
        while True:
            try:
                self.storage.create(f"{self.path(number)}/{_CLAIM}", data)
            except AlreadyExists:
                number += 1
            else:
                return IndexWriter(self.storage, self.path(number), number)

    def delete(self, number: int) -> None:
        """Remove an index: what makes it one first, so that no reader takes the rest for one."""
        self.storage.delete(f"{self.path(number)}/{_SUMMARY}")
        self.storage.delete(f"{self.path(number)}/{_CLAIM}")
        self.storage.delete(self.path(number))


def _part_name(number: int) -> str:
    return f"part-{number:04d}.json.gz"


def slugs(storage: Storage) -> list[str]:
    """Pipelines that left an index on this cohort."""
    return storage.list(FOLDER)


def keys_named(document: Any) -> set[str]:
    """Every string under ``key`` or ``keys``, at any depth, that looks like a key."""
    found: set[str] = set()
    if isinstance(document, Mapping):
        for name, value in document.items():
            if name in ("key", "keys"):
                found.update(_key_strings(value))
            elif isinstance(value, (Mapping, list)):
                found |= keys_named(value)
    elif isinstance(document, list):
        for value in document:
            if isinstance(value, (Mapping, list)):
                found |= keys_named(value)
    return found


def _key_strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        if len(value) in (16, 64):
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _key_strings(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _key_strings(inner)
