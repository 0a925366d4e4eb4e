"""Storage behind an fsspec URL that is neither a disk nor S3, such as memory in tests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping

from cohortflow.cohort.storage import Storage
from cohortflow.errors import AlreadyExists, EntryMissing, StoreUnavailable, UsageError

_MEMORY_LOCK = threading.Lock()


class ObjectStorage(Storage):
    """A place of another protocol that fsspec knows; ``memory://name`` within one process."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.protocol = url.split("://", 1)[0]
        try:
            import fsspec

            self._fs, self._root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"{self.protocol}:// cannot be opened: {error}",
                where=url,
            ) from error

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    @contextlib.contextmanager
    def _named(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise EntryMissing("no such object", where=f"{self.url}/{path}") from None
        except FileExistsError:
            raise AlreadyExists("already there", where=f"{self.url}/{path}") from None
        except OSError as error:
            raise StoreUnavailable(
                "the store cannot be reached", where=f"{self.url}/{path}", found=str(error)
            ) from error

    def read(self, path: str) -> bytes:
        with self._named(path):
            return bytes(self._fs.cat_file(self._full(path)))

    def exists(self, path: str) -> bool:
        with self._named(path):
            return bool(self._fs.exists(self._full(path)))

    def list(self, path: str) -> list[str]:
        try:
            with self._named(path):
                names = self._fs.ls(self._full(path), detail=False)
        except EntryMissing:
            return []
        own = self._full(path).strip("/")
        return sorted({n.rstrip("/").rsplit("/", 1)[-1] for n in names if n.strip("/") != own})

    def walk(self, path: str) -> Iterator[tuple[str, int]]:
        with self._named(path):
            found = self._fs.find(self._full(path), detail=True)
        prefix = self._root.strip("/") + "/"
        for name in sorted(found):
            yield name.strip("/").removeprefix(prefix), int(found[name]["size"])

    def create(self, path: str, data: bytes) -> None:
        # fsspec's memory file system checks and then writes; threads of one process share it.
        guard = _MEMORY_LOCK if self.protocol == "memory" else contextlib.nullcontext()
        with guard, self._named(path):
            self._fs.pipe_file(self._full(path), data, mode="create")

    def write(self, path: str, data: bytes) -> None:
        with self._named(path):
            self._fs.pipe_file(self._full(path), data)

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        with self._named(path):
            self._fs.pipe({self._full(f"{path}/{name}"): data for name, data in files.items()})

    def delete(self, path: str) -> None:
        try:
            with self._named(path):
                self._fs.rm(self._full(path), recursive=True)
        except EntryMissing:
            return
