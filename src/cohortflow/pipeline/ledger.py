"""What is known of each key: done, failed for good, worth another try, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.indexes import Index, IndexBook
from cohortflow.cohort.lookup import Lookup
from cohortflow.errors import EntryMissing
from cohortflow.pipeline.unit import Place, State

LOOK_BACK = 10
"""Indexes that are looked through for the last result of a unit that the newest left undone."""
QUARANTINE_AFTER = 3
"""Failures in as many runs, one after the other, quarantine a unit until ``--retry-failed``."""


@dataclass(frozen=True)
class Known:
    """State of a key, and the standing failure behind it."""

    state: State
    error: Mapping[str, Any] | None = None
    note: str = ""


@dataclass(frozen=True)
class PreviousRow:
    """A unit as the last index has it: what the reasons of a plan compare with."""

    key: str
    version: int
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    columns: str
    state: str
    n: int


def read_parts(index: Index | None) -> list[Mapping[str, Any]]:
    return list(index.parts()) if index is not None else []


def rows_of(
    parts: Iterable[Mapping[str, Any]],
) -> dict[Place, PreviousRow]:
    """(step, subject, labels) → row, later parts over earlier ones."""
    rows: dict[Place, PreviousRow] = {}
    for part in parts:
        for i, key in enumerate(part["key"]):
            recipe = part["recipes"][part["recipe"][i]]
            rows[(part["step"], part["subject"][i], tuple(part["point"][i]))] = PreviousRow(
                key=key,
                version=part["version"],
                parameters=recipe["parameters"],
                inputs=part["inputs"][i],
                columns=part["columns"][i],
                state=part["state"][i],
                n=part["n"][i],
            )
    return rows


class EarlierRows:
    """Rows of older indexes, newest first; each is read when first needed, and once.

    Reasons are told from them, never states: only the newest index is trusted.
    """

    def __init__(self, book: IndexBook, before: int) -> None:
        self._book = book
        self._before = before
        self._read: list[dict[Place, PreviousRow]] = []

    def finished(self, place: Place) -> PreviousRow | None:
        """The newest of them that was done."""
        found = (rows[place] for rows in self._newest_first() if place in rows)
        return next((row for row in found if row.state == "done"), None)

    @cached_property
    def _unread(self) -> list[int]:
        return [number for number in self._book.numbers() if number < self._before][-LOOK_BACK:]

    def _newest_first(self) -> Iterator[dict[Place, PreviousRow]]:
        yield from self._read
        while self._unread:
            try:
                parts = read_parts(self._book.get(self._unread.pop()))
            except EntryMissing:
                continue  # being removed
            self._read.append(rows_of(parts))
            yield self._read[-1]


class Ledger:
    """States by key: the newest index first, then the store, then what this run settled.

    What the newest index calls done is not looked for again. ``retry_failed`` makes standing
    failures pending.
    """

    def __init__(
        self, cohort: Cohort, parts: Iterable[Mapping[str, Any]], *, retry_failed: bool
    ) -> None:
        self.cohort = cohort
        self.retry_failed = retry_failed
        self._lookup = Lookup(cohort.storage)
        self._known: dict[str, Known] = {}
        done = Known("done")
        for part in parts:
            for key, state in zip(part["key"], part["state"], strict=True):
                if state == "done":
                    self._known[key] = done
                elif key in self._known:
                    del self._known[key]  # a later row took it back

    def look(self, ref: EntryRef) -> Known:
        known = self._known.get(ref.key)
        if known is None:
            known = self._known[ref.key] = self._probe(ref)
        return known

    def settle(self, key: str, state: State, error: Mapping[str, Any] | None) -> None:
        """Take note of an outcome of this run: it is not tried again today."""
        self._known[key] = Known(state, error)

    def forget(self, key: str) -> None:
        """A reader found the entry gone: it is pending again."""
        self._known[key] = Known("pending", note="entry gone")

    def _probe(self, ref: EntryRef) -> Known:
        if self._lookup.has_record(ref):
            return Known("done")
        kept = self._lookup.failures(ref)
        if not kept:
            return Known("pending")
        last = kept[-1]
        if self.retry_failed:
            return Known("pending", note=f"failed before: {last['code']}")
        runs = {failure.get("run") for failure in kept}
        if len(runs) >= QUARANTINE_AFTER:
            return Known("quarantined", last)
        if last.get("transient"):
            return Known("pending", note=f"failed before: {last['code']}")
        return Known("failed", last)
