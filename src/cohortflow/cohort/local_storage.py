"""Storage on a disk: exclusive creation by hard link, everything synced before it counts."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cohortflow.cohort.file_systems import names_follow
from cohortflow.cohort.storage import TEMPORARY, Storage
from cohortflow.errors import AlreadyExists, DiskFull, EntryMissing, StoreError, StoreUnavailable

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_TRIES = 5
_FULL = {errno.ENOSPC, errno.EDQUOT}


class LocalStorage(Storage):
    """A folder. It need not exist before the first write."""

    def __init__(self, folder: str | Path) -> None:
        self.root = Path(os.path.abspath(os.path.expanduser(folder)))
        self.url = str(self.root)
        self._seen = _identity(self.url)
        self._names_follow: bool | None = None

    def _full(self, path: str) -> str:
        return os.path.join(self.url, path) if path else self.url

    def _away(self) -> bool:
        # An unmounted disk must not look like an empty cohort, nor must a new folder of its name.
        return self._seen is not None and _identity(self.url) != self._seen

    def _missing(self, path: str) -> EntryMissing | StoreUnavailable:
        if self._away():
            return StoreUnavailable("the store is away", where=self.url, hint="Is it mounted?")
        return EntryMissing("no such file", where=self._full(path))

    def read(self, path: str) -> bytes:
        try:
            with open(self._full(path), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise self._missing(path) from None
        except OSError as error:
            raise _unavailable(error, self._full(path)) from error

    def exists(self, path: str) -> bool:
        if os.path.exists(self._full(path)):
            return True
        if self._away():
            raise self._missing(path)
        return False

    def list(self, path: str) -> list[str]:
        try:
            names = os.listdir(self._full(path))
        except (FileNotFoundError, NotADirectoryError):
            if self._away():
                raise self._missing(path) from None
            return []
        except OSError as error:
            raise _unavailable(error, self._full(path)) from error
        if not names and self._away():
            raise self._missing(path)
        return sorted(name for name in names if not name.startswith(TEMPORARY))

    def walk(self, path: str) -> Iterator[tuple[str, int]]:
        if self._away():
            raise self._missing(path)
        for folder, folders, names in os.walk(self._full(path)):
            folders.sort()
            for name in sorted(names):
                full = os.path.join(folder, name)
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                    yield (
                        os.path.relpath(full, self.url).replace(os.sep, "/"),
                        os.stat(full).st_size,
                    )

    def create(self, path: str, data: bytes) -> None:
        full = self._full(path)
        folder = os.path.dirname(full)
        temporary, fresh = self._write_temporary(folder, data, durable=True)
        try:
            os.link(temporary, full)
        except FileExistsError:
            raise AlreadyExists("already there", where=full) from None
        except OSError as error:
            if error.errno in _NO_LINKS:
                raise StoreError(
                    "this file system has no hard links, which exclusive creation needs",
                    where=full,
                    found=os.strerror(error.errno),
                    hint="Keep the cohort on ext4, xfs, btrfs, apfs, NTFS or NFS, "
                    "not on exFAT or a FUSE mount without links.",
                ) from error
            raise _unavailable(error, full) from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        self._sync_folders((), fresh)
        _sync_folder(folder)

    def write(self, path: str, data: bytes) -> None:
        full = self._full(path)
        # Logs, heartbeats and reports: whole for every reader, but nothing is lost with them.
        temporary, _ = self._write_temporary(os.path.dirname(full), data, durable=False)
        try:
            os.replace(temporary, full)
        except OSError as error:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise _unavailable(error, full) from error

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        # All files first, then all syncs: the first sync pays, the others find little to do.
        full = {os.path.join(self._full(path), name): data for name, data in files.items()}
        folders = sorted({os.path.dirname(name) for name in full}, key=len, reverse=True)
        try:
            fresh = [above for folder in folders for above in self._make(folder)]
            for name, data in full.items():
                with open(name, "wb") as file:
                    file.write(data)
            for name in full:
                _sync(name)
            self._sync_folders(folders, fresh)
        except OSError as error:
            raise _unavailable(error, self._full(path)) from error

    def _sync_folders(self, folders: Sequence[str], fresh: Sequence[str]) -> None:
        """Make the names durable that lead to files just made and synced; deepest folders first."""
        if self._names_follow is None:
            self._names_follow = names_follow(self.url)
        for folder in () if self._names_follow else dict.fromkeys((*folders, *fresh)):
            _sync_folder(folder)

    def delete(self, path: str) -> None:
        full = self._full(path)
        try:
            if os.path.isdir(full) and not os.path.islink(full):
                shutil.rmtree(full)
            else:
                os.unlink(full)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unavailable(error, full) from error

    def prune(self, path: str) -> None:
        full = Path(self._full(path))
        while full != self.root and self.root in full.parents:
            try:
                full.rmdir()
            except OSError:
                return
            full = full.parent

    def local_path(self, path: str) -> Path:
        return Path(self._full(path))

    def _write_temporary(
        self, folder: str, data: bytes, *, durable: bool
    ) -> tuple[str, Sequence[str]]:
        """A file beside the target, synced if durable; the folders that gained a folder for it."""
        name = os.path.join(folder, f"{TEMPORARY}{secrets.token_hex(8)}")
        try:
            handle, fresh = self._open_new(name, folder)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
                if durable:
                    os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise _unavailable(error, name) from error
        return name, fresh

    def _open_new(self, name: str, folder: str) -> tuple[int, Sequence[str]]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        fresh: Sequence[str] = ()
        for _ in range(_TRIES):
            try:
                return os.open(name, flags, 0o644), fresh
            except FileNotFoundError:  # not there yet, or pruned while it was empty
                fresh = (*fresh, *self._make(folder))
        return os.open(name, flags, 0o644), fresh

    def _make(self, folder: str) -> Sequence[str]:
        """Make a folder; returns the folders above that gained one and are not synced yet."""
        if self._away():
            raise self._missing("")
        missing = []
        above = folder
        while not os.path.isdir(above):
            missing.append(above)
            above = os.path.dirname(above)
        fresh = []
        for name in reversed(missing):
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                os.mkdir(name)
            fresh.append(os.path.dirname(name))
        self._seen = self._seen or _identity(self.url)
        return fresh


def _identity(folder: str) -> tuple[int, int] | None:
    """Which folder it is, whatever its name; None where there is none."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None


def _sync(name: str) -> None:
    handle = os.open(name, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(name: str) -> None:
    if os.name == "posix":
        _sync(name)


def _unavailable(error: OSError, where: str) -> StoreUnavailable:
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        return DiskFull("the disk is full", where=where, hint="Make room and run again.")
    return StoreUnavailable("the store cannot be reached", where=where, found=reason)
