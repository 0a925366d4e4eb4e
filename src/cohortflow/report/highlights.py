"""What a report opens with: results in the order of the pipeline, none chosen for being good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cohortflow.report.blocks import Highlight

MOST = 3


@dataclass(frozen=True)
class Result:
    """A number of the section's first table. ``detail``: interval, n and what is missing."""

    name: str
    value: float
    text: str
    detail: str


def highlights(
    what: str, results: Sequence[Result], text: Callable[[float], str]
) -> list[Highlight]:
    """Up to three results each by itself; of more their median and both ends.

    To pick the best of many would flatter, and to pick the first would hide the others.
    """
    if len(results) <= MOST:
        return [Highlight(_named(what, one.name), one.text, one.detail) for one in results]
    low = min(results, key=lambda one: one.value)
    high = max(results, key=lambda one: one.value)
    detail = f"from {text(low.value)} ({low.name}) to {text(high.value)} ({high.name})"
    return [Highlight(f"{what}, median of {len(results)}", text(middle(results)), detail)]


def middle(results: Sequence[Result]) -> float:
    """The lower median: always one of the values, so infinite only where half of them are."""
    ordered = sorted(one.value for one in results)
    return ordered[(len(ordered) - 1) // 2]


def _named(what: str, name: str) -> str:
    return f"{what}, {name}" if name else what
