"""Two runs at once: of one pipeline the second waits or is refused by name, of two both go on."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.cohort.leases import Lease, holder
from flows.process import process_cohort
from tasks.request import RunRequest
from tests.cli.conftest import CommandLine


@pytest.fixture
def cohort(cli: CommandLine, source: Path) -> Cohort:
    folder = source.parent / "cohort"
    assert cli("ingest", source, folder, "--atlas", source / "atlas.tsv").code == 0
    return open_cohort(folder)


@pytest.fixture
def other(cohort: Cohort) -> Iterator[Lease]:
    """Another run of the same pipeline, at work."""
    with Lease.acquire(cohort.storage, "three-steps", run_id="the-other") as lease:
        yield lease


def test_the_second_is_refused_and_told_who_works(
    cli: CommandLine, cohort: Cohort, pipeline: Path, other: Lease
) -> None:
    result = cli("run", pipeline, cohort.url)
    assert result.code == 5
    assert "error [lease-held]: 'three-steps' is being run by the-other" in result.err
    assert f"process {os.getpid()} on " in result.err
    assert cohort.indexes("three-steps").numbers() == []
    assert holder(cohort.storage, "three-steps"), "the other still holds it"


def test_a_plan_and_a_look_need_no_lease(
    cli: CommandLine, cohort: Cohort, pipeline: Path, other: Lease
) -> None:
    cohort.indexes("three-steps").begin({"run": "the-other", "started": "today", "keys": [],
                                         "text": pipeline.read_text(), "settings": []})  # fmt: skip
    assert cli("plan", pipeline, cohort.url).code == 0
    assert cli("status", cohort.url).code == 0
    (row,) = cli("runs", cohort.url, "--json").json()
    assert row["ended"] == "running"


def test_one_that_waits_runs_when_the_other_has_ended(
    cli: CommandLine, cohort: Cohort, pipeline: Path, other: Lease
) -> None:
    ended: list[float] = []

    def end_soon() -> None:
        time.sleep(1.0)
        ended.append(time.monotonic())
        other.release()

    thread = threading.Thread(target=end_soon)
    thread.start()
    result = cli("run", pipeline, cohort.url, "--wait")
    thread.join()
    assert result.code == 0, result.err
    assert f"waiting for run the-other of process {os.getpid()}" in result.err
    started = cohort.indexes("three-steps").newest()
    assert started is not None
    assert ended, "it did not start before"


def test_another_pipeline_and_an_ingest_go_on(
    cli: CommandLine, cohort: Cohort, pipeline: Path, source: Path, other: Lease
) -> None:
    same_steps = pipeline.with_name("another.yaml")
    same_steps.write_text(pipeline.read_text())
    assert cli("run", same_steps, cohort.url).code == 0
    assert cli("ingest", "-", cohort.url).code == 0


def test_nobody_is_forgotten_while_a_run_works(
    cli: CommandLine, cohort: Cohort, other: Lease
) -> None:
    result = cli("forget", cohort.url, "sub-02")
    assert (result.code, "lease-held" in result.err) == (5, True)
    assert "sub-02" in cohort.subjects


def test_a_run_whose_lease_was_taken_over_stops(
    cohort: Cohort, pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a laptop slept through its heartbeats and another machine went on."""
    monkeypatch.setattr(Lease, "lost", property(lambda lease: True))
    result = process_cohort(RunRequest(str(pipeline), cohort.url, cluster="none"))
    assert (result.cancelled, result.exit_code) == (True, 130)
    assert result.counts["done"] == 8, "the batch at work was ended, nothing after it begun"
