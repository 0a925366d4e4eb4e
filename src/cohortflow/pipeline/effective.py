"""A step at one point: its parameters, reads and conditions after the axes have acted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cohortflow.errors import PipelineError
from cohortflow.pipeline.model import AxisValue, Pipeline, Read, Step, Where
from cohortflow.pipeline.parse import parse_reads


@dataclass(frozen=True)
class Effective:
    """What an axis point makes of a step."""

    parameters: Mapping[str, Any]
    reads: Mapping[str, tuple[Read, ...]]
    wheres: tuple[Where, ...]


def effective(pipeline: Pipeline, step: Step, values: Mapping[str, AxisValue]) -> Effective:
    """Apply the values of the step's axes: parameter of their name, overrides, conditions."""
    parameters = dict(step.parameters)
    reads = dict(step.reads)
    where: dict[str, Any] = dict(step.where)
    conditions: list[Where] = []
    for axis, value in values.items():
        if axis in step.stage.parameters.model_fields:
            parameters[axis] = value.value
        if value.where:
            conditions.append(value.where)
        for target, setting in value.set.items():
            step_id, _, rest = target.partition(".")
            if step_id != step.id:
                continue
            keys = rest.split(".")
            if keys[0] == "reads":
                reads.update(_override_reads(pipeline, step, axis, value, target, keys, setting))
            elif keys[0] == "where":
                _assign(where, keys[1:], setting)
            else:
                _assign(parameters, keys, setting)
    return Effective(parameters, reads, tuple(w for w in (where, *conditions) if w))


def _override_reads(
    pipeline: Pipeline,
    step: Step,
    axis: str,
    value: AxisValue,
    target: str,
    keys: list[str],
    setting: Any,
) -> dict[str, tuple[Read, ...]]:
    path = ("axes", axis, str(value.label), "set", target)
    if len(keys) != 2:
        raise PipelineError(
            f"{target!r} names no input",
            where=pipeline.document.where(path),
            expected=f"{step.id}.reads.<input>",
        )
    return parse_reads({keys[1]: setting}, step.stage, path, pipeline.document)


def _assign(holder: dict[str, Any], keys: list[str], setting: Any) -> None:
    for key in keys[:-1]:
        inner = dict(holder.get(key) or {})
        holder[key] = inner
        holder = inner
    if keys:
        holder[keys[-1]] = setting
    else:
        holder.clear()
        holder.update(setting or {})
