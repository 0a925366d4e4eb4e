"""What is known of a key: a commit beats failures; standing, transient, quarantined, retried."""

from __future__ import annotations

from typing import Any

import pytest

from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.failures import record_failure
from cohortflow.pipeline.ledger import Ledger, rows_of
from tests.pipeline.memory import memory_cohort
from tests.pipeline.world import STANDING, TRANSIENT, World, failing, scans, states

TEXT = "inputs: {image: volume}\nsteps: [resample, smooth]\n"
REF = EntryRef("sub-01", "resample", "ab" * 32)


def ledger(failures: list[dict[str, Any]], *, retry_failed: bool = False) -> Ledger:
    cohort = memory_cohort()
    for failure in failures:
        record_failure(cohort.storage, REF, failure)
    return Ledger(cohort, [], retry_failed=retry_failed)


def runs(error: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    return [{**error, "run": name} for name in names]


@pytest.mark.parametrize(
    ("failures", "state"),
    [
        ([], "pending"),
        (runs(STANDING, "a"), "failed"),
        (runs(TRANSIENT, "a"), "pending"),
        (runs(TRANSIENT, "a", "b"), "pending"),
        (runs(TRANSIENT, "a", "a", "a"), "pending"),
        (runs(TRANSIENT, "a", "b", "c"), "quarantined"),
        (runs(TRANSIENT, "a") + runs(STANDING, "b"), "failed"),
        (runs(STANDING, "a") + runs(TRANSIENT, "b"), "pending"),
        (runs(STANDING, "a", "b", "c"), "quarantined"),
    ],
)
def test_state_of_a_key_by_its_failures(failures: list[dict[str, Any]], state: str) -> None:
    assert ledger(failures).look(REF).state == state
    assert ledger(failures, retry_failed=True).look(REF).state == "pending"


def test_a_unit_to_be_tried_again_says_what_failed_before() -> None:
    assert ledger(runs(TRANSIENT, "a")).look(REF).note == "failed before: worker-lost"
    again = ledger(runs(STANDING, "a"), retry_failed=True)
    assert again.look(REF).note == "failed before: stage-failed"


def test_what_this_run_settled_is_not_looked_for_again() -> None:
    book = ledger([])
    book.settle(REF.key, "failed", TRANSIENT)
    assert book.look(REF).state == "failed"
    book.forget(REF.key)
    assert book.look(REF).state == "pending"


def test_a_commit_beats_failures() -> None:
    world = World(TEXT, scans(2))
    world.run(failing("resample", "sub-01"))
    assert states(world.plan(), "resample") == {"sub-01": "failed", "sub-02": "done"}
    world.run(retry_failed=True)
    world.parts = []
    assert states(world.plan(), "resample") == {"sub-01": "done", "sub-02": "done"}


def test_a_later_row_of_an_index_takes_done_back() -> None:
    world = World(TEXT, scans(1))
    world.run()
    done = world.parts[0]
    lost = {**done, "state": ["pending"]}
    for key in done["key"]:
        world.cohort.storage.delete(EntryRef("sub-01", "resample", key).path)
    world.parts.append(lost)
    assert states(world.plan(), "resample") == {"sub-01": "pending"}
    assert rows_of(world.parts)[("resample", "sub-01", ())].state == "pending"


def test_what_the_newest_index_calls_done_is_not_looked_for() -> None:
    world = World(TEXT, scans(3))
    world.run()
    asked: list[str] = []
    exists = world.cohort.storage.exists
    world.cohort.storage.exists = lambda path: asked.append(path) or exists(path)  # type: ignore[method-assign, func-returns-value]
    plan = world.plan()
    assert {unit.state for unit in plan.units()} == {"done"}
    assert not asked


def test_three_runs_quarantine_and_retry_failed_tries_again() -> None:
    world = World(TEXT, scans(2))
    for _ in range(3):
        world.run(failing("resample", "sub-01", error=TRANSIENT))
    assert states(world.plan(), "resample") == {"sub-01": "quarantined", "sub-02": "done"}
    assert states(world.plan(), "smooth") == {"sub-01": "blocked", "sub-02": "done"}
    assert states(world.plan(retry_failed=True), "resample")["sub-01"] == "pending"
    world.run(retry_failed=True)
    assert set(states(world.plan(), "smooth").values()) == {"done"}
