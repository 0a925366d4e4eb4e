"""Which step or input feeds each input of a step, and whether its axes can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cohortflow.errors import (
    AmbiguousInput,
    AxisError,
    KindMismatch,
    ReadsBelow,
    UnknownName,
    nearest,
)
from cohortflow.pipeline.blocks import is_side, pair_axis
from cohortflow.pipeline.model import AxisValue, Label, Pipeline, Read, Step, Where
from cohortflow.pipeline.stage import Parameters, Reads
from cohortflow.pipeline.where import split_names, step_names


@dataclass(frozen=True)
class Producer:
    """Something that can be read: a step, an ingested input, or a file of no subject."""

    name: str
    writes: str
    axes: tuple[str, ...]
    by_subject: bool


@dataclass(frozen=True)
class Binding:
    """One source of one input: what feeds it, which of its axes are pinned, and for whom."""

    producer: Producer
    at: Mapping[str, Label]
    where: Where
    line: str

    @property
    def free_axes(self) -> tuple[str, ...]:
        return tuple(axis for axis in self.producer.axes if axis not in self.at)


def producers_above(pipeline: Pipeline, step: Step) -> list[Producer]:
    """Inputs and files first, then the steps above in their order."""
    found = [Producer(i.name, i.kind, (), True) for i in pipeline.inputs.values()]
    found += [Producer(f.name, f.kind, (), False) for f in pipeline.files.values()]
    for other in pipeline.steps:
        if other.id == step.id:
            return found
        by_subject = other.stage.scope == "subject"
        found.append(Producer(other.id, other.stage.writes, other.over, by_subject))
    return found


def bind(
    pipeline: Pipeline,
    step: Step,
    reads: Mapping[str, tuple[Read, ...]],
    parameters: Parameters,
) -> dict[str, tuple[Binding, ...]]:
    """Input name → its sources; inputs that a parameter switches off are left out."""
    above = producers_above(pipeline, step)
    bound: dict[str, tuple[Binding, ...]] = {}
    for name, need in step.stage.reads.items():
        if need.across is not None or (need.when is not None and not need.when(parameters)):
            continue
        sources = reads.get(name, (Read(""),))
        bindings = tuple(
            binding
            for read in sources
            if (binding := _bind_one(pipeline, step, name, need, read, above)) is not None
        )
        if bindings:
            bound[name] = bindings
    _refuse_twins(pipeline, step, bound, reads)
    if pair_axis(pipeline, step) is not None:
        for name, need in step.stage.reads.items():
            if need.across in bound:
                bound[name] = bound[need.across]
    for name, bindings in bound.items():
        for binding in bindings:
            _check_axes(pipeline, step, name, binding)
    return bound


def _bind_one(
    pipeline: Pipeline, step: Step, name: str, need: Reads, read: Read, above: list[Producer]
) -> Binding | None:
    producer = (
        _named(pipeline, step, name, need, read.source, above)
        if read.source
        else _nearest_above(pipeline, step, name, need, above)
    )
    if producer is None:
        return None
    for axis in read.at:
        if axis not in producer.axes:
            raise AxisError(
                f"{producer.name!r} is not over {axis!r}",
                where=pipeline.where(step, "reads", name),
                hint=nearest(axis, producer.axes),
            )
    return Binding(producer, read.at, read.where, pipeline.where(step, "reads", name))


def _named(
    pipeline: Pipeline, step: Step, name: str, need: Reads, source: str, above: list[Producer]
) -> Producer:
    where = pipeline.where(step, "reads", name)
    for producer in above:
        if producer.name == source:
            if producer.writes not in need.kinds:
                raise KindMismatch(
                    f"input {name!r} of step {step.id!r} cannot read {source!r}",
                    where=where,
                    expected=" or ".join(need.kinds),
                    found=producer.writes,
                    hint=_fitting(need, above),
                )
            return producer
    if source in {other.id for other in pipeline.steps}:
        raise ReadsBelow(
            f"step {step.id!r} reads {source!r}, which stands below it",
            where=where,
            hint="A step reads what stands above it: move one of them.",
        )
    raise UnknownName(
        f"input {name!r} reads {source!r}, which is no step, no input and no file",
        where=where,
        hint=nearest(source, [producer.name for producer in above]),
    )


def _nearest_above(
    pipeline: Pipeline, step: Step, name: str, need: Reads, above: list[Producer]
) -> Producer | None:
    fitting = [producer for producer in above if producer.writes in need.kinds]
    taken_in = {*pipeline.inputs, *pipeline.files}
    steps = [producer for producer in fitting if producer.name not in taken_in]
    if steps:
        return steps[-1]
    if len(fitting) > 1:
        raise AmbiguousInput(
            f"input {name!r} of step {step.id!r} could be any of "
            + ", ".join(repr(producer.name) for producer in fitting),
            where=pipeline.where(step),
            hint=f"Say which: reads: {{{name}: {fitting[0].name}}}.",
        )
    if fitting:
        return fitting[0]
    if need.optional:
        return None
    raise KindMismatch(
        f"nothing above step {step.id!r} writes what its input {name!r} reads",
        where=pipeline.where(step),
        expected=" or ".join(need.kinds),
        found=", ".join(sorted({producer.writes for producer in above})) or "nothing",
    )


def _fitting(need: Reads, above: list[Producer]) -> str:
    fitting = [producer.name for producer in above if producer.writes in need.kinds]
    return f"Fitting: {', '.join(fitting)}." if fitting else ""


def _refuse_twins(
    pipeline: Pipeline,
    step: Step,
    bound: Mapping[str, tuple[Binding, ...]],
    reads: Mapping[str, tuple[Read, ...]],
) -> None:
    names = list(bound)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            same = [b.producer.name for b in bound[first]] == [
                b.producer.name for b in bound[second]
            ] and [dict(b.at) for b in bound[first]] == [dict(b.at) for b in bound[second]]
            if same and not (first in reads and second in reads):
                raise AmbiguousInput(
                    f"inputs {first!r} and {second!r} of step {step.id!r} both read "
                    f"{bound[first][0].producer.name!r}",
                    where=pipeline.where(step),
                    hint="Say in reads what each of them reads.",
                )


def _check_axes(pipeline: Pipeline, step: Step, name: str, binding: Binding) -> None:
    if step.stage.reads[name].many:
        return
    producer = binding.producer
    pair = pair_axis(pipeline, step)
    paired = {pair.pairs} if pair is not None and is_side(step, name) else set()
    extra = [a for a in binding.free_axes if a not in step.over and a not in paired]
    over_subjects = producer.by_subject and step.stage.scope == "cohort"
    if not extra and not over_subjects:
        return
    hint = f"Take {producer.name!r} to a stage that reads many, or runs over subjects."
    if extra:
        hint = (
            f"Put the step over {extra[0]}, or pin it: "
            f"{{from: {producer.name}, at: {{{extra[0]}: …}}}}."
        )
    each = [*extra, *(["subject"] if over_subjects else [])]
    raise AxisError(
        f"input {name!r} of step {step.id!r} reads one entry, but {producer.name!r} "
        f"has one for each {' and '.join(each)}",
        where=pipeline.where(step, "reads", name),
        hint=hint,
    )


def acting_axes(
    pipeline: Pipeline,
    step: Step,
    wheres: Sequence[Where],
    bound: Mapping[str, tuple[Binding, ...]],
) -> set[str]:
    """Axes of the step that can change something in it, as bound at one point."""
    bindings = [binding for sources in bound.values() for binding in sources]
    wheres = [*wheres, *(binding.where for binding in bindings)]
    acting = {axis for binding in bindings for axis in binding.free_axes}
    pair = pair_axis(pipeline, step)
    if pair is not None and pair.pairs in acting and any(is_side(step, name) for name in bound):
        acting.add(pair.name)
    acting |= set(step.stage.parameters.model_fields)
    for where in wheres:
        for seen in step_names(where):
            acting |= set(_axes_of(pipeline, seen))
    splits = {name for where in wheres for name in split_names(where)}
    for name in step.over:
        axis = pipeline.axes[name]
        if axis.split in splits or any(_acts(value, step) for value in axis.values or ()):
            acting.add(name)
        if axis.block_size is not None and step.stage.scope == "cohort":
            acting.add(name)
    return acting & set(step.over)


def refuse_idle_axes(pipeline: Pipeline, step: Step, acting: set[str]) -> None:
    """An axis that can change nothing in its step is an error that names it."""
    for axis in step.over:
        if axis not in acting:
            raise AxisError(
                f"axis {axis!r} can change nothing in step {step.id!r}",
                where=pipeline.where(step, "over"),
                hint=f"Take {axis} out of over, or use it: a parameter of that name, "
                "an override, a where, or an input over it.",
            )


def _acts(value: AxisValue, step: Step) -> bool:
    return bool(value.where) or any(target.partition(".")[0] == step.id for target in value.set)


def _axes_of(pipeline: Pipeline, step_id: str) -> tuple[str, ...]:
    return next((step.over for step in pipeline.steps if step.id == step_id), ())
