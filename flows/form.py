"""A pipeline as a typed form: its parameters and axes as fields,
and what was filled in as settings.

Only what a person changed becomes a setting, so a form sent as it stood is the pipeline as it
stands.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import pydantic

from cohortflow.pipeline.model import Axis, Label, Pipeline, Step

Values = Mapping[str, Any]


class _Group(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)


def steps_model(pipeline: Pipeline) -> type[pydantic.BaseModel]:
    """One group per step, one field per parameter: its type and range, what the pipeline says."""
    fields: dict[str, Any] = {}
    for step in pipeline.steps:
        parameters = dict(_fields(step))
        if parameters:
            group = pydantic.create_model(step.id, __base__=_Group, **parameters)
            fields[step.id] = (
                group,
                pydantic.Field(default_factory=group, title=step.id, description=step.stage.about),
            )
    return pydantic.create_model("Steps", __base__=_Group, **fields)


def points_model(pipeline: Pipeline) -> type[pydantic.BaseModel]:
    """One field per axis of some step: the labels to narrow a run to, none for all of them."""
    used = {axis for step in pipeline.steps for axis in step.over}
    fields: dict[str, Any] = {}
    for name, axis in pipeline.axes.items():
        if name in used:
            labels = _labels(pipeline, axis)
            free: Any = list[str] if axis.pairs is not None else list[int]
            kind = list[Literal[tuple(labels)]] if labels else free  # type: ignore[misc]
            said = "none chosen: all" + (f" ({', '.join(map(str, labels))})" if labels else "")
            field: Any = pydantic.Field(default_factory=list, title=name, description=said)
            fields[name] = (kind, field)
    return pydantic.create_model("Points", __base__=_Group, **fields)


def settings_of(pipeline: Pipeline, steps: Values) -> tuple[str, ...]:
    """What differs from the pipeline, as ``--set`` takes it;
    names are checked where it is applied."""
    known = {step.id: step for step in pipeline.steps}
    return tuple(
        f"{step_id}.{name}={json.dumps(value, ensure_ascii=False)}"
        for step_id, given in steps.items()
        for name, value in given.items()
        if step_id not in known or not _same(value, _stated(known[step_id], name))
    )


def at_of(points: Mapping[str, Sequence[Label] | None]) -> dict[str, tuple[str, ...]]:
    """The chosen points, as ``--at`` takes them."""
    return {axis: tuple(map(str, labels)) for axis, labels in points.items() if labels}


def _fields(step: Step) -> Iterator[tuple[str, Any]]:
    for name, known in step.stage.parameters.model_fields.items():
        if name not in step.over:  # else the axis says it
            field = copy.copy(known)
            if name in step.parameters:
                field.default = step.parameters[name]
            field.title = name  # as --set and the pipeline's file call it
            yield name, (known.annotation, field)


def _labels(pipeline: Pipeline, axis: Axis) -> list[Label]:
    """Known before a cohort is opened: not those of a column's values or of regions."""
    if axis.values is not None:
        return [value.label for value in axis.values]
    folds = pipeline.splits[axis.split].folds if axis.split else None
    return list(range(folds)) if isinstance(folds, int) else []


_ABSENT = object()


def _stated(step: Step, name: str) -> Any:
    if name in step.parameters:
        return step.parameters[name]
    field = step.stage.parameters.model_fields.get(name)
    return _ABSENT if field is None else field.get_default(call_default_factory=True)


def _same(a: Any, b: Any) -> bool:
    """Equal as JSON values; a form has one kind of number, so 1 is 1.0."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)
