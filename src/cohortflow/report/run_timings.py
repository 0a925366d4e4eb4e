"""Which run computed the results that stand of each step, and what it took there."""

from __future__ import annotations

import datetime
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.cohort.entries import KEY_DIGITS
from cohortflow.cohort.run_view import RunView, UnitRow
from cohortflow.errors import EntryMissing
from cohortflow.report.source import StepTimes, UnitTime


def step_times(run: RunView, steps: Sequence[str]) -> list[StepTimes]:
    """Times of the steps, in this order, of which anything stands or was tried in this run."""
    found = []
    told = functools.cache(functools.partial(_told, run))
    for step in steps:
        done = {row.key: row.made_in for row in run.select(step=step) if row.state == "done"}
        made = Counter(index for index in done.values() if index is not None)
        index = max(made, key=lambda number: (made[number], number)) if made else None
        if not done and step in told(run.index.number):
            index = run.index.number  # all that it tried failed
        if done or index is not None:
            known = told(index).get(step, {}) if index is not None else {}
            found.append(_times(step, len(done), made, index, known, run.index.number))
    return found


def unit_time(run: RunView, row: UnitRow) -> UnitTime | None:
    """From the first to the last line of its log; None where that, or the run's index, is gone."""
    try:
        made_in = run.cohort.indexes(run.slug).get(row.made_in or run.index.number)
        name = f"{row.subject or 'cohort'}-{row.key[:KEY_DIGITS]}.log"
        text = run.cohort.storage.read(f"logs/{made_in.claim['run']}/{row.step}/{name}").decode()
        lines = text.splitlines()
        first, last = (line.split(" ", 1)[0] for line in (lines[0], lines[-1]))
        took = datetime.datetime.fromisoformat(last) - datetime.datetime.fromisoformat(first)
    except (EntryMissing, ValueError, IndexError):
        return None
    return UnitTime(first, int(took.total_seconds()))


def _told(run: RunView, number: int) -> dict[str, Mapping[str, Any]]:
    """By step, what a run says of those in which it had something to do."""
    try:
        timings = run.cohort.indexes(run.slug).get(number).timings()
    except EntryMissing:
        return {}  # gc keeps the newest indexes
    return {told["step"]: told for told in timings if told["done"] or told["failed"]}


def _times(
    step: str,
    standing: int,
    made: Mapping[int, int],
    index: int | None,
    known: Mapping[str, Any],
    this: int,
) -> StepTimes:
    if index is None or "unit_s" not in known:
        return StepTimes(step, standing, made.get(index or 0, 0), index, here=index == this)
    return StepTimes(
        step,
        standing,
        made.get(index, 0),
        index,
        here=index == this,
        units=known["done"] + known["failed"],
        failed=known["failed"],
        **{name: known[name] for name in _AS_TOLD},
    )


_AS_TOLD = ("wall_s", "unit_s", "work", "peak_memory_bytes", "workers", "threads")
