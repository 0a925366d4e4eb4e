"""Ten thousand failures are a few lines and a count."""

from __future__ import annotations

import logging

import pytest

from tasks.sparingly import FIRST, Sparingly


def test_the_first_few_of_a_kind_are_told_and_the_rest_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    lines = Sparingly(logging.getLogger("tasks.test"))
    for number in range(10_000):
        lines.warning("clean", "worker-lost", f"sub-{number}")
    lines.warning("clean", "stage-failed", "sub-x")
    lines.warning("train", "worker-lost", "seed 0")
    told = [record.getMessage() for record in caplog.records]
    assert told == [*(f"sub-{number}" for number in range(FIRST)), "sub-x", "seed 0"]
    caplog.clear()
    lines.close("clean")
    lines.close("clean")
    lines.close("train")
    assert [record.getMessage() for record in caplog.records] == [
        f"clean: worker-lost, {10_000 - FIRST:,} more times"
    ]
