"""What a report opens with: results in the order of the pipeline, none chosen for being good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cohortflow.report.blocks import Highlight

MOST = 3


@dataclass(frozen=True)
class Result:
    """A number of the section's first table. ``n``: its denominator, of which ``missing`` count as
    the worst; 0 where nothing of it finished, and ``value`` is the worst there is."""

    name: str
    value: float
    text: str
    interval: str
    n: int
    missing: int = 0


def lost(name: str, worst: float) -> Result:
    """A result that failed as a whole: without it the others' median would gain."""
    return Result(name, worst, "none", "nothing of it finished", 0)


def highlights(
    what: str, results: Sequence[Result], text: Callable[[float], str], of: str
) -> list[Highlight]:
    """Up to three results each by itself; of more their median and both ends.

    ``of``: what the results are of, in the plural. To pick the best of many would flatter, and to
    pick the first would hide the others.
    """
    if len(results) <= MOST:
        return [
            Highlight(
                _named(what, one.name),
                one.text,
                f"{one.interval}, {_counted([one])}" if one.n else one.interval,
            )
            for one in results
        ]
    low = min(results, key=lambda one: one.value)
    high = max(results, key=lambda one: one.value)
    ends = f"from {text(low.value)} ({low.name}) to {text(high.value)} ({high.name})"
    label = f"{what}, median of {len(results)} {of}"
    return [Highlight(label, text(middle(results)), f"{ends}, {_counted(results)}")]


def _counted(results: Sequence[Result]) -> str:
    sizes = sorted({one.n for one in results if one.n})
    told = [f"n = {sizes[0]}" + (f" to {sizes[-1]}" if len(sizes) > 1 else "")] if sizes else []
    missing = max(one.missing for one in results)
    if missing:
        told.append(f"{'up to ' if len(results) > 1 else ''}{missing} missing")
    if gone := sum(not one.n for one in results):
        told.append(f"{gone} of {len(results)} failed and count as the worst")
    return ", ".join(told)


def middle(results: Sequence[Result]) -> float:
    """The lower median: always one of the values, so infinite only where half of them are."""
    ordered = sorted(one.value for one in results)
    return ordered[(len(ordered) - 1) // 2]


def _named(what: str, name: str) -> str:
    return f"{what}, {name}" if name else what
