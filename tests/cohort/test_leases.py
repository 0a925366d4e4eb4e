from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cohortflow.cohort import leases, processes
from cohortflow.cohort.leases import Lease
from cohortflow.cohort.open_storage import open_storage
from cohortflow.cohort.storage import Storage
from cohortflow.errors import LeaseHeld
from tests.cohort import own_processes


@pytest.fixture
def storage(url: str) -> Storage:
    return open_storage(url)


class Clock:
    """The observer's clock: only its own waiting moves it."""

    def __init__(self, meanwhile: Callable[[float], object] = lambda now: None) -> None:
        self.now = 0.0
        self.meanwhile = meanwhile

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile(self.now)


def _take(storage: Storage, run: str, clock: Clock | None = None, **options: Any) -> Lease:
    clock = clock or Clock()
    return Lease.acquire(
        storage, "mci", run_id=run, clock=clock, sleep=clock.sleep, **{"silence_s": 60, **options}
    )


def _elsewhere(storage: Storage, lease: Lease) -> None:
    """Make a lease look as if another machine held it."""
    path = f"leases/mci/{lease.number:06d}.json"
    holder = json.loads(storage.read(path))
    storage.write(path, json.dumps({**holder, "machine": "other boot", "host": "node7"}).encode())


def test_a_second_run_is_refused_by_name(storage: Storage) -> None:
    _take(storage, "run-1")
    clock = Clock()
    with pytest.raises(LeaseHeld, match="run-1") as caught:
        _take(storage, "run-2", clock)
    assert str(os.getpid()) in caught.value.found
    assert "since" in caught.value.found
    assert "--wait" in caught.value.hint
    assert caught.value.exit_code == 5
    assert clock.now == 0, "its process lives here: nothing to watch for"


def test_other_pipelines_are_free(storage: Storage) -> None:
    _take(storage, "run-1")
    Lease.acquire(storage, "other", run_id="run-2")


def test_a_released_lease_is_free(storage: Storage) -> None:
    first = _take(storage, "run-1")
    first.release()
    second = _take(storage, "run-2")
    assert second.number == first.number + 1
    assert not second.lost


def test_a_silent_holder_elsewhere_is_void_after_the_observers_own_60_seconds(
    storage: Storage,
) -> None:
    first = _take(storage, "run-1")
    first.beat()
    _elsewhere(storage, first)
    clock = Clock()
    second = _take(storage, "run-2", clock)
    assert 60 <= clock.now < 65
    assert second.number == 2
    assert not first.beat(), "a laptop that slept must notice"
    assert first.lost
    first.release()
    assert not storage.exists("leases/mci/000001.end")
    assert not second.lost


def test_a_beat_elsewhere_refuses_as_soon_as_it_is_seen(storage: Storage) -> None:
    first = _take(storage, "run-1")
    _elsewhere(storage, first)
    clock = Clock(lambda now: now > 14 and first.beat())
    with pytest.raises(LeaseHeld, match="run-1") as caught:
        _take(storage, "run-2", clock)
    assert "node7" in caught.value.found
    assert clock.now < 20


def test_a_run_that_has_not_beaten_yet_gets_its_full_silence(storage: Storage) -> None:
    first = _take(storage, "run-1")
    _elsewhere(storage, first)
    clock = Clock(lambda now: 55 < now < 57 and first.beat())
    with pytest.raises(LeaseHeld):
        _take(storage, "run-2", clock)


def test_waiting_takes_over_when_the_holder_ends(storage: Storage) -> None:
    first = _take(storage, "run-1")
    clock = Clock(lambda now: now > 500 and first.release())
    second = _take(storage, "run-2", clock, wait=True, silence_s=10_000)
    assert second.number == 2
    assert clock.now > 500


def test_waiting_outlasts_a_holder_that_beats(storage: Storage) -> None:
    first = _take(storage, "run-1")
    _elsewhere(storage, first)
    clock = Clock(lambda now: first.beat() if now < 300 else None)
    second = _take(storage, "run-2", clock, wait=True)
    assert second.number == 2
    assert clock.now >= 355


def test_a_killed_process_is_void_at_once(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "store")
    context = own_processes.context()
    holding = context.Event()
    child = context.Process(target=_hold, args=(storage.url, holding))
    child.start()
    assert holding.wait(30)
    with pytest.raises(LeaseHeld, match="the-child"):
        _take(storage, "run-2")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    # Not joined: a killed process that nobody waited for is as dead.
    deadline = time.monotonic() + 10
    while leases.holder(storage, "mci") is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    clock = Clock()
    assert _take(storage, "run-2", clock).number == 2
    assert clock.now == 0
    child.join()


def _hold(url: str, holding: Any) -> None:
    with Lease.acquire(open_storage(url), "mci", run_id="the-child"):
        holding.set()
        time.sleep(60)


@pytest.mark.parametrize(
    ("change", "dead"),
    [
        ({}, False),
        ({"started": "1"}, True),  # the pid was given to another process
        ({"pid": 2**22 + 1}, True),
        ({"machine": "another boot, or a container with the same host name"}, None),
        ({"machine": ""}, None),
    ],
)
def test_only_the_whole_identity_names_a_process(change: dict[str, Any], dead: bool | None) -> None:
    assert processes.is_dead({**processes.identity(), **change}) is dead


def test_of_many_takers_of_a_void_lease_one_wins(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "store")
    for round_number in range(1, 11):
        void = _take(storage, "gone")
        path = f"leases/mci/{void.number:06d}.json"
        holder = json.loads(storage.read(path))
        storage.write(path, json.dumps({**holder, "started": "1"}).encode())
        gate = threading.Barrier(8)

        def attempt(i: int, gate: threading.Barrier = gate) -> Lease | None:
            gate.wait()
            try:
                return _take(storage, f"taker-{i}")
            except LeaseHeld:
                return None

        with ThreadPoolExecutor(8) as pool:
            won = [lease for lease in pool.map(attempt, range(8)) if lease is not None]
        assert len(won) == 1, round_number
        won[0].release()


def test_a_slow_taker_does_not_win_a_number_that_was_passed(storage: Storage) -> None:
    for run in "abcdef":
        _take(storage, run).release()
    holding = _take(storage, "g")
    assert not storage.exists("leases/mci/000001.json"), "old numbers are cleaned"
    assert Lease._take(storage, "mci", 2, "slow", 60) is None
    assert not storage.exists("leases/mci/000002.json")
    assert not holding.lost


def test_the_context_beats_and_releases(storage: Storage) -> None:
    with Lease.acquire(storage, "mci", run_id="r", silence_s=0.2) as lease:
        path = f"leases/mci/{lease.number:06d}.beat"
        until = time.monotonic() + 10
        while not storage.exists(path) and time.monotonic() < until:
            time.sleep(0.01)
        first = storage.read(path)
        deadline = time.monotonic() + 5
        while storage.read("leases/mci/000001.beat") == first and time.monotonic() < deadline:
            time.sleep(0.01)
        assert storage.read("leases/mci/000001.beat") != first
        assert set(leases.held(storage)) == {"mci"}
    assert leases.held(storage) == {}


def test_a_sleeper_notices_without_beating(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _take(storage, "run-1")
    _elsewhere(storage, first)
    _take(storage, "run-2")
    assert not first.lost, "it looked a moment ago"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert first.lost


def test_a_run_that_was_taken_over_is_told(storage: Storage) -> None:
    told = threading.Event()
    with Lease.acquire(storage, "mci", run_id="first", silence_s=0.2) as first:
        first.on_lost = told.set
        _elsewhere(storage, first)
        storage.create(f"leases/mci/{first.number + 1:06d}.json", b"{}")
        assert told.wait(20)
        assert first.lost
