"""Storage that fails on purpose: after the k-th file that reaches the disk, the process is gone."""

from __future__ import annotations

from collections.abc import Mapping

from cohortflow.cohort.local_storage import LocalStorage


class Crash(BaseException):
    """Stands for SIGKILL: nothing may catch it and clean up."""


class CrashingStorage(LocalStorage):
    """A local store whose process dies before its (k+1)-th change.

    Every file of a tree is a change of its own; ``after`` None never fails.
    """

    def __init__(self, folder: str, after: int | None = None) -> None:
        super().__init__(folder)
        self.after = after
        self.changes = 0

    def _change(self) -> None:
        if self.after is not None and self.changes >= self.after:
            raise Crash(f"after {self.changes} changes")
        self.changes += 1

    def create(self, path: str, data: bytes) -> None:
        self._change()
        super().create(path, data)

    def write(self, path: str, data: bytes) -> None:
        self._change()
        super().write(path, data)

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            self._change()
            super().write_tree(path, {name: data})

    def delete(self, path: str) -> None:
        self._change()
        super().delete(path)
