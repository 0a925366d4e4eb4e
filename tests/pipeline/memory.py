"""A store in a dictionary: fsspec's one looks through everything to list a folder."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from cohortflow.cohort.cohort import SCHEMA, Cohort
from cohortflow.cohort.storage import Storage
from cohortflow.errors import AlreadyExists, EntryMissing


class DictStorage(Storage):
    """Folders are dictionaries, files are bytes."""

    def __init__(self) -> None:
        self.url = f"dict://{uuid.uuid4()}"
        self._root: dict[str, Any] = {}

    def _find(self, path: str) -> Any:
        found: Any = self._root
        for name in filter(None, path.split("/")):
            if not isinstance(found, dict) or name not in found:
                return None
            found = found[name]
        return found

    def _folder(self, path: str) -> tuple[dict[str, Any], str]:
        *parents, name = path.split("/")
        folder = self._root
        for parent in parents:
            folder = folder.setdefault(parent, {})
        return folder, name

    def read(self, path: str) -> bytes:
        found = self._find(path)
        if not isinstance(found, bytes):
            raise EntryMissing("no such file", where=f"{self.url}/{path}")
        return found

    def exists(self, path: str) -> bool:
        return self._find(path) is not None

    def list(self, path: str) -> list[str]:
        found = self._find(path)
        return sorted(found) if isinstance(found, dict) else []

    def walk(self, path: str) -> Iterator[tuple[str, int]]:
        for name in self.list(path):
            inner = f"{path}/{name}" if path else name
            found = self._find(inner)
            if isinstance(found, bytes):
                yield inner, len(found)
            else:
                yield from self.walk(inner)

    def create(self, path: str, data: bytes) -> None:
        folder, name = self._folder(path)
        if name in folder:
            raise AlreadyExists("already there", where=f"{self.url}/{path}")
        folder[name] = data

    def write(self, path: str, data: bytes) -> None:
        folder, name = self._folder(path)
        folder[name] = data

    def delete(self, path: str) -> None:
        folder, name = self._folder(path)
        folder.pop(name, None)


def memory_cohort() -> Cohort:
    """A cohort that nobody else can open."""
    return Cohort(DictStorage(), {"schema": SCHEMA, "id": str(uuid.uuid4()), "title": ""})
