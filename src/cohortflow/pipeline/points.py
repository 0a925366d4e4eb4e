"""The points a step runs over: values of axes, once facts and splits have told them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cohortflow.errors import AxisError, UnknownName, nearest
from cohortflow.pipeline.admission import Admission
from cohortflow.pipeline.bind import Binding, acting_axes, bind, refuse_idle_axes
from cohortflow.pipeline.blocks import block_values, pair_axis, pair_values
from cohortflow.pipeline.effective import effective
from cohortflow.pipeline.model import AxisValue, Label, Pipeline, Step

LENGTH_FACTS = {"roi_series": "rois"}
"""Which fact of an ingested kind gives the length of an axis that is ``{from: input}``."""

Values = Mapping[str, AxisValue]


class Points:
    """Values of every axis, and what ``--at`` asks for among them."""

    def __init__(
        self,
        pipeline: Pipeline,
        facts: Mapping[str, Mapping[str, Any]],
        admission: Admission,
        at: Mapping[str, Sequence[str]],
    ) -> None:
        self.pipeline = pipeline
        self.facts = facts
        self.admission = admission
        self.at = {axis: {str(label) for label in labels} for axis, labels in at.items()}
        self._values: dict[str, list[AxisValue]] = {}
        self._check_at()

    def of(self, step: Step) -> Iterator[Values]:
        """Every point of a step."""
        return _product({name: self.values(name) for name in step.over})

    def asked(self, values: Values) -> bool:
        """Whether ``--at`` asks for a point."""
        return all(
            str(value.label) in self.at[axis] for axis, value in values.items() if axis in self.at
        )

    def values(self, name: str) -> list[AxisValue]:
        if name not in self._values:
            self._values[name] = self._tell(name)
        return self._values[name]

    def pinned(
        self, step: Step, bound: Mapping[str, tuple[Binding, ...]], values: Values
    ) -> dict[str, tuple[Binding, ...]]:
        """The same bindings, the labels of every ``at`` being those of the axis.

        Where the step is over pairs of blocks, its inputs are pinned to theirs.
        """
        return {
            name: tuple(
                dataclasses.replace(
                    b, at={axis: self._label(axis, v, b.line) for axis, v in b.at.items()}
                )
                if b.at
                else b
                for b in bindings
            )
            for name, bindings in self._parted(step, bound, values).items()
        }

    def _parted(
        self, step: Step, bound: Mapping[str, tuple[Binding, ...]], values: Values
    ) -> dict[str, tuple[Binding, ...]]:
        pair = pair_axis(self.pipeline, step)
        if pair is None:
            return dict(bound)
        first, second = values[pair.name].value
        parted = dict(bound)
        for name, base in ((n, need.across) for n, need in step.stage.reads.items()):
            if base is None or name not in bound:
                continue
            parted[base] = tuple(_at(b, pair.pairs, first) for b in bound[base])
            parted[name] = tuple(_at(b, pair.pairs, second) for b in bound[name])
            if first == second:
                del parted[name]
        return parted

    def check(self, step: Step) -> set[str]:
        """Bind at every point that differs in what it binds, also where no point exists yet.

        Raises for an axis that acts at none of them; returns the names of all that is read.
        """
        choices = {}
        for name in step.over:
            axis = self.pipeline.axes[name]
            values = list(axis.values or (AxisValue(0, 0),))
            steers = any(t.partition(".")[0] == step.id for v in values for t in v.set)
            choices[name] = values if steers else values[:1]
        acting: set[str] = set()
        sources: set[str] = set()
        for point in _product(choices):
            settings = effective(self.pipeline, step, point)
            bound = bind(self.pipeline, step, settings.reads, settings.parameters)
            acting |= acting_axes(self.pipeline, step, settings.wheres, bound)
            sources |= {b.producer.name for bindings in bound.values() for b in bindings}
        refuse_idle_axes(self.pipeline, step, acting)
        return sources

    def _tell(self, name: str) -> list[AxisValue]:
        axis = self.pipeline.axes[name]
        if axis.values is not None:
            return list(axis.values)
        where = self.pipeline.document.where(("axes", name))
        if axis.block_size is not None:
            return block_values(axis.block_size, self.admission.blocks(axis.block_size))
        if axis.pairs is not None:
            return pair_values(self.values(axis.pairs))
        labels: Sequence[Label]
        if axis.split is not None:
            if self.pipeline.splits[axis.split].folds is None:
                raise AxisError(f"split {axis.split!r} has no folds to be an axis", where=where)
            labels = self.admission.assignment(axis.split, where).folds
        else:
            labels = range(self._length(str(axis.from_input), where))
        return [AxisValue(label, label) for label in labels]

    def _length(self, name: str, where: str) -> int:
        kind = self.pipeline.inputs[name].kind
        if kind not in LENGTH_FACTS:
            raise AxisError(f"a {kind} has no length to be an axis", where=where)
        brought = [facts[name] for facts in self.facts.values() if name in facts]
        lengths = {int(one[LENGTH_FACTS[kind]]) for one in brought}
        if len(lengths) > 1:
            raise AxisError(
                f"{name!r} has different lengths", where=where, found=str(sorted(lengths))
            )
        return next(iter(lengths), 0)

    def _label(self, axis: str, wanted: Any, where: str) -> Label:
        labels = {str(value.label): value.label for value in self.values(axis)}
        if str(wanted) not in labels:
            raise UnknownName(
                f"axis {axis!r} has no value {wanted!r}",
                where=where,
                hint=nearest(str(wanted), labels),
            )
        return labels[str(wanted)]

    def _check_at(self) -> None:
        for axis, labels in self.at.items():
            if axis not in self.pipeline.axes:
                raise UnknownName(
                    f"no axis {axis!r}", where="--at", hint=nearest(axis, self.pipeline.axes)
                )
            for label in sorted(labels):
                self._label(axis, label, "--at")


def _at(binding: Binding, axis: str | None, block: int) -> Binding:
    if axis not in binding.producer.axes:
        return binding
    return dataclasses.replace(binding, at={**binding.at, axis: block})


def _product(choices: Mapping[str, Sequence[AxisValue]]) -> Iterator[Values]:
    for combination in itertools.product(*choices.values()):
        yield dict(zip(choices, combination, strict=True))
