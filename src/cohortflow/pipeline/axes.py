"""Axes of a pipeline file: their values, and what those override."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cohortflow.errors import AxisError
from cohortflow.pipeline.checks import Settings, one_of, settings
from cohortflow.pipeline.declare import NAME
from cohortflow.pipeline.document import Document, Path
from cohortflow.pipeline.model import Axis, AxisValue, InputDeclaration, Split, Step
from cohortflow.pipeline.where import narrowed, parse_where

MAX_VALUES = 100_000


class _Value(Settings):
    like: str | None = None
    set: dict[str, Any] | None = None
    where: Any = None


def parse_axes(
    data: Mapping[str, Any],
    splits: Mapping[str, Split],
    inputs: Mapping[str, InputDeclaration],
    document: Document,
) -> dict[str, Axis]:
    axes = {}
    for name, value in data.items():
        path: Path = ("axes", name)
        where = document.where(path)
        if not NAME.match(name) or name == "subject":
            raise AxisError(
                f"{name!r} cannot name an axis", where=where, expected="a lower-case word"
            )
        axes[name] = _parse_axis(name, value, splits, inputs, path, document)
        if axes[name].values == ():
            raise AxisError(f"axis {name!r} is empty", where=where)
    blocks = [axis.name for axis in axes.values() if axis.block_size is not None]
    for axis in axes.values():
        if axis.pairs is not None:
            one_of(axis.pairs, blocks, "axis of blocks", document.where(("axes", axis.name)))
    return axes


def _parse_axis(
    name: str,
    value: Any,
    splits: Mapping[str, Split],
    inputs: Mapping[str, InputDeclaration],
    path: Path,
    document: Document,
) -> Axis:
    where = document.where(path)
    if isinstance(value, int) and not isinstance(value, bool):
        if value > MAX_VALUES:
            raise AxisError(
                f"axis {name!r} has more values than can be planned",
                where=where,
                expected=f"at most {MAX_VALUES:,}",
                found=f"{value:,}",
            )
        return Axis(name, tuple(AxisValue(i, i) for i in range(value)))
    if isinstance(value, list):
        return Axis(name, _list_values(name, value, where))
    if not isinstance(value, dict):
        raise AxisError(
            f"axis {name!r} has no values",
            where=where,
            expected="an integer, a list, a mapping, {from: input}, {split: name}, "
            "{subjects: number} or {pairs: axis}",
            found=repr(value),
        )
    if set(value) == {"split"} and isinstance(value["split"], str):
        return Axis(name, None, split=one_of(value["split"], splits, "split", where))
    if set(value) == {"from"} and isinstance(value["from"], str):
        return Axis(name, None, from_input=one_of(value["from"], inputs, "input", where))
    if set(value) == {"subjects"} and not isinstance(value["subjects"], dict | None):
        return Axis(name, None, block_size=_block_size(value["subjects"], where))
    if set(value) == {"pairs"} and isinstance(value["pairs"], str):
        return Axis(name, None, pairs=value["pairs"])
    return Axis(name, _named_values(name, value, path, document))


def _block_size(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise AxisError(
            "subjects says how many numbers a block spans",
            where=where,
            expected="an integer, 1 at least",
            found=repr(value),
        )
    return value


def _list_values(name: str, values: list[Any], where: str) -> tuple[AxisValue, ...]:
    for value in values:
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise AxisError(
                f"axis {name!r} holds {value!r}", where=where, expected="words or numbers"
            )
    if len({str(v) for v in values}) != len(values):
        raise AxisError(f"axis {name!r} holds a value twice", where=where)
    return tuple(AxisValue(v if isinstance(v, str | int) else str(v), v) for v in values)


def _named_values(
    name: str, values: Mapping[str, Any], path: Path, document: Document
) -> tuple[AxisValue, ...]:
    resolved: dict[str, AxisValue] = {}
    for label, value in values.items():
        own: Path = (*path, label)
        if not isinstance(value, dict | None):
            raise AxisError(
                f"value {label!r} of axis {name!r} is no mapping",
                where=document.where(own),
                expected="{}, {set: {step.parameter: …}}, {where: …} or {like: NAME, …}",
            )
        said = settings(_Value, value or {}, own, document, f"value {label!r} of axis {name!r}")
        base = AxisValue(label, label)
        if said.like is not None:
            base = resolved[one_of(said.like, resolved, "value above", document.where(own))]
        where = parse_where(said.where, (*own, "where"), document)
        resolved[label] = AxisValue(
            label, label, {**base.set, **(said.set or {})}, narrowed(base.where, where)
        )
    return tuple(resolved.values())


def check_sets(axes: Mapping[str, Axis], steps: Iterable[Step], document: Document) -> None:
    """Every override names a step that has the axis, and something that step can have."""
    by_id = {step.id: step for step in steps}
    for axis in axes.values():
        for value in axis.values or ():
            for target in value.set:
                where = document.where(("axes", axis.name, str(value.label), "set", target))
                step_id, _, rest = target.partition(".")
                step = by_id[one_of(step_id, by_id, "step", where)]
                if axis.name not in step.over:
                    raise AxisError(
                        f"axis {axis.name!r} sets {target!r}, but step {step_id!r} is not over it",
                        where=where,
                        hint=f"Add {axis.name} to over of {step_id}.",
                    )
                head = rest.partition(".")[0]
                known = [*step.stage.parameters.model_fields, "reads", "where"]
                one_of(head, known, f"setting of step {step_id!r}", where)
