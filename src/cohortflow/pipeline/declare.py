"""Inputs, files and splits of a pipeline file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic

from cohortflow.cohort.ingests import FILE_KINDS
from cohortflow.cohort.kinds import kind_named
from cohortflow.errors import KindMismatch, PipelineError
from cohortflow.pipeline.checks import Settings, known_keys, settings
from cohortflow.pipeline.document import Document, Path
from cohortflow.pipeline.model import FileDeclaration, InputDeclaration, Split
from cohortflow.pipeline.where import parse_where

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
"""Of steps and axes."""
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
"""Of inputs, files and splits: BIDS suffixes such as T1w are names."""
Share = Annotated[float, pydantic.Field(ge=0.0, lt=1.0)]


class _Input(Settings):
    kind: str
    match: str | None = None
    optional: bool = False


class _File(Settings):
    kind: str
    optional: bool = False


class _Split(Settings):
    folds: Annotated[int, pydantic.Field(ge=2)] | Literal["each"] | None = None
    test: Share = 0.0
    validation: Share = 0.0
    column: str | None = None
    by: str = "patient"
    stratify: str | list[str] | None = None
    where: Any = None
    seed: int = 0


def check_name(name: str, what: str, where: str, pattern: re.Pattern[str] = WORD) -> None:
    """Names become paths, parts of ``cv/train`` and ``--set`` targets."""
    if not pattern.match(name):
        kind = "a lower-case word" if pattern is NAME else "a word"
        raise PipelineError(f"{name[:80]!r} cannot name {what}", where=where, expected=kind)


def parse_inputs(data: Mapping[str, Any], document: Document) -> dict[str, InputDeclaration]:
    inputs = {}
    for name, value in data.items():
        path: Path = ("inputs", name)
        check_name(name, "an input", document.where(path))
        given = {"kind": value} if isinstance(value, str) else value
        said = settings(_Input, given, path, document, f"input {name!r}, which names a kind,")
        kind_named(said.kind, document.where(path))
        inputs[name] = InputDeclaration(name, said.kind, said.match, said.optional)
    return inputs


def parse_files(
    data: Mapping[str, Any], inputs: Mapping[str, InputDeclaration], document: Document
) -> dict[str, FileDeclaration]:
    files = {}
    for name, value in data.items():
        path: Path = ("files", name)
        where = document.where(path)
        check_name(name, "a file", where)
        if name in inputs:
            raise PipelineError(f"the name {name!r} stands twice: an input has it", where=where)
        given = {"kind": value} if isinstance(value, str) else value
        said = settings(_File, given, path, document, f"file {name!r}, which names a kind,")
        kind_named(said.kind, where)
        if said.kind not in FILE_KINDS:
            raise KindMismatch(
                f"no file is taken in as {said.kind}",
                where=where,
                expected=" or ".join(FILE_KINDS),
                hint="What every subject brings is declared under inputs.",
            )
        files[name] = FileDeclaration(name, said.kind, said.optional)
    return files


def parse_splits(data: Mapping[str, Any], document: Document) -> dict[str, Split]:
    splits = {}
    for name, value in data.items():
        path: Path = ("splits", name)
        check_name(name, "a split", document.where(path))
        said = settings(_Split, value, path, document, f"split {name!r}")
        _check_way(name, said, path, document)
        where = parse_where(said.where, (*path, "where"), document)
        # A split that asked another one, or weights, could not be made from the table alone.
        known_keys(where, ("column",), document, (*path, "where"), "where of a split")
        stratify = said.stratify or ()
        splits[name] = Split(
            name=name,
            folds=said.folds,
            test=said.test,
            validation=said.validation,
            column=said.column,
            by=said.by,
            stratify=(stratify,) if isinstance(stratify, str) else tuple(stratify),
            where=where,
            seed=said.seed,
        )
    return splits


def _check_way(name: str, said: _Split, path: Path, document: Document) -> None:
    by_column = said.column is not None
    ways = [
        isinstance(said.folds, int) and not by_column and not said.test,
        said.folds == "each" and by_column and not said.test,
        said.folds is None and by_column and not said.test,
        said.folds is None and not by_column and said.test > 0,
    ]
    if not any(ways):
        raise PipelineError(
            f"split {name!r} says in no single way how to part",
            where=document.where(path),
            expected="one of {folds: n}, {folds: each, column: c}, {test: share}, {column: c}",
        )
    if said.test + said.validation >= 1:
        raise PipelineError(f"split {name!r} leaves nobody to train", where=document.where(path))
    if by_column and (said.validation or said.stratify):
        raise PipelineError(
            f"split {name!r} is that of a column, which nothing can balance or part further",
            where=document.where(path),
            hint="Leave validation and stratify out.",
        )
