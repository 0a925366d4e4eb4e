"""Indexes: what a run meant to make, then what it made, batch by batch; numbered, exclusive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cohortflow.cohort.documents import encode, encode_gzip, numbers, read_document
from cohortflow.cohort.storage import Storage
from cohortflow.errors import AlreadyExists, EntryMissing, UnsafeIdentifier

FOLDER = "indexes"
_CLAIM = "claim.json"
_SUMMARY = "summary.json"


@dataclass(frozen=True)
class Index:
    """One run's index. ``claim``: what it meant to make. ``summary`` None: it did not finish."""

    number: int
    claim: Mapping[str, Any]
    storage: Storage = field(repr=False, compare=False)
    path: str = field(repr=False)

    @cached_property
    def summary(self) -> dict[str, Any] | None:
        try:
            return read_document(self.storage, f"{self.path}/{_SUMMARY}")
        except EntryMissing:
            return None

    def parts(self) -> list[dict[str, Any]]:
        """The parts in the order they were appended; each is columnar."""
        names = [n for n in self.storage.list(self.path) if n.startswith("part-")]
        return [read_document(self.storage, f"{self.path}/{name}") for name in sorted(names)]

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
    """Appends to an index of its own number."""

    def __init__(self, storage: Storage, path: str, number: int) -> None:
        self.number = number
        self._storage = storage
        self._path = path
        self._parts = 0

    def append(self, part: Mapping[str, Any]) -> None:
        """Add one batch of one step; it is there whole when this returns."""
        self._storage.create(
            f"{self._path}/part-{self._parts:04d}.json.gz", encode_gzip(dict(part))
        )
        self._parts += 1

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Say how the run ended; without it the index counts as unfinished."""
        self._storage.create(f"{self._path}/{_SUMMARY}", encode(dict(summary)))


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
        path = self.path(number)
        claim = read_document(self.storage, f"{path}/{_CLAIM}")
        return Index(number=number, claim=claim, storage=self.storage, path=path)

    def newest(self, complete_only: bool = False) -> Index | None:
        """The newest index, or the newest of a run that finished."""
        for number in reversed(self.numbers()):
            try:
                index = self.get(number)
            except EntryMissing:
                continue
            if not complete_only or index.summary is not None:
                return index
        return None

    def begin(self, claim: Mapping[str, Any]) -> IndexWriter:
        """Take the next number and say what the run means to make, before its first look."""
        data = encode(dict(claim))
        number = max(self.numbers(), default=0) + 1
        while True:
            try:
                self.storage.create(f"{self.path(number)}/{_CLAIM}", data)
            except AlreadyExists:
                number += 1
            else:
                return IndexWriter(self.storage, self.path(number), number)

    def delete(self, number: int) -> None:
        """Remove an index: the claim first, so that no reader takes the rest for one."""
        self.storage.delete(f"{self.path(number)}/{_CLAIM}")
        self.storage.delete(self.path(number))


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
