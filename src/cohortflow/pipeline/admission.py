"""Who is admitted: ``where`` of steps, inputs and axis values; all that stand together must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.errors import PipelineError, UnknownName, nearest
from cohortflow.pipeline.model import Axis, Label, Split, Where
from cohortflow.pipeline.splits import PARTS, Assignment, assign
from cohortflow.pipeline.unit import StepTable


def patient_mark(patient: str) -> str:
    """How a patient stands in a set of seen subjects."""
    return f"patient:{patient}"


class Admission:
    """Evaluates ``where`` for one plan; answers are cached, as thousands of units ask the same."""

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
        self._assignments: dict[str, Assignment] = {}
        self._cache: dict[str, frozenset[str]] = {}
        self.columns = {name for subject in subjects.values() for name in subject.columns}

    def admitted(
        self, wheres: Iterable[Where], labels: Mapping[str, Label], where: str
    ) -> frozenset[str]:
        """Subjects for which every ``where`` holds at the point ``labels``."""
        result = frozenset(self.subjects)
        for condition in wheres:
            for word, value in condition.items():
                result &= self._one(word, value, labels, where)
        return result

    def assignment(self, name: str, where: str) -> Assignment:
        if name not in self.splits:
            raise UnknownName(f"no split {name!r}", where=where, hint=nearest(name, self.splits))
        if name not in self._assignments:
            split = self.splits[name]
            within = self.admitted([split.where], {}, where)
            subjects = {s: self.subjects[s] for s in self.subjects if s in within}
            self._assignments[name] = assign(split, subjects, where)
        return self._assignments[name]

    def _one(
        self, word: str, value: Any, labels: Mapping[str, Label], where: str
    ) -> frozenset[str]:
        cache_key = f"{word} {value} {sorted(labels.items())}"
        if cache_key not in self._cache:
            if word == "column":
                found = self._by_column(value, where)
            elif word == "split":
                found = self._by_split(value, labels, where)
            else:
                found = self._by_weights(word, value, labels, where)
            self._cache[cache_key] = found
        return self._cache[cache_key]

    def _by_column(self, wanted: Mapping[str, Any], where: str) -> frozenset[str]:
        result = frozenset(self.subjects)
        for name, values in wanted.items():
            if self.subjects and name not in self.columns:
                raise UnknownName(
                    f"no participants column {name!r}",
                    where=where,
                    hint=nearest(name, self.columns),
                )
            texts = {
                str(v)
                for v in (
                    values
                    if isinstance(values, Sequence) and not isinstance(values, str)
                    else [values]
                )
            }
            result &= {
                s for s, subject in self.subjects.items() if str(subject.columns.get(name)) in texts
            }
        return result

    def _by_split(self, value: Any, labels: Mapping[str, Label], where: str) -> frozenset[str]:
        result: frozenset[str] = frozenset()
        for item in [value] if isinstance(value, str) else value:
            name, _, part = str(item).partition("/")
            if part not in PARTS:
                raise PipelineError(
                    f"{item!r} names no part of a split",
                    where=where,
                    expected=" or ".join(f"{name}/{p}" for p in PARTS),
                )
            assignment = self.assignment(name, where)
            fold = next(
                (
                    labels[a.name]
                    for a in self.axes.values()
                    if a.split == name and a.name in labels
                ),
                None,
            )
            if assignment.folds and fold is None:
                raise PipelineError(
                    f"{item!r} needs to know the fold",
                    where=where,
                    hint=f"Put the step over an axis that is {{split: {name}}}.",
                )
            result |= assignment.part(part, fold)
        return result

    def _by_weights(
        self, word: str, value: Any, labels: Mapping[str, Label], where: str
    ) -> frozenset[str]:
        saw: set[str] = set()
        for step in [value] if isinstance(value, str) else value:
            if step not in self.tables:
                raise UnknownName(
                    f"{word} names {step!r}, which is no step above",
                    where=where,
                    hint=nearest(str(step), self.tables),
                )
            table = self.tables[step]
            for cell in table.project(labels):
                for unit in table.cells[cell].values():
                    saw |= unit.saw
        seen = {
            s
            for s, subject in self.subjects.items()
            if s in saw or patient_mark(subject.patient) in saw
        }
        return frozenset(seen) if word == "seen_by" else frozenset(self.subjects) - seen
