"""Checks that every part of a pipeline file shares;
each fault names its line and what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import pydantic

from cohortflow.errors import BadParameter, PipelineError, UnknownName, nearest
from cohortflow.pipeline.document import Document, Path


class Settings(pydantic.BaseModel):
    """Base of what a pipeline file may say somewhere: typed strictly, unknown keys refused."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=Settings)


def settings(model: type[Model], data: Any, path: Path, document: Document, what: str) -> Model:
    """``data`` as a model; raises UnknownName for a key, BadParameter for a type."""
    if not isinstance(data, dict):
        raise PipelineError(
            f"{what} is a mapping", where=document.where(path), expected=_shape(model)
        )
    known_keys(data, [_key(model, name) for name in model.model_fields], document, path, what)
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        loc = tuple(part for part in first["loc"] if isinstance(part, int) or part in data)
        name = ".".join(map(str, loc)) or str(first["loc"][-1] if first["loc"] else what)
        raise BadParameter(
            f"{name} of {what}: {first['msg']}",
            where=document.where((*path, *loc)),
            expected=_shape(model) if first["type"] == "missing" else "",
            found="" if first["type"] == "missing" else repr(first.get("input")),
        ) from error


def _key(model: type[Settings], name: str) -> str:
    return model.model_fields[name].alias or name


def _shape(model: type[Settings]) -> str:
    return "{" + ", ".join(f"{_key(model, name)}: …" for name in model.model_fields) + "}"


def mapping(data: Mapping[str, Any], name: str, document: Document) -> dict[str, Any]:
    """A section of the file; empty where it is left out."""
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PipelineError(f"{name} is a mapping", where=document.where((name,)))
    return value


def known_keys(
    data: Mapping[str, Any], known: Iterable[str], document: Document, path: Path, what: str
) -> None:
    names = list(known)
    for key in data:
        if key not in names:
            raise UnknownName(
                f"{what} has no {key!r}",
                where=document.where((*path, key)),
                hint=nearest(str(key), names),
            )


def one_of(name: Any, known: Iterable[str], what: str, where: str) -> str:
    names = list(known)
    if name not in names:
        raise UnknownName(
            f"no such {what}: {str(name)[:80]!r}", where=where, hint=nearest(str(name), names)
        )
    return str(name)
