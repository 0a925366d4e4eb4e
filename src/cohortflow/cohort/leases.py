"""Leases: one run per cohort and pipeline. Numbered files, a heartbeat counter, no shared clock.

The newest number holds. Whoever finds it void creates the next one, exclusively, so two observers
of one void lease cannot both win; the former holder finds the higher number and is ``lost``.
"""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from cohortflow.cohort.documents import decode, encode, numbers, numbers_in, read_document
from cohortflow.cohort.processes import identity, is_dead
from cohortflow.cohort.storage import Storage
from cohortflow.errors import (
    AccessDenied,
    AlreadyExists,
    EntryMissing,
    LeaseHeld,
    StoreUnavailable,
    UnsafeIdentifier,
)

FOLDER = "leases"
_HOLDER = ".json"
_BEAT = ".beat"
_END = ".end"
_KEPT = 3

Clock = Callable[[], float]


class Lease:
    """A lease that this process holds. As a context manager it beats in a daemon thread."""

    def __init__(
        self, storage: Storage, name: str, number: int, run_id: str, silence_s: float
    ) -> None:
        self.storage = storage
        self.name = name
        self.number = number
        self.run_id = run_id
        self.silence_s = silence_s
        self._beats = 0
        self._lost = False
        self._released = False
        self._looked = time.time()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.on_lost: Callable[[], None] = lambda: None
        """Called once, from the thread that beats, when another run has taken over."""

    @classmethod
    def acquire(
        cls,
        storage: Storage,
        name: str,
        *,
        run_id: str,
        silence_s: float = 60.0,
        wait: bool = False,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Lease:
        """Take the lease. LeaseHeld says who has it, since when and what to do.

        A holder on another machine is watched for up to ``silence_s`` of this observer's own
        clock: a heartbeat in that time means held, none means void. ``wait`` watches for ever.
        """
        folder = _folder(name)
        watch: _Watch | None = None
        while True:
            names = storage.list(folder)
            number = max(numbers_in(names), default=0)
            if number and f"{number:06d}{_END}" not in names:
                if watch is None or watch.number != number:
                    watch = _Watch(storage, folder, number, clock)
                held = watch.held(silence_s)
                if held is True and not wait:
                    raise _held(name, watch.holder)
                if held is not False:
                    sleep(min(1.0, silence_s / 20))
                    continue
            lease = cls._take(storage, name, number + 1, run_id, silence_s)
            if lease is not None:
                return lease

    @classmethod
    def _take(
        cls, storage: Storage, name: str, number: int, run_id: str, silence_s: float
    ) -> Lease | None:
        folder = _folder(name)
        holder = {
            **identity(),
            "run": run_id,
            "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "silence_s": silence_s,
        }
        try:
            storage.create(f"{folder}/{number:06d}{_HOLDER}", encode(holder))
        except AlreadyExists:
            return None
        lease = cls(storage, name, number, run_id, silence_s)
        names = storage.list(folder)
        if lease._is_below(names):  # a slow taker may fill a gap that was cleaned behind the others
            storage.delete(f"{folder}/{number:06d}{_HOLDER}")
            return None
        old = [n for n in names if max(numbers_in([n]), default=number) <= number - _KEPT]
        storage.delete_files([f"{folder}/{name}" for name in old])
        return lease

    def beat(self) -> bool:
        """Add one to the heartbeat counter; False, and ``lost``, when another took over."""
        if self._released or self._superseded():
            return False
        self._beats += 1
        self.storage.write(
            f"{_folder(self.name)}/{self.number:06d}{_BEAT}", encode({"beat": self._beats})
        )
        return True

    @property
    def lost(self) -> bool:
        """Whether another run took over; looks at the store when the last look is a beat old.

        By wall time, which goes on while a laptop sleeps.
        """
        if not self._lost and not 0 <= time.time() - self._looked < self.silence_s / 4:
            with contextlib.suppress(StoreUnavailable):  # not known, as long as the store is away
                self._superseded()
        return self._lost

    def release(self) -> None:
        """Give the lease back; once it is lost there is nothing to give."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None
        if self._released or self._lost:
            return
        self._released = True
        self.storage.write(f"{_folder(self.name)}/{self.number:06d}{_END}", encode({"ended": True}))

    def __enter__(self) -> Lease:
        # The holder's file counts as the first beat: a short run writes no other.
        self._thread = threading.Thread(target=self._beat_on, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.release()
            return
        with contextlib.suppress(StoreUnavailable, AccessDenied):  # the error says more
            self.release()

    def _beat_on(self) -> None:
        while not self._stop.wait(self.silence_s / 4):
            try:
                if not self.beat():
                    self.on_lost()
                    return
            except (StoreUnavailable, AccessDenied):
                continue  # the store may come back; whether the lease was lost is seen then

    def _superseded(self) -> bool:
        return self._is_below(self.storage.list(_folder(self.name)))

    def _is_below(self, names: Sequence[str]) -> bool:
        self._looked = time.time()
        # `or`: once lost, always lost.
        self._lost = self._lost or max(numbers_in(names), default=0) > self.number
        return self._lost


class _Watch:
    """One observer's view of one numbered lease."""

    def __init__(self, storage: Storage, folder: str, number: int, clock: Clock) -> None:
        self.number = number
        self._storage = storage
        self._path = f"{folder}/{number:06d}"
        self._clock = clock
        self._seen: bytes | None = self._beat()
        self._since = clock()
        self._alive = False
        try:
            self.holder = read_document(storage, f"{self._path}{_HOLDER}")
        except EntryMissing:  # withdrawn by a taker who found a higher number
            self.holder = {}

    def held(self, silence_s: float) -> bool | None:
        """True held, False free or void, None not known yet."""
        if self._storage.exists(f"{self._path}{_END}"):
            return False
        dead = is_dead(self.holder)
        if dead:
            return False
        beat = self._beat()
        if beat != self._seen:
            self._seen, self._since, self._alive = beat, self._clock(), True
        if self._clock() - self._since >= max(
            silence_s, float(self.holder.get("silence_s", silence_s))
        ):
            return False
        return True if self._alive or dead is False else None

    def _beat(self) -> bytes | None:
        try:
            return self._storage.read(f"{self._path}{_BEAT}")
        except EntryMissing:
            return None


def holder(storage: Storage, name: str) -> Mapping[str, Any] | None:
    """Who may hold the lease right now, without waiting: None when free or its process is dead."""
    folder = _folder(name)
    number = max(numbers(storage, folder), default=0)
    if not number or storage.exists(f"{folder}/{number:06d}{_END}"):
        return None
    try:
        found = decode(storage.read(f"{folder}/{number:06d}{_HOLDER}"), f"{folder}/{number:06d}")
    except EntryMissing:
        return None
    return None if is_dead(found) else found


def held(storage: Storage) -> dict[str, Mapping[str, Any]]:
    """Every lease that may be held right now: name → holder."""
    found = {name: holder(storage, name) for name in storage.list(FOLDER)}
    return {name: who for name, who in found.items() if who is not None}


def _folder(name: str) -> str:
    if not name or name.startswith(".") or any(c in name for c in "/\\\0"):
        raise UnsafeIdentifier("not usable as the name of a lease", found=repr(name))
    return f"{FOLDER}/{name}"


def _held(name: str, holder: Mapping[str, Any]) -> LeaseHeld:
    return LeaseHeld(
        f"{name!r} is being run by {holder.get('run', 'another run')}",
        found=f"process {holder.get('pid')} on {holder.get('host')}, since {holder.get('since')}",
        hint="Wait for it (--wait), or end that process; its lease is then void at once.",
    )
