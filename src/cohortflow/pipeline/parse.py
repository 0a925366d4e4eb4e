"""From the raw document to a :class:`Pipeline`; every fault names its line and the nearest name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic

from cohortflow.cohort.kinds import kind_named
from cohortflow.errors import AxisError, BadParameter, PipelineError, UnknownName, nearest
from cohortflow.pipeline.document import Document, Path, step_settings
from cohortflow.pipeline.model import (
    Axis,
    AxisValue,
    InputDeclaration,
    Pipeline,
    Read,
    Split,
    Step,
    Where,
)
from cohortflow.pipeline.stage import Parameters, Stage

_TOP = ("title", "inputs", "splits", "axes", "steps", "report", "seed", "system")
_STEP_KEYS = ("id", "reads", "over", "where")
_WHERE_KEYS = ("column", "split", "unseen_by", "seen_by")
_NAME = re.compile(r"[a-z][a-z0-9_]*$")


def parse_pipeline(document: Document, slug: str, catalogue: Mapping[str, Stage]) -> Pipeline:
    """Validate names, shapes and parameters; raises a :class:`PipelineError` subclass."""
    data = document.data
    _known_keys(data, _TOP, document, (), "a pipeline")
    inputs = _parse_inputs(_mapping(data, "inputs", document), document)
    splits = _parse_splits(_mapping(data, "splits", document), document)
    axes = _parse_axes(_mapping(data, "axes", document), splits, inputs, document)
    steps = _parse_steps(data.get("steps"), catalogue, axes, inputs, document)
    _check_sets(axes, steps, document)
    return Pipeline(
        slug=slug,
        title=str(data.get("title", slug)),
        inputs=inputs,
        splits=splits,
        axes=axes,
        steps=steps,
        report=tuple(map(str, data.get("report") or ())),
        seed=int(data.get("seed") or 0),
        document=document,
        system=data.get("system"),
    )


def _mapping(data: Mapping[str, Any], name: str, document: Document) -> dict[str, Any]:
    value = data.get(name) or {}
    if not isinstance(value, dict):
        raise PipelineError(f"{name} is a mapping", where=document.where((name,)))
    return value


def _known_keys(
    data: Mapping[str, Any], known: Iterable[str], document: Document, path: Path, what: str
) -> None:
    for key in data:
        if key not in known:
            raise UnknownName(
                f"{what} has no {key!r}",
                where=document.where((*path, key)),
                hint=nearest(str(key), known),
            )


# --- inputs, splits, axes -------------------------------------------------------------------------


def _parse_inputs(data: Mapping[str, Any], document: Document) -> dict[str, InputDeclaration]:
    inputs = {}
    for name, value in data.items():
        path: Path = ("inputs", name)
        settings = {"kind": value} if isinstance(value, str) else value
        if not isinstance(settings, dict) or "kind" not in settings:
            raise PipelineError(
                f"input {name!r} names no kind",
                where=document.where(path),
                expected="a kind, or {kind: …, match: …, optional: true}",
            )
        _known_keys(settings, ("kind", "match", "optional"), document, path, f"input {name!r}")
        kind_named(settings["kind"], document.where(path))
        inputs[name] = InputDeclaration(
            name, settings["kind"], settings.get("match"), bool(settings.get("optional", False))
        )
    return inputs


def _parse_splits(data: Mapping[str, Any], document: Document) -> dict[str, Split]:
    keys = ("folds", "test", "validation", "column", "by", "stratify", "where", "seed")
    splits = {}
    for name, settings in data.items():
        path: Path = ("splits", name)
        if not isinstance(settings, dict):
            raise PipelineError(f"split {name!r} is a mapping", where=document.where(path))
        _known_keys(settings, keys, document, path, f"split {name!r}")
        ways = [k for k in ("folds", "test") if settings.get(k)]
        if len(ways) + (settings.get("column") is not None and "folds" not in ways) != 1:
            raise PipelineError(
                f"split {name!r} says in no single way how to part",
                where=document.where(path),
                expected="one of {folds: n}, {folds: each, column: c}, {test: share}, {column: c}",
            )
        stratify = settings.get("stratify") or ()
        splits[name] = Split(
            name=name,
            folds=settings.get("folds"),
            test=float(settings.get("test") or 0),
            validation=float(settings.get("validation") or 0),
            column=settings.get("column"),
            by=str(settings.get("by", "patient")),
            stratify=(stratify,) if isinstance(stratify, str) else tuple(stratify),
            where=_parse_where(settings.get("where"), (*path, "where"), document),
            seed=int(settings.get("seed") or 0),
        )
    return splits


def _parse_axes(
    data: Mapping[str, Any],
    splits: Mapping[str, Split],
    inputs: Mapping[str, InputDeclaration],
    document: Document,
) -> dict[str, Axis]:
    axes = {}
    for name, value in data.items():
        path: Path = ("axes", name)
        where = document.where(path)
        if not _NAME.match(name) or name == "subject":
            raise AxisError(
                f"{name!r} cannot name an axis", where=where, expected="a lower-case word"
            )
        if isinstance(value, bool) or value is None or isinstance(value, float | str):
            raise AxisError(
                f"axis {name!r} has no values",
                where=where,
                expected="an integer, a list, a mapping, {from: input} or {split: name}",
                found=repr(value),
            )
        if isinstance(value, int):
            axes[name] = Axis(name, tuple(AxisValue(i, i) for i in range(value)))
        elif isinstance(value, list):
            axes[name] = Axis(name, _list_values(name, value, where))
        elif set(value) == {"split"} and isinstance(value["split"], str):
            _one_of(value["split"], splits, "split", where)
            axes[name] = Axis(name, None, split=value["split"])
        elif set(value) == {"from"} and isinstance(value["from"], str):
            _one_of(value["from"], inputs, "input", where)
            axes[name] = Axis(name, None, from_input=value["from"])
        else:
            axes[name] = Axis(name, _named_values(name, value, path, document))
        if axes[name].values == ():
            raise AxisError(f"axis {name!r} is empty", where=where)
    return axes


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
    for label, settings in values.items():
        where = document.where((*path, label))
        settings = settings or {}
        if not isinstance(settings, dict):
            raise AxisError(
                f"value {label!r} of axis {name!r} is no mapping",
                where=where,
                expected="{}, {set: {step.parameter: …}}, {where: …} or {like: NAME, …}",
            )
        _known_keys(
            settings, ("like", "set", "where"), document, (*path, label), f"value {label!r}"
        )
        base = AxisValue(label, label)
        if "like" in settings:
            base = resolved.get(_one_of(settings["like"], resolved, "value above", where), base)
        own = _parse_where(settings.get("where"), (*path, label, "where"), document)
        resolved[label] = AxisValue(
            label, label, {**base.set, **(settings.get("set") or {})}, {**base.where, **own}
        )
    return tuple(resolved.values())


def _one_of(name: Any, known: Iterable[str], what: str, where: str) -> str:
    names = list(known)
    if name not in names:
        raise UnknownName(f"no such {what}: {name!r}", where=where, hint=nearest(str(name), names))
    return str(name)


def _parse_where(value: Any, path: Path, document: Document) -> Where:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PipelineError(
            "where is a mapping", where=document.where(path), expected="{column: {group: [HC]}}"
        )
    _known_keys(value, _WHERE_KEYS, document, path, "where")
    if "column" in value and not isinstance(value["column"], dict):
        raise PipelineError(
            "where column is a mapping",
            where=document.where(path),
            expected="{column: {group: [HC]}}",
        )
    return value


# --- steps ----------------------------------------------------------------------------------------


def _parse_steps(
    items: Any,
    catalogue: Mapping[str, Stage],
    axes: Mapping[str, Axis],
    inputs: Mapping[str, InputDeclaration],
    document: Document,
) -> tuple[Step, ...]:
    if not isinstance(items, list) or not items:
        raise PipelineError("a pipeline has steps", where=document.where(("steps",)))
    steps: list[Step] = []
    for index, item in enumerate(items):
        stage_name, settings = step_settings(item)
        path: Path = ("steps", index, stage_name)
        where = document.where(path)
        if not stage_name:
            raise PipelineError(
                f"step {index + 1} is no stage", where=where, expected="stage: {parameter: value}"
            )
        _one_of(stage_name, catalogue, "stage", where)
        step_id = str(settings.get("id", stage_name))
        if step_id in {step.id for step in steps} or step_id in inputs:
            raise PipelineError(
                f"the name {step_id!r} stands twice",
                where=where,
                hint="Give one of them an id: {id: other_name}.",
            )
        steps.append(_parse_step(step_id, catalogue[stage_name], settings, path, axes, document))
    return tuple(steps)


def _parse_step(
    step_id: str,
    stage: Stage,
    settings: dict[str, Any],
    path: Path,
    axes: Mapping[str, Axis],
    document: Document,
) -> Step:
    over = settings.get("over") or []
    if not isinstance(over, list):
        raise PipelineError("over is a list of axes", where=document.where((*path, "over")))
    for axis in over:
        _one_of(axis, axes, "axis", document.where((*path, "over")))
    parameters = {k: v for k, v in settings.items() if k not in _STEP_KEYS}
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
        over=tuple(over),
        where=_parse_where(settings.get("where"), (*path, "where"), document),
        reads=parse_reads(settings.get("reads"), stage, (*path, "reads"), document),
        path=path,
    )


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
        _one_of(name, stage.reads, f"input of stage {stage.name!r}", where)
        sources = source if isinstance(source, list) else [source]
        reads[name] = tuple(_parse_read(item, (*path, name), document) for item in sources)
        if len(reads[name]) != 1 and not stage.reads[name].many:
            raise PipelineError(f"input {name!r} reads one entry, not a list", where=where)
    return reads


def _parse_read(source: Any, path: Path, document: Document) -> Read:
    if isinstance(source, str):
        return Read(source)
    if isinstance(source, dict):
        _known_keys(source, ("from", "at", "where"), document, path, "a read")
        where = _parse_where(source.get("where"), (*path, "where"), document)
        # Without ``from`` the source is found as usual; only ``at`` and ``where`` are stated.
        return Read(str(source.get("from", "")), source.get("at") or {}, where)
    raise PipelineError(
        "an input is read from a step", where=document.where(path), found=repr(source)
    )


def build_parameters(stage: Stage, values: Mapping[str, Any], where: str) -> Parameters:
    """Typed parameters; raises :class:`BadParameter` naming the field and what was expected."""
    try:
        return stage.parameters.model_validate(dict(values), strict=False)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or stage.name
        raise BadParameter(
            f"parameter {name!r} of stage {stage.name!r}: {first['msg']}",
            where=where,
            found=repr(first.get("input")),
        ) from error


def _check_sets(axes: Mapping[str, Axis], steps: tuple[Step, ...], document: Document) -> None:
    """Every override names a step that has the axis, and something that step can have."""
    by_id = {step.id: step for step in steps}
    for axis in axes.values():
        for value in axis.values or ():
            for target in value.set:
                where = document.where(("axes", axis.name, str(value.label), "set", target))
                step_id, _, rest = target.partition(".")
                step = by_id[_one_of(step_id, by_id, "step", where)]
                if axis.name not in step.over:
                    raise AxisError(
                        f"axis {axis.name!r} sets {target!r}, but step {step_id!r} is not over it",
                        where=where,
                        hint=f"Add {axis.name} to over of {step_id}.",
                    )
                head = rest.partition(".")[0]
                known = [*step.stage.parameters.model_fields, "reads", "where"]
                _one_of(head, known, f"setting of step {step_id!r}", where)
