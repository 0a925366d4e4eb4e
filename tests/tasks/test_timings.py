"""Which run is told to have computed a step, and what it says of its time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.run_view import RunView
from cohortflow.report.run_timings import step_times
from cohortflow.report.source import StepTimes
from tasks.request import RunRequest
from tasks.session import Session
from tests.pipeline.running import CATALOGUE, ingest_texts
from tests.pipeline.world import parse

TEXT = """
inputs: {text: table}
steps: [shout, merge: {reads: {tables: shout}}]
"""


def run(cohort: Cohort, *, stop_after: str = "") -> None:
    request = RunRequest("world", cohort.url, cluster="none")
    catalogue = "tests.pipeline.running:CATALOGUE"
    pipeline = parse(TEXT, CATALOGUE)
    stop = threading.Event()
    with Session(request, stop=stop, pipeline=pipeline, catalogue=catalogue) as session:
        session.begin()
        for step in ("shout", "merge"):
            for units in session.batches(step):
                session.run_batch(step, units)
            session.close_step(step)
            if step == stop_after:
                stop.set()
                break
        session.finish()


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    made = create_cohort(tmp_path / "cohort")
    ingest_texts(made, {"a": "one ", "b": "two ", "c": "three "})
    return made


def times(cohort: Cohort) -> dict[str, StepTimes]:
    return {one.step: one for one in step_times(RunView(cohort, "world"), ["shout", "merge"])}


def test_each_step_is_told_by_the_run_that_computed_most_of_what_stands(cohort: Cohort) -> None:
    run(cohort)
    first = times(cohort)
    assert {(t.index, t.here, t.made, t.standing) for t in first.values()} == {
        (1, True, 3, 3),
        (1, True, 1, 1),
    }
    assert first["shout"].units == 3
    assert first["shout"].workers == first["shout"].threads == 1
    assert first["shout"].unit_s
    assert first["shout"].peak_memory_bytes > 2**20
    ingest_texts(cohort, {"a": "one ", "b": "two ", "c": "drei "})
    run(cohort)
    run(cohort)  # does nothing
    later = times(cohort)
    assert (later["shout"].index, later["shout"].made, later["shout"].standing) == (1, 2, 3)
    assert later["shout"].wall_s == first["shout"].wall_s
    assert (later["merge"].index, later["merge"].here) == (2, False)


def test_a_run_that_was_stopped_told_the_times_of_the_steps_it_did(cohort: Cohort) -> None:
    run(cohort, stop_after="shout")
    run(cohort)
    found = times(cohort)
    assert (found["shout"].index, found["shout"].units, found["shout"].here) == (1, 3, False)
    assert (found["merge"].index, found["merge"].here) == (2, True)


def test_the_times_go_with_the_index_that_has_them(cohort: Cohort) -> None:
    run(cohort)
    run(cohort)
    cohort.indexes("world").delete(1)
    assert times(cohort)["shout"] == StepTimes("shout", 3, 3, 1)


def test_a_step_of_which_all_failed_is_told_too(cohort: Cohort) -> None:
    ingest_texts(cohort, {"a": "broken"})
    run(cohort)
    found = times(cohort)["shout"]
    assert (found.index, found.units, found.failed, found.standing) == (1, 1, 1, 0)
