"""Who is admitted: ``where`` of steps, inputs and axis values;
all that stand together must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.errors import PipelineError, UnknownName, nearest
from cohortflow.pipeline.blocks import block_of
from cohortflow.pipeline.leakage import refuse_leakage, twins
from cohortflow.pipeline.many import united_saw
from cohortflow.pipeline.model import Axis, Label, Split, Where
from cohortflow.pipeline.splits import PARTS, Assignment, assign
from cohortflow.pipeline.unit import StepTable
from cohortflow.pipeline.where import as_text


def patient_mark(patient: str) -> str:
    """How a patient stands in a set of seen subjects."""
    return f"patient:{patient}"


class Admission:
    """Evaluates ``where`` for one plan; answers are kept, as thousands of units ask the same."""

    def __init__(
        self,
        subjects: Mapping[str, IngestedSubject],
        splits: Mapping[str, Split],
        axes: Mapping[str, Axis],
        tables: Mapping[str, StepTable],
    ) -> None:
        self.subjects = subjects
        self.splits = splits
        self.axes = axes
        self.tables = tables
        self.everybody = frozenset(subjects)
        self.columns = {name for subject in subjects.values() for name in subject.columns}
        self._twins = twins(subjects)
        self._assignments: dict[str, Assignment] = {}
        self._kept: dict[tuple[Any, ...], frozenset[str]] = {}

    def admitted(
        self, wheres: Iterable[Where], labels: Mapping[str, Label], where: str
    ) -> frozenset[str]:
        """Subjects for which every ``where`` holds at the point ``labels``."""
        result = self.everybody
        for condition in wheres:
            for name, values in condition.get("column", {}).items():
                result &= self._by_column(name, values, where)
            if "block" in condition:
                result &= self._by_block(*condition["block"])
            if "split" in condition:
                result &= self._by_split(condition["split"], labels, where)
            for step in condition.get("unseen_by", ()):
                result -= self._seen_by(step, labels, where)
            for step in condition.get("seen_by", ()):
                self._table(step, "seen_by", where)  # admits, and restricts nothing
        return result

    def saw(self, step: str, labels: Mapping[str, Label], word: str, where: str) -> frozenset[str]:
        """Subjects and patients that the weights of a step saw, at the points that agree."""
        table = self._table(step, word, where)
        relevant = tuple(sorted((a, v) for a, v in labels.items() if a in table.axes))
        key = ("saw", step, relevant)
        if key not in self._kept:
            cells = table.project(dict(relevant))
            self._kept[key] = united_saw(u for cell in cells for u in table.cells[cell].values())
        return self._kept[key]

    def marks(self, member: str) -> set[str]:
        """What a subject stands as in a set of seen ones: itself, its patient, and whoever is the
        same recording under another id."""
        who = {member, *self._twins.get(member, ())}
        known = [self.subjects[one].patient for one in who if one in self.subjects]
        return who | {patient_mark(patient) for patient in known or [member]}

    def fold(self, split: str, labels: Mapping[str, Label]) -> Label | None:
        """The fold of a split that a point stands at."""
        axes = (a.name for a in self.axes.values() if a.split == split and a.name in labels)
        return next((labels[name] for name in axes), None)

    def assignment(self, name: str, where: str) -> Assignment:
        if name not in self.splits:
            raise UnknownName(f"no split {name!r}", where=where, hint=nearest(name, self.splits))
        if name not in self._assignments:
            split = self.splits[name]
            within = self.admitted([split.where], {}, where)
            subjects = {s: self.subjects[s] for s in self.subjects if s in within}
            assignment = assign(split, subjects, where)
            refuse_leakage(split, assignment, subjects, where)
            self._assignments[name] = assignment
        return self._assignments[name]

    def _by_column(self, name: str, values: Sequence[str], where: str) -> frozenset[str]:
        key = ("column", name, tuple(values))
        if key not in self._kept:
            if self.subjects and name not in self.columns:
                raise UnknownName(
                    f"no participants column {name!r}",
                    where=where,
                    hint=nearest(name, self.columns),
                )
            wanted = set(values)
            self._kept[key] = frozenset(
                s for s, subject in self.subjects.items() if _text(subject, name) in wanted
            )
        return self._kept[key]

    def blocks(self, size: int) -> list[int]:
        """Blocks of ``size`` numbers that a subject stands in."""
        return sorted({block_of(subject, size) for subject in self.subjects.values()})

    def _by_block(self, size: int, block: int) -> frozenset[str]:
        key = ("block", size, block)
        if key not in self._kept:
            self._kept[key] = frozenset(
                s for s, subject in self.subjects.items() if block_of(subject, size) == block
            )
        return self._kept[key]

    def _by_split(
        self, parts: Sequence[str], labels: Mapping[str, Label], where: str
    ) -> frozenset[str]:
        result: frozenset[str] = frozenset()
        for item in parts:
            name, _, part = item.partition("/")
            if part not in PARTS:
                raise PipelineError(
                    f"{item!r} names no part of a split",
                    where=where,
                    expected=" or ".join(f"{name}/{p}" for p in PARTS),
                    hint=nearest(part, PARTS),
                )
            assignment = self.assignment(name, where)
            fold = self.fold(name, labels)
            if self.splits[name].folds is not None and fold is None:
                raise PipelineError(
                    f"{item!r} needs to know the fold",
                    where=where,
                    hint=f"Put the step over an axis that is {{split: {name}}}.",
                )
            key = ("split", item, fold)
            if key not in self._kept:
                self._kept[key] = assignment.part(part, fold)
            result |= self._kept[key]
        return result

    def _seen_by(self, step: str, labels: Mapping[str, Label], where: str) -> frozenset[str]:
        """Subjects that the weights of a step saw: themselves, another recording, or a copy."""
        saw = self.saw(step, labels, "unseen_by", where)
        key = ("seen", step, id(saw))
        if key not in self._kept:
            self._kept[key] = frozenset(
                s for s in self.subjects if not saw.isdisjoint(self.marks(s))
            )
        return self._kept[key]

    def _table(self, step: str, word: str, where: str) -> StepTable:
        learned = [table.name for table in self.tables.values() if table.learned]
        if step in learned:
            return self.tables[step]
        if step in self.tables:
            raise PipelineError(
                f"{word} names {step!r}, which saw nobody: it neither trains nor reads weights",
                where=where,
                hint=nearest(step, learned),
            )
        raise UnknownName(
            f"{word} names {step!r}, which is no step above",
            where=where,
            hint=nearest(step, learned),
        )


def _text(subject: IngestedSubject, column: str) -> str | None:
    """An empty cell is no value, also where somebody asks for the word None."""
    value = subject.columns.get(column)
    return None if value is None else as_text(value)
