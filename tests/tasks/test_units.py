"""The rules by which units are settled, on processes that die, hang and lose their last words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import units
from tasks.patience import Patience
from tasks.pool import Broken, Joined, Left
from tasks.units import Settlement
from tests.tasks.fake_pool import FakePool

QUICK = Patience(0.1, 0.5)
BEHAVIOURS = ["done", "die", "hang", "fail", "hog", 1, 2]
CODES = {
    "die": "worker-lost",
    "hog": "out-of-memory",
    "hang": "unit-timeout",
    "fail": "flaky",
}


def spec(number: int, does: Any, retries: int = 0, seconds: float | None = None) -> dict[str, Any]:
    return {
        "key": f"{number}",
        "step": "fake",
        "subject": None,
        "does": does,
        "retries": retries,
        "seconds": seconds,
        "timeout_s": 3.0,
    }


def settle(
    pool: FakePool, specs: list[dict[str, Any]], stop_after: int | None = None
) -> list[dict[str, Any]]:
    """Settle the batch, checking that every unit is handed over exactly once."""
    handed: list[str] = []
    limit = 10_000 if stop_after is None else stop_after
    settlement = Settlement(pool, specs, lambda o: handed.append(o["key"]), QUICK, pool.clock)
    outcomes = settlement.run(lambda: len(handed) >= limit or pool.now > 3600)
    assert pool.now <= 3600, "the batch never ended"
    assert Counter(handed) == Counter(s["key"] for s in specs)
    assert [o["key"] for o in outcomes] == [s["key"] for s in specs]
    return outcomes


@settings(max_examples=150, deadline=None)
@given(
    doings=st.lists(st.sampled_from([*BEHAVIOURS, "done", "done", "done"]), max_size=40),
    workers=st.integers(1, 4),
    slots=st.integers(1, 3),
    retries=st.integers(0, 2),
    seconds=st.sampled_from([None, 0.001, 10.0]),
    loses_last_words=st.booleans(),
)
def test_every_unit_ends_as_it_deserves(
    doings: list[Any],
    workers: int,
    slots: int,
    retries: int,
    seconds: float | None,
    loses_last_words: bool,
) -> None:
    """Innocents are done whoever they shared a process with; culprits fail under their own name."""
    pool = FakePool(workers, slots, loses_last_words=loses_last_words)
    specs = [spec(n, does, retries, seconds) for n, does in enumerate(doings)]
    for does, outcome in zip(doings, settle(pool, specs), strict=True):
        if does in CODES:
            assert outcome["error"]["code"] == CODES[does]
            assert outcome["attempts"] == retries + 1
        elif does == "done" or does <= retries:
            assert outcome["state"] == "done"
        if does == "hog":
            assert "memory limit" in outcome["error"]["message"]
        if does == "die":
            assert "memory limit" not in outcome["error"]["message"]


@settings(max_examples=50, deadline=None)
@given(
    doings=st.lists(st.sampled_from(BEHAVIOURS), min_size=1, max_size=30),
    stop_after=st.integers(0, 20),
)
def test_a_stopped_batch_settles_what_is_left_as_cancelled(
    doings: list[Any], stop_after: int
) -> None:
    outcomes = settle(FakePool(2, 2), [spec(n, d) for n, d in enumerate(doings)], stop_after)
    cancelled = [o for o in outcomes if o["error"] and o["error"]["code"] == "cancelled"]
    assert len(cancelled) <= max(0, len(doings) - stop_after)
    assert all(o["error"]["transient"] and o["by"] == "engine" for o in cancelled)


def test_a_sole_unit_on_its_process_is_charged_at_once() -> None:
    pool = FakePool(2, 1)
    settle(pool, [spec(0, "die"), spec(1, "done")])
    assert pool.starts["0"] == 1


def test_units_that_shared_a_process_are_tried_alone_and_charged_only_then() -> None:
    pool = FakePool(1, 3)
    outcomes = settle(pool, [spec(0, "done"), spec(1, "die"), spec(2, "hang")])
    assert pool.starts["1"] == 2
    assert [o["attempts"] for o in outcomes] == [1, 1, 1]


def test_a_worker_told_to_go_costs_its_units_nothing() -> None:
    pool = FakePool(1, 1)
    settlement = Settlement(pool, [spec(0, "hang")], lambda o: None, QUICK, pool.clock)
    settlement.step(0)
    settlement.step(0)
    assert settlement.workers["worker-1"].flights
    del pool.processes["worker-1"]
    pool._join()
    pool.pending.insert(0, Left("worker-1", expected=True))
    settlement.step(0)
    settlement.step(0)
    assert settlement.attempts == {}
    assert settlement.workers["worker-2"].flights


def test_no_worker_at_all_is_an_end_and_not_a_wait_for_ever() -> None:
    pool = FakePool(0, 1)
    outcomes = settle(pool, [spec(0, "done"), spec(1, "done")])
    assert [o["error"]["code"] for o in outcomes] == ["worker-lost"] * 2
    assert units.NO_WORKER_S <= pool.now < units.NO_WORKER_S + 1


@pytest.mark.parametrize(
    ("transient", "code", "attempts"), [(False, "stage-failed", None), (True, "worker-lost", 1)]
)
def test_what_the_scheduler_drops_is_settled(
    transient: bool, code: str, attempts: int | None
) -> None:
    pool = FakePool(1, 1)
    settlement = Settlement(pool, [spec(0, "hang")], lambda o: None, QUICK, pool.clock)
    settlement.step(0)
    settlement.step(0)
    pool.pending.append(Broken("1", "ModuleNotFoundError: cohortflow", transient))
    settlement.step(0)
    assert settlement.outcomes[0]["error"]["code"] == code
    assert settlement.outcomes[0].get("attempts") == attempts


def test_pauses_between_retries_double() -> None:
    pool = FakePool(1, 1)
    settlement = Settlement(
        pool, [spec(0, "fail", retries=3)], lambda o: None, Patience(8.0, 60), pool.clock
    )
    settlement.run(lambda: pool.now > 3600)
    assert 8 + 16 + 32 < pool.now < 8 + 16 + 32 + 5


def test_few_units_are_under_way_at_a_time_however_long_the_batch() -> None:
    """The scheduler sees a window of the batch, never all of it."""

    class Counting(FakePool):
        most = 0

        def submit(self, worker: str, flight: str, specs: Any) -> None:
            super().submit(worker, flight, specs)
            flights = sum(len(process.flights) for process in self.processes.values())
            self.most = max(self.most, flights)

    pool = Counting(4, 1)
    settle(pool, [spec(n, "done") for n in range(2000)])
    assert pool.most <= 8


def test_a_late_joiner_gets_work() -> None:
    pool = FakePool(1, 1)
    settlement = Settlement(
        pool, [spec(n, "hang") for n in range(2)], lambda o: None, QUICK, pool.clock
    )
    settlement.step(0)
    pool.processes["late"] = type(pool.processes["worker-1"])(1)
    pool.pending.append(Joined("late", 1))
    settlement.step(0)
    settlement.step(0)
    assert settlement.workers["late"].flights
