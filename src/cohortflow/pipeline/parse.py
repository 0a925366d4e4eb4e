"""From the raw document to a :class:`Pipeline`; every fault names its line and the nearest name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic

from cohortflow.errors import PipelineError, UnknownName, nearest
from cohortflow.pipeline.axes import check_sets, parse_axes
from cohortflow.pipeline.checks import Settings, mapping, one_of, settings
from cohortflow.pipeline.declare import (
    NAME,
    check_name,
    parse_files,
    parse_inputs,
    parse_splits,
)
from cohortflow.pipeline.document import Document, Path, step_settings
from cohortflow.pipeline.model import Axis, Pipeline, Read, Step
from cohortflow.pipeline.stage import Stage
from cohortflow.pipeline.where import parse_where

_STEP_KEYS = ("id", "reads", "over", "where")


class _Top(Settings):
    title: str | None = None
    inputs: Any = None
    files: Any = None
    splits: Any = None
    axes: Any = None
    steps: Any = None
    report: list[str] | None = None
    seed: int | None = None
    system: str | None = None


class _Read(Settings):
    source: str = pydantic.Field("", alias="from")
    at: dict[str, str | int | float] | None = None
    where: Any = None


def parse_pipeline(document: Document, slug: str, catalogue: Mapping[str, Stage]) -> Pipeline:
    """Validate names, shapes and parameters; raises a :class:`PipelineError` subclass."""
    data = document.data
    top = settings(_Top, data, (), document, "a pipeline")
    inputs = parse_inputs(mapping(data, "inputs", document), document)
    files = parse_files(mapping(data, "files", document), inputs, document)
    splits = parse_splits(mapping(data, "splits", document), document)
    axes = parse_axes(mapping(data, "axes", document), splits, inputs, document)
    steps = _parse_steps(top.steps, catalogue, axes, {*inputs, *files}, document)
    check_sets(axes, steps, document)
    return Pipeline(
        slug=slug,
        title=top.title or slug,
        inputs=inputs,
        files=files,
        splits=splits,
        axes=axes,
        steps=steps,
        report=tuple(top.report or ()),
        seed=top.seed or 0,
        document=document,
        system=top.system,
    )


def _parse_steps(
    items: Any,
    catalogue: Mapping[str, Stage],
    axes: Mapping[str, Axis],
    taken: set[str],
    document: Document,
) -> tuple[Step, ...]:
    if not isinstance(items, list) or not items:
        raise PipelineError("a pipeline has steps", where=document.where(("steps",)))
    steps: list[Step] = []
    for index, item in enumerate(items):
        stage_name, said = step_settings(item)
        path: Path = ("steps", index, stage_name)
        where = document.where(path)
        if not stage_name:
            raise PipelineError(
                f"step {index + 1} is no stage", where=where, expected="stage: {parameter: value}"
            )
        one_of(stage_name, catalogue, "stage", where)
        step_id = str(said.get("id", stage_name))
        check_name(step_id, "a step", document.where((*path, "id")), NAME)
        if step_id in {step.id for step in steps} | taken:
            raise PipelineError(
                f"the name {step_id!r} stands twice",
                where=where,
                hint="Give one of them an id: {id: other_name}.",
            )
        steps.append(_parse_step(step_id, catalogue[stage_name], said, path, axes, document))
    return tuple(steps)


def _parse_step(
    step_id: str,
    stage: Stage,
    said: dict[str, Any],
    path: Path,
    axes: Mapping[str, Axis],
    document: Document,
) -> Step:
    parameters = {k: v for k, v in said.items() if k not in _STEP_KEYS}
    fields = stage.parameters.model_fields
    for name in parameters:
        if name not in fields:
            raise UnknownName(
                f"stage {stage.name!r} has no parameter {name!r}",
                where=document.where((*path, name)),
                hint=nearest(name, [*fields, *_STEP_KEYS]),
            )
    return Step(
        id=step_id,
        stage=stage,
        parameters=parameters,
        over=_parse_over(said.get("over"), axes, document.where((*path, "over"))),
        where=parse_where(said.get("where"), (*path, "where"), document),
        reads=parse_reads(said.get("reads"), stage, (*path, "reads"), document),
        path=path,
    )


def _parse_over(value: Any, axes: Mapping[str, Axis], where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise PipelineError("over is a list of axes", where=where)
    over = tuple(one_of(axis, axes, "axis", where) for axis in value)
    if len(set(over)) != len(over):
        raise PipelineError("over names an axis twice", where=where, found=", ".join(over))
    pairs = [name for name in over if axes[name].pairs is not None]
    if len(pairs) > 1 or any(axes[name].pairs in over for name in pairs):
        raise PipelineError(
            "a step is over blocks, or over one axis of their pairs",
            where=where,
            found=", ".join(over),
        )
    return over


def parse_reads(
    value: Any, stage: Stage, path: Path, document: Document
) -> dict[str, tuple[Read, ...]]:
    """``{image: resample}``, ``{image: [a, b]}``, ``{image: {from: a, at: {…}, where: …}}``."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PipelineError(
            "reads is a mapping of inputs to steps",
            where=document.where(path),
            expected="{" + ", ".join(f"{name}: …" for name in stage.reads) + "}",
        )
    reads: dict[str, tuple[Read, ...]] = {}
    for name, source in value.items():
        where = document.where((*path, name))
        inputs = [known for known, need in stage.reads.items() if need.across is None]
        one_of(name, inputs, f"input of stage {stage.name!r}", where)
        sources = source if isinstance(source, list) else [source]
        reads[name] = tuple(_parse_read(item, (*path, name), document) for item in sources)
        if len(reads[name]) != 1 and not (stage.reads[name].many and sources):
            raise PipelineError(f"input {name!r} reads one entry, not a list", where=where)
    return reads


def _parse_read(source: Any, path: Path, document: Document) -> Read:
    if isinstance(source, str):
        return Read(source)
    if not isinstance(source, dict):
        raise PipelineError(
            "an input is read from a step", where=document.where(path), found=repr(source)
        )
    # Without ``from`` the source is found as usual; only ``at`` and ``where`` are stated.
    said = settings(_Read, source, path, document, "a read")
    pins = (said.at or {}).items()
    at = {axis: label if isinstance(label, int) else str(label) for axis, label in pins}
    return Read(said.source, at, parse_where(said.where, (*path, "where"), document))
