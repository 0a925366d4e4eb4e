"""Storage behind an fsspec URL: exclusive creation by ``If-None-Match`` where the service has it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from cohortflow.cohort.storage import Storage
from cohortflow.errors import AlreadyExists, EntryMissing, StoreUnavailable, UsageError

_MEMORY_LOCK = threading.Lock()
_LOST_RACE = ("PreconditionFailed", "ConditionalRequestConflict")


class ObjectStorage(Storage):
    """A bucket and prefix (``s3://bucket/cohort``), or ``memory://name`` within one process."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.protocol = url.split("://", 1)[0]
        self._options = _options(self.protocol)
        self._errors = _service_errors(self.protocol)
        try:
            import fsspec

            self._fs, self._root = fsspec.core.url_to_fs(self.url, **self._options)
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"{self.protocol}:// cannot be opened: {error}",
                where=url,
                hint="Install the extra: pip install 'cohortflow[s3]'."
                if self.protocol in ("s3", "s3a")
                else "",
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
        except self._errors as error:
            if any(code in str(error) for code in _LOST_RACE):
                raise AlreadyExists("already there", where=f"{self.url}/{path}") from None
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

    def zarr_store(self, path: str) -> Any:
        from zarr.storage import FsspecStore

        return FsspecStore.from_url(f"{self.url}/{path}", storage_options=dict(self._options))


def _options(protocol: str) -> dict[str, Any]:
    if protocol not in ("s3", "s3a"):
        return {}
    # No region: a service that is not Amazon's refuses a wrong one. No listing cache: other
    # processes write too.
    return {"config_kwargs": {"s3": {"addressing_style": "path"}}, "use_listings_cache": False}


def _service_errors(protocol: str) -> tuple[type[Exception], ...]:
    if protocol not in ("s3", "s3a"):
        return (OSError,)
    try:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
    except ImportError:
        return (OSError,)
    return (OSError, BotoCoreError, ClientError)
