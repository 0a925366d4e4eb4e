"""A step at one point: its parameters, reads and conditions after the axes have acted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from cohortflow.errors import BadParameter, PipelineError
from cohortflow.pipeline.document import Path
from cohortflow.pipeline.model import AxisValue, Pipeline, Read, Step, Where
from cohortflow.pipeline.parse import parse_reads
from cohortflow.pipeline.stage import Parameters
from cohortflow.pipeline.where import parse_where


@dataclass(frozen=True)
class Effective:
    """What an axis point makes of a step."""

    parameters: Parameters
    reads: Mapping[str, tuple[Read, ...]]
    wheres: tuple[Where, ...]


def effective(pipeline: Pipeline, step: Step, values: Mapping[str, AxisValue]) -> Effective:
    """Apply the values of the step's axes: parameter of their name, overrides, conditions."""
    parameters = dict(step.parameters)
    said_at: dict[str, Path] = {name: (*step.path, name) for name in parameters}
    reads = dict(step.reads)
    where: Where = step.where
    conditions: list[Where] = []
    for axis, value in values.items():
        own: Path = ("axes", axis, str(value.label))
        if axis in step.stage.parameters.model_fields:
            parameters[axis] = value.value
            said_at[axis] = own
        if value.where:
            conditions.append(value.where)
        for target, setting in value.set.items():
            step_id, _, rest = target.partition(".")
            if step_id != step.id:
                continue
            path = (*own, "set", target)
            head, *inner = rest.split(".")
            if head == "reads":
                reads.update(_override_reads(pipeline, step, inner, path, setting))
            elif head == "where":
                where = parse_where(_assigned(where, inner, setting), path, pipeline.document)
            else:
                parameters[head] = _assigned(parameters.get(head), inner, setting)
                said_at[head] = path
    return Effective(
        _build(pipeline, step, parameters, said_at),
        reads,
        tuple(w for w in (where, *conditions) if w),
    )


def _build(
    pipeline: Pipeline, step: Step, values: Mapping[str, Any], said_at: Mapping[str, Path]
) -> Parameters:
    """Typed parameters; raises :class:`BadParameter` naming the field and its line."""
    stage = step.stage
    try:
        return stage.parameters.model_validate(dict(values))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or stage.name
        path = said_at.get(str(first["loc"][0]) if first["loc"] else "", step.path)
        raise BadParameter(
            f"parameter {name!r} of stage {stage.name!r}: {first['msg']}",
            where=pipeline.document.where(path),
            found="" if first["type"] == "missing" else repr(first.get("input")),
        ) from error


def _override_reads(
    pipeline: Pipeline, step: Step, inner: list[str], path: Path, setting: Any
) -> dict[str, tuple[Read, ...]]:
    if len(inner) != 1:
        raise PipelineError(
            f"{path[-1]!r} names no input",
            where=pipeline.document.where(path),
            expected=f"{step.id}.reads.<input>",
        )
    return parse_reads({inner[0]: setting}, step.stage, path, pipeline.document)


def _assigned(value: Any, keys: list[str], setting: Any) -> Any:
    """``value`` with ``setting`` at the nested ``keys``; what is no mapping is replaced by one."""
    if not keys:
        return setting
    holder = dict(value) if isinstance(value, Mapping) else {}
    holder[keys[0]] = _assigned(holder.get(keys[0]), keys[1:], setting)
    return holder
