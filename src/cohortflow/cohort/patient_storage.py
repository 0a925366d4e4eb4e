"""A storage that waits while the one behind it is away, for as long as it is told to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from cohortflow.cohort.storage import Storage
from cohortflow.errors import AlreadyExists, StoreUnavailable

Result = TypeVar("Result")
Sleep = Callable[[float], None]

LONGEST_PAUSE_S = 8.0


class PatientStorage(Storage):
    """Tries again, with growing pauses, until the store was away for ``away_s`` without a break.

    From then on every call fails at once, until one succeeds. ``sleep`` may raise to end the wait.
    """

    def __init__(
        self,
        inner: Storage,
        *,
        pause_s: float,
        away_s: float,
        sleep: Sleep = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        on_wait: Callable[[StoreUnavailable], None] = lambda error: None,
    ) -> None:
        self.inner = inner
        self.url = inner.url
        self._pause_s = pause_s
        self._away_s = away_s
        self._sleep = sleep
        self._clock = clock
        self._on_wait = on_wait
        self._away_since: float | None = None
        self._given_up = False

    def read(self, path: str) -> bytes:
        return self._try(lambda: self.inner.read(path))

    def exists(self, path: str) -> bool:
        return self._try(lambda: self.inner.exists(path))

    def list(self, path: str) -> list[str]:
        return self._try(lambda: self.inner.list(path))

    def walk(self, path: str) -> Iterator[tuple[str, int]]:
        return self.inner.walk(path)

    def create(self, path: str, data: bytes) -> None:
        failed = False

        def once() -> None:
            nonlocal failed
            try:
                self.inner.create(path, data)
            except StoreUnavailable:
                failed = True
                raise
            except AlreadyExists:
                # The try that failed may have been heard all the same, and only its answer lost.
                if not failed or self.inner.read(path) != data:
                    raise

        self._try(once)

    def write(self, path: str, data: bytes) -> None:
        self._try(lambda: self.inner.write(path, data))

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        self._try(lambda: self.inner.write_tree(path, files))

    def delete(self, path: str) -> None:
        self._try(lambda: self.inner.delete(path))

    def prune(self, path: str) -> None:
        self.inner.prune(path)

    def local_path(self, path: str) -> Path | None:
        return self.inner.local_path(path)

    def _try(self, call: Callable[[], Result]) -> Result:
        pause = self._pause_s
        while True:
            try:
                result = call()
            except StoreUnavailable as error:
                now = self._clock()
                if self._away_since is None:
                    self._away_since = now
                if self._given_up or now + pause - self._away_since > self._away_s:
                    self._given_up = True
                    raise
                self._on_wait(error)
                self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            else:
                self._away_since, self._given_up = None, False
                return result
