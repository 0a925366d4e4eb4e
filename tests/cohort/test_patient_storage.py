"""A store that is away for a while: waited for, given up in the end, never written to twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohortflow.cohort.local_storage import LocalStorage
from cohortflow.cohort.patient_storage import PatientStorage
from cohortflow.errors import AlreadyExists, StoreUnavailable


class Flaky(LocalStorage):
    """Away for so many calls; ``heard``: what is created while it is away is there all the same."""

    def __init__(self, folder: Path, away: int, *, heard: bool = False) -> None:
        super().__init__(folder)
        self.away = away
        self.heard = heard

    def _fail(self) -> None:
        if self.away > 0:
            self.away -= 1
            raise StoreUnavailable("away")

    def read(self, path: str) -> bytes:
        self._fail()
        return super().read(path)

    def create(self, path: str, data: bytes) -> None:
        if self.heard and self.away > 0:
            super().create(path, data)
        self._fail()
        super().create(path, data)


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def patient(inner: LocalStorage, time: Time) -> PatientStorage:
    return PatientStorage(inner, pause_s=1.0, away_s=30.0, sleep=time.sleep, clock=lambda: time.now)


def test_pauses_grow_until_it_is_back(tmp_path: Path) -> None:
    time, inner = Time(), Flaky(tmp_path, 3)
    LocalStorage(tmp_path).create("a", b"1")
    assert patient(inner, time).read("a") == b"1"
    assert time.slept == [1, 2, 4]


def test_it_gives_up_and_then_fails_at_once_until_it_is_back(tmp_path: Path) -> None:
    time, inner = Time(), Flaky(tmp_path, 10**6)
    storage = patient(inner, time)
    with pytest.raises(StoreUnavailable):
        storage.read("a")
    assert sum(time.slept) <= 30
    slept = len(time.slept)
    with pytest.raises(StoreUnavailable):
        storage.create("a", b"1")
    assert len(time.slept) == slept, "ten thousand calls must not wait one after the other"
    inner.away = 0
    storage.create("a", b"1")
    inner.away = 1
    assert storage.read("a") == b"1", "patient again"


def test_a_creation_whose_answer_was_lost_is_no_loss(tmp_path: Path) -> None:
    storage = patient(Flaky(tmp_path, 1, heard=True), Time())
    storage.create("a", b"1")
    assert storage.read("a") == b"1"


def test_a_creation_that_another_won_meanwhile_is_one(tmp_path: Path) -> None:
    LocalStorage(tmp_path).create("a", b"another's")
    with pytest.raises(AlreadyExists):
        patient(Flaky(tmp_path, 1), Time()).create("a", b"1")
    with pytest.raises(AlreadyExists):
        patient(Flaky(tmp_path, 0), Time()).create("a", b"another's")


def test_waiting_can_be_ended(tmp_path: Path) -> None:
    def stopped(seconds: float) -> None:
        raise KeyboardInterrupt

    storage = PatientStorage(Flaky(tmp_path, 1), pause_s=1.0, away_s=30.0, sleep=stopped)
    with pytest.raises(KeyboardInterrupt):
        storage.read("a")
