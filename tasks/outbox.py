"""Events on disk until MLflow has them: one folder each, complete once ``event.json`` is there."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK_WAIT_S = 30.0


@dataclass(frozen=True)
class Waiting:
    """One event and the folder of its artifacts."""

    folder: Path
    event: Mapping[str, Any]

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"


class Outbox:
    """A folder of waiting events; survives a crash at any point."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, event: Mapping[str, Any], artifacts: Mapping[str, bytes]) -> None:
        """Keep an event; one of the same ``run_id`` that still waits is replaced."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self.folder / f"{event['time_ms']:015d}-{_safe(str(event['run_id']))}"
        making = self.folder / f".making-{uuid.uuid4().hex}"
        (making / "artifacts").mkdir(parents=True)
        for name, data in artifacts.items():
            (making / "artifacts" / name).write_bytes(data)
        text = json.dumps(event, indent=1, ensure_ascii=False, allow_nan=False)
        (making / "event.json").write_text(text, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        making.rename(target)

    def waiting(self) -> list[Waiting]:
        """Complete events, oldest first."""
        if not self.folder.is_dir():
            return []
        folders = sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))
        return [
            Waiting(path, json.loads((path / "event.json").read_text(encoding="utf-8")))
            for path in folders
            if (path / "event.json").is_file()
        ]

    def remove(self, waiting: Waiting) -> None:
        shutil.rmtree(waiting.folder)

    @contextlib.contextmanager
    def locked(self, wait_s: float = LOCK_WAIT_S) -> Iterator[bool]:
        """One deliverer at a time; False when another still holds the outbox after ``wait_s``."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield _lock(handle, time.monotonic() + wait_s)
        finally:
            os.close(handle)


def _lock(handle: int, until: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.1)
        else:
            return True


def _safe(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)
