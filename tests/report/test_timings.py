"""Timings: what was counted, by which seconds it was divided, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from cohortflow.report.source import StepTimes
from cohortflow.report.timings import timings
from tests.report.fake import FakeSource, make_source


@pytest.fixture(scope="module")
def source() -> FakeSource:
    return make_source(subjects=4)


def table(source: FakeSource) -> dict[str, dict[str, Any]]:
    (block,) = timings(source).to_json()["blocks"]
    return {row["step"]: row for row in block["rows"]}


def test_rates_are_work_by_wall_seconds_and_by_core_seconds(source: FakeSource) -> None:
    row = table(source)["diagrams"]
    assert (row["counted"], row["count"]) == ("clouds", 48)
    assert row["per_s"] == 48 / 2.0
    assert row["per_core_s"] == 48 / (4.0 * 2), "four seconds of units on two threads each"
    assert (row["units"], row["failed"], row["cores"]) == (5, 1, "2 × 2")
    assert row["peak_memory_mib"] == 300
    assert row["run"] == "3 (this)"


def test_an_earlier_run_is_named_and_how_much_of_the_step_is_its(source: FakeSource) -> None:
    row = table(source)["pairwise_rois"]
    assert (row["run"], row["stands"]) == ("2", [3, 4])
    assert (row["counted"], row["count"], row["per_s"]) == ("distances", 192, 384.0)


def test_what_is_not_known_is_absent_and_never_zero(source: FakeSource) -> None:
    row = table(source)["standardise"]
    assert row["run"] == "not known"
    assert {name for name, value in row.items() if value is not None} == {"step", "run", "counted"}


def test_a_step_that_counts_nothing_else_counts_its_units() -> None:
    source = make_source(subjects=4)
    source.timings = [
        StepTimes("score", 6, 6, 1, here=True, units=8, failed=2, wall_s=3.0, unit_s=3.0,
                  workers=1, threads=1)
    ]  # fmt: skip
    row = table(source)["score"]
    assert (row["counted"], row["count"], row["per_s"]) == ("units", 6, 2.0)


def test_definitions_stand_under_the_table(source: FakeSource) -> None:
    (block,) = timings(source).to_json()["blocks"]
    text = " ".join(block["notes"])
    for term in (
        "Run:",
        "Of all:",
        "Units:",
        "Wall:",
        "Counted:",
        "Per s, wall:",
        "Per s, core:",
        "Cores:",
        "Peak:",
    ):
        assert term in text
