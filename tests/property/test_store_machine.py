"""The store under any order of commits, crashes, races, claims and collections; then leases.

What holds after every step: an entry that can be read is whole and is what one writer wrote; a
unit is committed once; what something names is never collected; fsck finds every file that no
record names.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import xarray as xr
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cohortflow.cohort.cohort import create_cohort
from cohortflow.cohort.entries import RECORD, Entries, EntryRef
from cohortflow.cohort.entry import Output
from cohortflow.cohort.failures import failures, record_failure
from cohortflow.cohort.gc import DAY_S, kept_keys
from cohortflow.cohort.leases import Lease
from cohortflow.cohort.maintenance import fsck, gc
from cohortflow.cohort.open_storage import open_storage
from cohortflow.errors import LeaseHeld
from tests.cohort.faults import Crash, CrashingStorage
from tests.cohort.samples import key

REFS = [
    EntryRef("sub-01", "embed", key("a")),
    EntryRef("sub-01", "embed", key("b")),
    EntryRef("sub-02", "embed", key("c")),
    EntryRef(None, "pool", key("d")),
]
KEEP = 2
QUICK = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

refs = st.sampled_from(REFS)
values = st.integers(0, 9)


def _output(value: int) -> Output:
    dataset = xr.Dataset({"features": (("item", "feature"), np.full((2, 3), float(value)))})
    files = {"note.txt": f"value {value}".encode(), "empty": b""}
    return Output(dataset=dataset, files=files, facts={"value": value})


class StoreMachine(RuleBasedStateMachine):
    """A cohort on a disk beside a dictionary that says what must be in it."""

    def __init__(self) -> None:
        super().__init__()
        # Processes die here, power does not fail: what was written stays.
        self._fsync, os.fsync = os.fsync, lambda _: None
        self.folder = Path(tempfile.mkdtemp(prefix="store-machine-"))
        self.cohort = create_cohort(self.folder / "cohort")
        self.committed: dict[EntryRef, int] = {}
        self.failed: dict[EntryRef, int] = {}
        self.nameless_since: dict[EntryRef, float] = {}
        self.looked_at: set[str] = set()
        self.now = 1_700_000_000.0

    def teardown(self) -> None:
        os.fsync = self._fsync
        shutil.rmtree(self.folder)

    # --- what happens to a store ------------------------------------------------------------------

    @rule(ref=refs, value=values, after=st.integers(0, 12), torn=st.booleans())
    def crash(self, ref: EntryRef, value: int, after: int, torn: bool) -> None:
        """A writer dies somewhere; it may have got as far as its record."""
        storage = CrashingStorage(self.cohort.url, after, torn=torn)
        try:
            Entries(storage).commit(ref, "features", _output(value))
        except Crash:
            return
        self.committed.setdefault(ref, value)

    @rule(ref=refs, value=values)
    def commit(self, ref: EntryRef, value: int) -> None:
        record = self.cohort.entries.commit(ref, "features", _output(value))
        self.committed.setdefault(ref, value)
        assert record.facts["value"] == self.committed[ref]

    @rule(ref=refs, first=values, others=st.integers(1, 3))
    def race(self, ref: EntryRef, first: int, others: int) -> None:
        """Several writers commit one unit at once: all are told of the same attempt."""
        gate = threading.Barrier(others + 1)

        def write(value: int) -> tuple[str, int]:
            output = _output(value)
            gate.wait()
            record = self.cohort.entries.commit(ref, "features", output)
            return record.attempt, int(record.facts["value"])

        with ThreadPoolExecutor(others + 1) as pool:
            told = set(pool.map(write, range(first, first + others + 1)))
        assert len(told) == 1
        ((_, value),) = told
        assert value == self.committed.setdefault(ref, value)

    @rule(ref=refs)
    def fail(self, ref: EntryRef) -> None:
        record_failure(self.cohort.storage, ref, {"code": "x", "n": self.failed.get(ref, 0)})
        self.failed[ref] = self.failed.get(ref, 0) + 1

    @rule(named=st.sets(refs), finished=st.booleans())
    def claim(self, named: set[EntryRef], finished: bool) -> None:
        writer = self.cohort.indexes("p").begin({"keys": sorted(ref.key for ref in named)})
        if finished:
            writer.finish({})

    @rule(hours=st.integers(0, 48), dry_run=st.booleans())
    def collect(self, hours: int, dry_run: bool) -> None:
        self.now += hours * 3600.0
        kept = kept_keys(self.cohort, KEEP)
        result = gc(self.cohort, dry_run, keep=KEEP, now=lambda: self.now)
        for ref in REFS:
            named = ref.key[:16] in kept
            known = ref in self.committed or ref in self.failed
            if named or not known:
                if not dry_run:
                    self.nameless_since.pop(ref, None)
                assert ref.path not in result.deleted
                continue
            due = self.now - self.nameless_since.get(ref, self.now) >= DAY_S
            assert (ref.path in result.deleted) == due
            if dry_run:
                continue
            self.nameless_since.setdefault(ref, self.now)
            if due:
                self.committed.pop(ref, None)
                self.failed.pop(ref, None)
                del self.nameless_since[ref]

    # --- what must hold ---------------------------------------------------------------------------

    @invariant()
    def readable_entries_are_whole_and_one_writers(self) -> None:
        for ref in REFS:
            value = self.committed.get(ref)
            assert self.cohort.entries.exists(ref) == (value is not None)
            if value is None:
                assert self.cohort.entries.record(ref) is None
                continue
            assert self.cohort.entries.verify(ref) == []
            record = self.cohort.entries.record(ref)
            assert record is not None
            if record.attempt in self.looked_at:
                continue  # the same digests
            self.looked_at.add(record.attempt)
            entry = self.cohort.entries.open(ref)
            assert np.all(entry.dataset["features"].values == value)
            assert entry.read_file("note.txt") == f"value {value}".encode()
            assert entry.facts == {"value": value}

    @invariant()
    def failures_are_kept_in_order(self) -> None:
        for ref in REFS:
            found = [failure["n"] for failure in failures(self.cohort.storage, ref)]
            assert found == list(range(self.failed.get(ref, 0)))

    @invariant()
    def fsck_finds_every_file_that_no_record_names(self) -> None:
        problems = {problem.path for problem in fsck(self.cohort)}
        unnamed = _unnamed_files(Path(self.cohort.url))
        covered = {
            path
            for path in unnamed
            if any(path == problem or path.startswith(f"{problem}/") for problem in problems)
        }
        assert covered == unnamed
        for problem in problems:
            assert any(path == problem or path.startswith(f"{problem}/") for path in unnamed)


def _unnamed_files(root: Path) -> set[str]:
    """The slow and obvious way: every file of the entries, less what records name."""
    files = {
        path.relative_to(root).as_posix()
        for top in ("subjects", "cohort")
        for path in (root / top).rglob("*")
        if path.is_file()
    }
    named = {path for path in files if path.split("/")[-2] == "failures" and "/.tmp-" not in path}
    for path in files:
        folder, _, name = path.rpartition("/")
        if name == RECORD:
            record = json.loads((root / path).read_text())
            named |= {path, *(f"{folder}/{record['attempt']}/{file}" for file in record["files"])}
    return files - named


class LeaseMachine(RuleBasedStateMachine):
    """Runs on several machines that take, keep, lose and give back one lease.

    Each run is one ``Lease``; those on other machines can only be told dead by their silence.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lease-machine-"))
        self.storage = open_storage(self.folder)
        self.leases: list[Lease] = []
        self.beating: set[int] = set()
        self.ended: set[int] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def _observe(self, wait: bool = False) -> Lease | None:
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds
            for lease in self.leases:
                if lease.number in self.beating:
                    lease.beat()

        try:
            return Lease.acquire(
                self.storage, "p", run_id="r", clock=lambda: now[0], sleep=sleep, wait=wait
            )
        except LeaseHeld:
            return None

    def _holder(self) -> Lease | None:
        last = self.leases[-1] if self.leases else None
        return None if last is None or last.number in self.ended else last

    @rule(elsewhere=st.booleans(), beats=st.booleans())
    def take(self, elsewhere: bool, beats: bool) -> None:
        holder = self._holder()
        lease = self._observe()
        if holder is not None:
            here = _is_here(self.storage, holder)
            assert (lease is None) == (here or holder.number in self.beating)
        else:
            assert lease is not None
        if lease is None:
            return
        if elsewhere:
            _move(self.storage, lease)
        if beats:
            self.beating.add(lease.number)
        self.leases.append(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def falls_asleep(self, data: st.DataObject) -> None:
        self.beating.discard(data.draw(st.sampled_from(self.leases)).number)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def wakes_up(self, data: st.DataObject) -> None:
        """A zombie beats again: it must notice when it was replaced."""
        lease = data.draw(st.sampled_from(self.leases))
        if lease.number in self.ended:
            return
        assert lease.beat() == (lease is self.leases[-1])
        self.beating.add(lease.number)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def gives_back(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        lease.release()
        self.beating.discard(lease.number)
        self.ended.add(lease.number)

    @precondition(lambda self: self._holder() is not None)
    @rule()
    def is_killed_here(self) -> None:
        """Its process is gone from this machine: void at once."""
        lease = self.leases[-1]
        if _is_here(self.storage, lease):
            _change(self.storage, lease, started="gone")
            self.beating.discard(lease.number)
            self.ended.add(lease.number)

    @rule(takers=st.integers(2, 4))
    def rush(self, takers: int) -> None:
        """Several find the lease void at once: one gets it."""
        if self._holder() is not None:
            return
        gate = threading.Barrier(takers)

        def attempt(_: int) -> Lease | None:
            gate.wait()
            return self._observe()

        with ThreadPoolExecutor(takers) as pool:
            won = [lease for lease in pool.map(attempt, range(takers)) if lease is not None]
        assert len(won) == 1
        self.leases += won

    @invariant()
    def one_holds_and_every_other_knows(self) -> None:
        for lease in self.leases:
            assert lease._superseded() == (lease is not self.leases[-1])
        numbers = [lease.number for lease in self.leases]
        assert numbers == sorted(set(numbers))


def _change(storage, lease: Lease, **fields: str) -> None:  # type: ignore[no-untyped-def]
    path = f"leases/p/{lease.number:06d}.json"
    storage.write(path, json.dumps({**json.loads(storage.read(path)), **fields}).encode())


def _move(storage, lease: Lease) -> None:  # type: ignore[no-untyped-def]
    _change(storage, lease, machine="another machine")


def _is_here(storage, lease: Lease) -> bool:  # type: ignore[no-untyped-def]
    holder = json.loads(storage.read(f"leases/p/{lease.number:06d}.json"))
    return bool(holder["machine"] != "another machine")


TestStore = StoreMachine.TestCase
TestStore.settings = QUICK
TestLeases = LeaseMachine.TestCase
TestLeases.settings = QUICK
