"""A local path or an fsspec URL behind one small class: read, list, and create exclusively.

Paths are relative, ``/``-separated. ``create`` is the one operation records rely on: the file is
there whole or not at all, it survives power loss, and of several creators exactly one succeeds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

TEMPORARY = ".tmp-"
"""Prefix of files that a crash may leave behind; never listed, found by ``walk``."""


class Storage(ABC):
    """Where a cohort lives. Errors: EntryMissing, AlreadyExists, StoreUnavailable."""

    url: str
    lists_in_pages: bool = False
    """Whether a page of a listing is cheaper than looking at what it names, one by one."""
    patience_s: float = 0.0
    """For how long it waits by itself for a store that is away."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The whole file; EntryMissing when absent, StoreUnavailable when the store is away."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether a file or a folder of this name is there."""

    @abstractmethod
    def list(self, path: str) -> list[str]:
        """Names in a folder, sorted; empty when there is no such folder."""

    @abstractmethod
    def walk(self, path: str) -> Iterator[tuple[str, int]]:
        """Every file below a folder, in order: (path relative to the store, bytes)."""

    def page_after(self, path: str) -> tuple[Sequence[str], bool]:
        """Paths that sort after ``path``, at most a page; whether there are no more.

        Where the storage does not ``lists_in_pages``, one page holds them all.
        """
        return sorted(found for found, _ in self.walk("") if found > path), True

    @abstractmethod
    def create(self, path: str, data: bytes) -> None:
        """Create a file whole, durable and exclusively; AlreadyExists when it is there."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write or replace a file; atomic on a disk. For heartbeats, logs and reports only."""

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        """Write the files of a folder that is the caller's own, durably when it returns."""
        for name, data in files.items():
            self.write(f"{path}/{name}", data)

    @abstractmethod
    def delete(self, path: str) -> None:
        """Delete a file or a whole folder; absent is fine."""

    def delete_files(self, paths: Sequence[str]) -> None:
        """Delete files, none of them a folder; absent is fine."""
        for path in paths:
            self.delete(path)

    def prune(self, path: str) -> None:  # noqa: B027 - an object store has no folders to remove
        """Remove a folder, and the folders above it, as long as they are empty."""

    def local_path(self, path: str) -> Path | None:
        """The file on this machine's disk; None where the store is remote."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"
