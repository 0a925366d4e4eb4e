"""What each unit reads: single entries, many of them, and for which subjects there is a unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cohortflow.pipeline.admission import Admission
from cohortflow.pipeline.at_point import AtPoint
from cohortflow.pipeline.bind import Binding
from cohortflow.pipeline.many import gather, joined
from cohortflow.pipeline.unit import Labels, ManyInput, StepTable, Unit


class Inputs:
    """Looks up units in the tables above."""

    def __init__(self, tables: Mapping[str, StepTable], admission: Admission) -> None:
        self.tables = tables
        self.admission = admission
        self._many: dict[tuple[Any, ...], ManyInput] = {}
        self._joined: dict[tuple[ManyInput, ...], dict[str, ManyInput]] = {}

    def candidates(self, at: AtPoint) -> list[str]:
        """Subjects that the inputs admit, in the order of ingestion: the others are absent."""
        result = set(at.admitted)
        for name, bindings in at.bound.items():
            if at.step.stage.reads[name].optional:
                continue
            present: set[str | None] = set()
            for binding in bindings:
                table = self.tables[binding.producer.name]
                if not table.by_subject:
                    break
                here: set[str | None] = set()
                for cell in self._cells(binding, at):
                    here.update(table.cells[cell])
                present |= here & self._within(binding, at) if binding.where else here
            else:
                result &= present
        return [s for s in self.admission.subjects if s in result]

    def lacks(self, at: AtPoint) -> bool:
        """A single entry of no subject that the step needs is not there:
        an optional file, or below."""
        for name, bindings in at.bound.items():
            need = at.step.stage.reads[name]
            table = self.tables[bindings[0].producer.name]
            if need.many or need.optional or table.by_subject:
                continue
            if not any(table.cells[cell] for cell in self._cells(bindings[0], at)):
                return True
        return False

    def of(self, at: AtPoint, subject: str | None) -> dict[str, Unit | ManyInput]:
        """Input name → what is read; an optional input that is absent is left out."""
        found: dict[str, Unit | ManyInput] = {}
        for name, bindings in at.bound.items():
            if at.step.stage.reads[name].many:
                found[name] = self._collect(bindings, at, subject)
            elif (unit := self._single(bindings[0], at, subject)) is not None:
                found[name] = unit
        paired = {
            name: many
            for name in at.step.stage.paired
            if isinstance(many := found.get(name), ManyInput)
        }
        return {**found, **self._join(paired)} if len(paired) > 1 else found

    def _join(self, paired: Mapping[str, ManyInput]) -> dict[str, ManyInput]:
        key = tuple(paired.values())
        if key not in self._joined:
            self._joined[key] = joined(paired)
        return self._joined[key]

    def _single(self, binding: Binding, at: AtPoint, subject: str | None) -> Unit | None:
        table = self.tables[binding.producer.name]
        owner = subject if table.by_subject else None
        if binding.where and owner is not None and owner not in self._within(binding, at):
            return None
        for cell in self._cells(binding, at):
            unit = table.cells[cell].get(owner)
            if unit is not None:
                return unit
        return None

    def _collect(
        self, bindings: tuple[Binding, ...], at: AtPoint, subject: str | None
    ) -> ManyInput:
        key = (subject, at.admitted, *(self._identity(binding, at) for binding in bindings))
        if key not in self._many:
            several = len(bindings) > 1
            self._many[key] = gather(
                item for binding in bindings for item in self._items(binding, at, subject, several)
            )
        return self._many[key]

    def _identity(self, binding: Binding, at: AtPoint) -> tuple[Any, ...]:
        within = self._within(binding, at) if binding.where else None
        return (binding.producer.name, tuple(self._cells(binding, at)), within, *binding.at.items())

    def _items(
        self, binding: Binding, at: AtPoint, subject: str | None, several: bool
    ) -> Iterable[tuple[dict[str, Any], Unit]]:
        table = self.tables[binding.producer.name]
        admitted = at.admitted
        if binding.where:
            admitted &= self._within(binding, at)
        for cell in self._cells(binding, at):
            labels = dict(zip(table.axes, cell, strict=True))
            extra: dict[str, Any] = {
                axis: label
                for axis, label in labels.items()
                if axis not in binding.at and axis not in at.point
            }
            if several:
                extra = {"from": table.name, **binding.at, **extra}
            units = table.cells[cell]
            if subject is not None and table.by_subject:
                if subject in units and subject in admitted:
                    yield extra, units[subject]
                continue
            for owner, unit in units.items():
                if owner is None:
                    yield extra, unit
                elif owner in admitted:
                    yield {**extra, "subject": owner}, unit

    def _cells(self, binding: Binding, at: AtPoint) -> list[Labels]:
        return self.tables[binding.producer.name].project({**at.point, **binding.at})

    def _within(self, binding: Binding, at: AtPoint) -> frozenset[str]:
        return self.admission.admitted([binding.where], at.point, binding.line)
