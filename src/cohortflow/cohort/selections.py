"""Selections: the subjects, entries and column values that trained things read, frozen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cohortflow.cohort.documents import digest, encode_gzip, numbers, numbers_in, read_document
from cohortflow.cohort.storage import Storage
from cohortflow.errors import AlreadyExists, EntryMissing

FOLDER = "selections"


@dataclass(frozen=True)
class Selection:
    """A frozen selection. ``digest`` is of the content when frozen and outlives withdrawals."""

    question: str
    number: int
    digest: str
    subjects: list[dict[str, Any]]
    described: dict[str, Any]
    withdrawn: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "digest": self.digest,
            "subjects": self.subjects,
            "described": self.described,
            "withdrawn": self.withdrawn,
        }

    def keys(self) -> set[str]:
        """Keys of the entries it names."""
        return {
            str(key)
            for line in self.subjects
            for entries in line.get("inputs", {}).values()
            for _point, _stage, key in entries
        }


class Selections:
    """All selections of a cohort, by question."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    @cached_property
    def _listed(self) -> dict[str, list[str]]:
        """Folder → names, all by one listing."""
        found: dict[str, list[str]] = {}
        for path, _ in self.storage.walk(FOLDER):
            folder, name = path.rsplit("/", 1)
            found.setdefault(folder, []).append(name)
        return found

    def newest(self, question: str) -> Selection | None:
        """The selection in force for a question, as of the first question asked here."""
        folder = _folder(question)
        for number in reversed(numbers_in(self._listed.get(folder, ()))):
            try:
                return self._read(folder, number)
            except EntryMissing:
                continue
        return None

    def freeze(
        self, question: str, subjects: Iterable[Mapping[str, Any]], described: Mapping[str, Any]
    ) -> Selection:
        """Freeze the next selection of a question; of two at once, both get the one that stands."""
        lines = sorted((dict(line) for line in subjects), key=lambda line: str(line["subject"]))
        taken = numbers(self.storage, _folder(question))
        selection = Selection(
            question=question,
            number=max(taken, default=0) + 1,
            digest=digest(lines),
            subjects=lines,
            described=dict(described),
        )
        return self.create(selection)

    def create(self, selection: Selection) -> Selection:
        """Write a selection at its number, or return the one that already stands there."""
        folder = _folder(selection.question)
        try:
            self.storage.create(
                f"{folder}/{selection.number:06d}.json.gz", encode_gzip(selection.to_json())
            )
        except AlreadyExists:
            return self._read(folder, selection.number)
        return selection

    def all(self) -> list[Selection]:
        """Every selection there is, by question and number."""
        found = []
        for name in self.storage.list(FOLDER):
            folder = f"{FOLDER}/{name}"
            found += [self._read(folder, number) for number in numbers(self.storage, folder)]
        return found

    def delete(self, selection: Selection) -> None:
        self.storage.delete(f"{_folder(selection.question)}/{selection.number:06d}.json.gz")

    def _read(self, folder: str, number: int) -> Selection:
        document = read_document(self.storage, f"{folder}/{number:06d}.json.gz")
        return Selection(number=number, **document)


def _folder(question: str) -> str:
    return f"{FOLDER}/{hashlib.sha256(question.encode()).hexdigest()[:32]}"
