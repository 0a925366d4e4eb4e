"""Trained steps: when their weights were made, and who has come or changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cohortflow.cohort.indexes import IndexBook
from cohortflow.cohort.selections import Selection
from cohortflow.pipeline.parts import made_in_by_key
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.unit import ManyInput, StepTable, Unit
from tasks.folds import across_folds

LOOK_BACK = 30
"""Indexes read to find out which run computed something."""


def model_rows(
    plan: Plan,
    book: IndexBook,
    made_in: Mapping[str, int],
    ended: Mapping[int, str] | None = None,
) -> list[dict[str, Any]]:
    """One row per step that trained on frozen selections.

    ``new``, ``changed`` (another recording or another result of it), ``corrected`` (columns) and
    ``withdrawn`` count subjects since; ``newer`` those of the first three, each once. ``trained``:
    when the newest and the oldest of its weights were made; ``before`` instead, where gc has
    removed the index that says so. ``made_in``: key → number of the index that computed it.
    ``ended``: when runs ended, as far as it is known without looking into their indexes.
    """
    dates = _Dates(book, ended or {})
    rows = []
    for table in plan.steps():
        since = _since(plan, table)
        if since.frozen:
            # Who was withdrawn is not known any more: at least as many as one selection lost.
            withdrawn = max(selection.withdrawn for selection in since.frozen.values())
            newer = since.new | since.changed | since.corrected
            rows.append(
                {
                    "pipeline": book.slug,
                    "step": table.name,
                    "selections": len(since.frozen),
                    "new": len(since.new),
                    "changed": len(since.changed),
                    "corrected": len(since.corrected),
                    "withdrawn": withdrawn,
                    "newer": len(newer),
                    **_age(table, made_in, dates),
                }
            )
    return rows


@dataclass
class _Since:
    """Subjects that the selections of a step do not know as they are now."""

    frozen: dict[str, Selection] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    corrected: set[str] = field(default_factory=set)


def _since(plan: Plan, table: StepTable) -> _Since:
    since = _Since()
    for units in across_folds(plan, table).values():
        frozen = {
            selection.question: selection
            for unit in units
            if (selection := plan.frozen.get(unit.selection or "")) is not None
        }
        if frozen and not frozen.keys() <= since.frozen.keys():
            since.frozen |= frozen
            today = _keys_today(units)
            # Of all folds: who has changed places between them is not new.
            known = {row["subject"] for one in frozen.values() for row in one.subjects}
            since.new |= today.keys() - known
            for selection in frozen.values():
                since.changed |= _changed_since(selection, today)
                since.corrected |= _corrected_since(selection, plan)
    return since


def _keys_today(units: Sequence[Unit]) -> dict[str, set[str]]:
    """Whom the units would read today, and which entries of them."""
    found: dict[str, set[str]] = {}
    for source in (source for unit in units for source in unit.inputs.values()):
        for _, read in source.items if isinstance(source, ManyInput) else ():
            if read.subject is not None:
                found.setdefault(read.subject, set()).add(read.key)
    return found


def _changed_since(frozen: Selection, today: Mapping[str, set[str]]) -> set[str]:
    """Whose entries are others than the weights were made with."""
    found = set()
    for row in frozen.subjects:
        read = {str(key) for entries in row["inputs"].values() for _, _, key in entries}
        if row["subject"] in today and today[row["subject"]] != read:
            found.add(str(row["subject"]))
    return found


def _corrected_since(frozen: Selection, plan: Plan) -> set[str]:
    """Whose columns are others than the weights were made with."""
    found = set()
    for row in frozen.subjects:
        known = plan.ingested.subjects.get(row["subject"])
        if known and any(known.columns.get(name) != v for name, v in row["columns"].items()):
            found.add(known.id)
    return found


def _age(table: StepTable, made_in: Mapping[str, int], dates: _Dates) -> dict[str, Any]:
    done = [unit.key for unit in table.unique() if unit.state == "done"]
    made = {made_in[key] for key in done if key in made_in} or dates.made_in(done)
    known = [(number, date) for number in sorted(made) if (date := dates.of(number))]
    age: dict[str, Any] = {
        "weights": len(done),
        "index": known[-1][0] if known else None,
        "trained": [known[0][1], known[-1][1]] if known else None,
    }
    if done and not known:
        age["before"] = dates.oldest()
    return age


class _Dates:
    """When runs ended, by the number of their index; each is read once."""

    def __init__(self, book: IndexBook, known: Mapping[int, str]) -> None:
        self._book = book
        self._known: dict[int, str | None] = dict(known)
        self._parts: dict[int, dict[str, int]] = {}

    def of(self, number: int) -> str | None:
        if number not in self._known:
            self._known[number] = self._book.ended(number)
        return self._known[number]

    def made_in(self, keys: Sequence[str]) -> set[int]:
        """Indexes whose runs computed the keys, from the newest index that says so.

        Asked where the last run knew nothing of them: it ran with other parameters between.
        """
        for number in reversed(self._book.numbers()[-LOOK_BACK:] if keys else ()):
            if number not in self._parts:
                self._parts[number] = made_in_by_key(self._book.get(number).parts())
            found = {self._parts[number][key] for key in keys if key in self._parts[number]}
            if found:
                return found
        return set()

    def oldest(self) -> str | None:
        """Of the oldest index that is kept."""
        return next((date for number in self._book.numbers() if (date := self.of(number))), None)
