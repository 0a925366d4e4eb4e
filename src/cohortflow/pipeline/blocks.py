"""Blocks of subjects, and pairs of blocks: a matrix over all pairs of subjects, cut into tiles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.pipeline.model import Axis, AxisValue, Pipeline, Step


def block_of(subject: IngestedSubject, size: int) -> int:
    """Numbers begin at 1 and are never given again, so a subject stays in its block."""
    return (subject.number - 1) // size


def block_values(size: int, blocks: Sequence[int]) -> list[AxisValue]:
    return [AxisValue(block, block, where={"block": [size, block]}) for block in blocks]


def pair_values(blocks: Sequence[AxisValue]) -> list[AxisValue]:
    """Unordered pairs of blocks, each block with itself too."""
    numbers = [block.value for block in blocks]
    pairs = itertools.combinations_with_replacement(numbers, 2)
    return [AxisValue(f"{first}-{second}", (first, second)) for first, second in pairs]


def pair_axis(pipeline: Pipeline, step: Step) -> Axis | None:
    """The axis of pairs of blocks that a step is over."""
    axes = (pipeline.axes[name] for name in step.over)
    return next((axis for axis in axes if axis.pairs is not None), None)


def is_side(step: Step, name: str) -> bool:
    """Whether an input of a step is one of the two blocks of a pair."""
    needs = step.stage.reads
    return needs[name].across is not None or any(need.across == name for need in needs.values())
