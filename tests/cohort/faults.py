"""Storage that fails on purpose: after the k-th file that reaches the disk, the process is gone."""

from __future__ import annotations

from collections.abc import Mapping

from cohortflow.cohort.local_storage import LocalStorage
from cohortflow.cohort.storage import TEMPORARY


class Crash(BaseException):
    """Stands for SIGKILL: nothing may catch it and clean up."""


class CrashingStorage(LocalStorage):
    """A local store whose process dies in its (k+1)-th change, ``after`` None never.

    Every file of a tree is a change of its own. ``torn``: the change is begun: half a file is
    there, or a temporary file, as the real operations would leave them.
    """

    def __init__(self, folder: str, after: int | None = None, *, torn: bool = False) -> None:
        super().__init__(folder)
        self.after = after
        self.torn = torn
        self.changes = 0

    def _dies(self) -> bool:
        if self.after is not None and self.changes >= self.after:
            return True
        self.changes += 1
        return False

    def _leave(self, path: str, data: bytes) -> None:
        if self.torn:
            half = self.local_path(path)
            half.parent.mkdir(parents=True, exist_ok=True)
            half.write_bytes(data[: len(data) // 2])
        raise Crash(f"after {self.changes} changes, in {path}")

    def create(self, path: str, data: bytes) -> None:
        if self._dies():
            self._leave(f"{path.rpartition('/')[0]}/{TEMPORARY}{self.changes:04x}", data)
        super().create(path, data)

    def write(self, path: str, data: bytes) -> None:
        if self._dies():
            self._leave(f"{path.rpartition('/')[0]}/{TEMPORARY}{self.changes:04x}", data)
        super().write(path, data)

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            if self._dies():
                self._leave(f"{path}/{name}", data)
            super().write_tree(path, {name: data})

    def delete(self, path: str) -> None:
        if self._dies():
            raise Crash(f"after {self.changes} changes, before deleting {path}")
        super().delete(path)
