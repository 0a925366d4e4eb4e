"""A pipeline as typed data: inputs, splits, axes, steps, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cohortflow.pipeline.document import Document, Path
from cohortflow.pipeline.stage import Stage

Label = str | int
Where = Mapping[str, Any]
"""``{"column": {name: [texts]}, "split": [name/part], "unseen_by": [step], "seen_by": [step]}``.

A value of an axis of blocks admits by ``{"block": [size, place]}``.
"""


@dataclass(frozen=True)
class InputDeclaration:
    """What a subject must bring: an ingested entry of ``kind`` whose name matches ``match``."""

    name: str
    kind: str
    match: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class FileDeclaration:
    """What belongs to no subject and was taken in as a file; ``optional``:
    absent where it was not."""

    name: str
    kind: str
    optional: bool = False


@dataclass(frozen=True)
class Split:
    """How subjects are parted, from participants columns alone."""

    name: str
    folds: int | str | None = None
    test: float = 0.0
    validation: float = 0.0
    column: str | None = None
    by: str = "patient"
    stratify: tuple[str, ...] = ()
    where: Where = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class AxisValue:
    """One value of an axis: its label, the parameter value, overrides and admitted subjects."""

    label: Label
    value: Any
    set: Mapping[str, Any] = field(default_factory=dict)
    where: Where = field(default_factory=dict)


@dataclass(frozen=True)
class Axis:
    """A dimension of steps. ``values`` is None until facts, splits or subjects tell.

    ``block_size``: cuts the subjects by their numbers. ``pairs``: the axis whose blocks it pairs.
    """

    name: str
    values: tuple[AxisValue, ...] | None
    from_input: str | None = None
    split: str | None = None
    block_size: int | None = None
    pairs: str | None = None


@dataclass(frozen=True)
class Read:
    """One source of an input: a step, a declared input or file, pinned along some of its axes."""

    source: str
    at: Mapping[str, Label] = field(default_factory=dict)
    where: Where = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A stage in a pipeline."""

    id: str
    stage: Stage
    parameters: Mapping[str, Any]
    over: tuple[str, ...]
    where: Where
    reads: Mapping[str, tuple[Read, ...]]
    path: Path


@dataclass(frozen=True)
class Pipeline:
    slug: str
    title: str
    inputs: Mapping[str, InputDeclaration]
    files: Mapping[str, FileDeclaration]
    splits: Mapping[str, Split]
    axes: Mapping[str, Axis]
    steps: tuple[Step, ...]
    report: tuple[str, ...]
    seed: int
    document: Document
    system: str | None = None

    def step(self, step_id: str) -> Step:
        return next(step for step in self.steps if step.id == step_id)

    def where(self, step: Step, *more: str) -> str:
        """The line a setting of the step stands on."""
        return self.document.where((*step.path, *more))
