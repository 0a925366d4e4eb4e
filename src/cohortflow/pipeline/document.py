"""Pipeline files as data with line numbers.

YAML 1.2's core scalars: ``no`` is text, ``010`` is ten, ``1e-3`` is a number; a key that stands
twice is refused. Values keep the line they stood on, so that errors can name it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from cohortflow.errors import PipelineError

Path = tuple[str | int, ...]

_MEANT = ("null", "bool", "int", "float", "str", "seq", "map", "timestamp", "value")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in _MEANT}
_MAX_CHARACTERS = 2**20
_MAX_VALUES = 50_000
_MAX_DIGITS = 18
_MAX_DEPTH = 32
_INT = re.compile(r"[-+]?[0-9]+$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_NON_FINITE = re.compile(r"([-+]?\.inf|\.nan)$", re.IGNORECASE)
_WORDS: dict[str, Any] = {
    spelt: value
    for word, value in (("true", True), ("false", False), ("null", None))
    for spelt in (word, word.capitalize(), word.upper())
} | {"~": None, "": None}


@dataclass
class Document:
    """Plain data and, for every path in it, the line it stands on (1-based; text for --set)."""

    name: str
    text: str
    data: dict[str, Any]
    lines: dict[Path, str] = field(default_factory=dict)

    def where(self, path: Path) -> str:
        """``file:line`` of the nearest known ancestor of ``path``."""
        while path and path not in self.lines:
            path = path[:-1]
        line = self.lines.get(path, "1")
        return line if line.startswith("--set") else f"{self.name}:{line}"


def parse_scalar(text: str) -> Any:
    """One YAML 1.2 plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def load_document(text: str, name: str) -> Document:
    """Read a pipeline file; raises :class:`PipelineError` with the line at fault."""
    document = Document(name=name, text=text, data={})
    node = _compose(text, name)
    if not isinstance(node, yaml.MappingNode):
        raise PipelineError("a pipeline file is a mapping", where=name, expected="title: …")
    document.data = _build(node, (), document, ())
    return document


def parse_value(text: str, name: str) -> Any:
    """A YAML value as given on the command line."""
    node = _compose(text, name)
    return None if node is None else _build(node, (), Document(name, text, {}), ())


def apply_settings(document: Document, settings: Iterable[str]) -> Document:
    """``--set step.parameter=value`` and ``--set axes.network=[DMN]`` on the raw data."""
    for setting in settings:
        target, equals, value = setting.partition("=")
        if not equals:
            raise PipelineError(
                f"--set {setting} has no '='", expected="step.parameter=value", where="--set"
            )
        path = tuple(target.strip().split("."))
        _assign(document, path, parse_value(value, "--set"), f"--set {setting}")
    return document


_SECTIONS = ("title", "inputs", "splits", "axes", "report", "seed", "files")


def _assign(document: Document, path: tuple[str, ...], value: Any, origin: str) -> None:
    if len(path) < 2 and path[0] not in _SECTIONS:
        raise PipelineError(
            f"{'.'.join(path)} names no parameter", where=origin, expected="step.parameter=value"
        )
    prefix: Path
    if path[0] in _SECTIONS:
        holder, prefix, keys = document.data, (), path
    else:
        index, holder = _find_step(document, path[0], origin)
        prefix, keys = ("steps", index, next(iter(document.data["steps"][index]))), path[1:]
    for key in keys[:-1]:
        holder = holder.setdefault(key, {})
        if not isinstance(holder, dict):
            raise PipelineError(f"{key} is no mapping", where=origin)
    holder[keys[-1]] = value
    document.lines[(*prefix, *keys)] = origin


def _find_step(document: Document, step_id: str, origin: str) -> tuple[int, dict[str, Any]]:
    from cohortflow.errors import UnknownName, nearest

    known = []
    steps = document.data.get("steps", [])
    for index, item in enumerate(steps):
        stage, settings = step_settings(item)
        known.append(settings.get("id", stage))
        if known[-1] == step_id:
            settings = dict(settings)
            steps[index] = {stage: settings}
            return index, settings
    raise UnknownName(f"no step {step_id!r}", where=origin, hint=nearest(step_id, known))


def step_settings(item: Any) -> tuple[str, dict[str, Any]]:
    """Stage name and settings of one item of ``steps``; ('', {}) where it has no such shape."""
    if isinstance(item, str):
        return item, {}
    if isinstance(item, Mapping) and len(item) == 1:
        stage, settings = next(iter(item.items()))
        if settings is None or isinstance(settings, Mapping):
            return str(stage), dict(settings or {})
    return "", {}


def _compose(text: str, name: str) -> yaml.Node | None:
    if len(text) > _MAX_CHARACTERS:
        raise PipelineError(
            "the file is too long to be a pipeline",
            where=name,
            expected=f"at most {_MAX_CHARACTERS:,} characters",
            found=f"{len(text):,}",
        )
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError as error:
        raise PipelineError("values inside values without end", where=name) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise PipelineError(f"not valid YAML: {problem}", where=f"{name}{line}") from error


def _build(node: yaml.Node, path: Path, document: Document, inside: tuple[yaml.Node, ...]) -> Any:
    document.lines[path] = str(node.start_mark.line + 1)
    if len(document.lines) > _MAX_VALUES or len(inside) > _MAX_DEPTH:
        # A few lines of references to references can stand for billions of values.
        raise PipelineError(
            "too many values, or too deep inside each other",
            where=document.where(path),
            expected=f"at most {_MAX_VALUES:,} values, {_MAX_DEPTH} deep",
        )
    if node in inside:
        raise PipelineError("a value holds itself", where=document.where(path))
    if node.tag not in _PLAIN_TAGS:
        raise PipelineError(f"the tag {node.tag} means nothing here", where=document.where(path))
    inside = (*inside, node)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_build(child, (*path, i), document, inside) for i, child in enumerate(node.value)]
    assert isinstance(node, yaml.MappingNode)
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        if key in result:
            raise PipelineError(
                f"the key {key!r} stands twice",
                where=f"{document.name}:{key_node.start_mark.line + 1}",
            )
        result[key] = _build(value_node, (*path, key), document, inside)
        document.lines[(*path, key)] = str(key_node.start_mark.line + 1)
    return result


def _scalar(node: yaml.ScalarNode, path: Path, document: Document) -> Any:
    if node.style in ("'", '"', "|", ">"):
        return str(node.value)
    if _INT.match(node.value) and len(node.value) > _MAX_DIGITS:
        raise PipelineError(
            "a whole number that is too long",
            where=document.where(path),
            expected=f"at most {_MAX_DIGITS} digits",
            found=f"{len(node.value)}",
        )
    value = parse_scalar(node.value)
    if _NON_FINITE.match(node.value) or (isinstance(value, float) and math.isinf(value)):
        raise PipelineError(
            f"{node.value} is no number a parameter can have", where=document.where(path)
        )
    return value
