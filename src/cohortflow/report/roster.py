"""Subjects by step: one letter a subject and step,
so that ten thousand of them are a small page."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LETTERS = {
    "q": "quarantined",
    "f": "failed",
    "b": "blocked",
    "r": "running",
    "p": "pending",
    "d": "done",
}
"""The worst first: a subject with several units in a step shows its worst."""
ABSENT = "-"
_LETTER = {state: letter for letter, state in LETTERS.items()}
_RANK = {letter: rank for rank, letter in enumerate([*LETTERS, ABSENT])}

BINS, LEFT, WIDTH, ROW, TALL = 360, 190, 920, 24, 16
_SHOWN = {
    "q": ("var(--bad)", 16),
    "f": ("var(--bad)", 16),
    "b": ("var(--warn)", 12),
    "r": ("var(--one)", 9),
    "p": ("var(--one)", 9),
    "d": ("var(--good)", 5),
}


@dataclass
class StepColumn:
    """One step: a letter per subject; codes and shares done where there is something to say."""

    name: str
    states: str
    codes: dict[int, str] = field(default_factory=dict)
    parts: dict[int, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "states": self.states, "codes": self.codes, "parts": self.parts}


def columns_of(units: Iterable[Mapping[str, Any]], subjects: Sequence[str]) -> list[StepColumn]:
    """A column per step over subjects, ingest first; ``units``: of the status document."""
    place = {subject: number for number, subject in enumerate(subjects)}
    found: dict[tuple[str, str], dict[int, list[Mapping[str, Any]]]] = {}
    for unit in units:
        if unit["subject"] in place:
            cells = found.setdefault((unit["pipeline"] or "", unit["step"]), {})
            cells.setdefault(place[unit["subject"]], []).append(unit)
    several = len({pipeline for pipeline, _ in found if pipeline}) > 1
    return [
        _column(f"{pipeline} {step}".strip() if several else step, cells, len(subjects))
        for (pipeline, step), cells in found.items()
    ]


def _column(
    name: str, cells: Mapping[int, Sequence[Mapping[str, Any]]], subjects: int
) -> StepColumn:
    letters = [ABSENT] * subjects
    column = StepColumn(name, "")
    for at, units in cells.items():
        worst = min(units, key=lambda unit: _RANK[_LETTER[unit["state"]]])
        letters[at] = _LETTER[worst["state"]]
        if worst["error"]:
            column.codes[at] = str(worst["error"]["code"])
        if len(units) > 1 and letters[at] != "d":
            done = sum(unit["state"] == "done" for unit in units)
            column.parts[at] = f"({done} of {len(units)} done)"
    column.states = "".join(letters)
    return column


def strips(columns: Sequence[StepColumn]) -> str:
    """A strip per step over all subjects in their order; of neighbours in one place, the worst.

    Inline SVG. What is worse stands taller, so that it is seen without its colour.
    """
    rows = "".join(_strip(column, number * ROW) for number, column in enumerate(columns))
    height = len(columns) * ROW + 4
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-size="13" fill="currentColor">{rows}</svg>'
    )


def _strip(column: StepColumn, top: int) -> str:
    states = column.states
    bins = min(BINS, len(states)) or 1
    edges = [len(states) * number // bins for number in range(bins + 1)]
    worst = [
        min(states[low:high], key=_RANK.__getitem__) for low, high in itertools.pairwise(edges)
    ]
    scale = (WIDTH - LEFT) / bins
    bars, start = [], 0
    for at in range(1, len(worst) + 1):
        if at == len(worst) or worst[at] != worst[start]:
            bars.append(_bar(worst[start], LEFT + start * scale, (at - start) * scale, top))
            start = at
    name = column.name if len(column.name) <= 26 else column.name[:25] + "…"
    return f'<text x="0" y="{top + 15}">{html.escape(name)}</text>{"".join(bars)}'


def _bar(letter: str, x: float, width: float, top: int) -> str:
    if letter == ABSENT:
        return ""
    ink, high = _SHOWN[letter]
    return (
        f'<rect x="{x:.1f}" y="{top + 2 + TALL - high}" width="{max(width, 1.5):.1f}" '
        f'height="{high}" fill="{ink}"><title>{LETTERS[letter]}</title></rect>'
    )
