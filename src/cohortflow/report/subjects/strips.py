"""One subject's numbers among those of the cohort: a strip a number, as inline SVG."""

from __future__ import annotations

import html
from collections.abc import Sequence

from cohortflow.report.subjects.numbers import Number
from cohortflow.report.subjects.spread import Spread

WIDTH, LEFT, RIGHT, ROW = 920, 250, 110, 26
_TICKS = 160
"""Ticks of others on a strip: more are thinned to evenly spaced ranks, both ends kept."""


def strips_svg(numbers: Sequence[Number], spread: Spread) -> str:
    """Values of the cohort as ticks, quartiles as a box, this subject as a diamond."""
    drawn = [number for number in numbers if number.value is not None]
    height = len(drawn) * ROW + 4
    rows = "".join(_row(number, spread, at * ROW) for at, number in enumerate(drawn))
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-size="12" fill="currentColor">{rows}</svg>'
    )


def _row(number: Number, spread: Spread, top: int) -> str:
    assert number.value is not None
    values = [*spread.values.get(number.name, ())]
    low, high = min([*values, number.value]), max([*values, number.value])
    span = (high - low) or 1.0
    width = WIDTH - LEFT - RIGHT

    def at(value: float) -> float:
        return LEFT + width * ((value - low) / span if high > low else 0.5)

    middle = top + ROW / 2
    ticks = "".join(f"M{at(value):.1f} {middle - 5:.1f}v10" for value in _thinned(values))
    parts = [
        f'<text x="0" y="{middle + 4:.1f}">{html.escape(_short(number.name))}</text>',
        f'<path d="M{LEFT} {middle:.1f}h{width}" stroke="var(--line)"/>',
        f'<path d="{ticks}" stroke="var(--soft)" stroke-opacity=".45"/>',
    ]
    if len(values) > 1:
        first, median, third = spread.quartiles(number.name)
        parts.append(
            f'<rect x="{at(first):.1f}" y="{middle - 7:.1f}" '
            f'width="{max(at(third) - at(first), 1):.1f}" height="14" rx="2" fill="var(--one)" '
            f'fill-opacity=".18" stroke="var(--one)"/>'
            f'<path d="M{at(median):.1f} {middle - 7:.1f}v14" stroke="var(--one)" '
            'stroke-width="2"/>'
        )
    here = at(number.value)
    parts.append(
        f'<path d="M{here:.1f} {middle - 8:.1f}l6 8l-6 8l-6 -8z" fill="var(--two)" '
        'stroke="var(--card)"/>'
        f'<text x="{WIDTH}" y="{middle + 4:.1f}" text-anchor="end">'
        f"{number.value:.4g} {html.escape(number.unit if number.unit != '1' else '')}</text>"
    )
    return "".join(parts)


def _thinned(values: Sequence[float]) -> Sequence[float]:
    if len(values) <= _TICKS:
        return values
    last = len(values) - 1
    return [values[round(last * step / (_TICKS - 1))] for step in range(_TICKS)]


def _short(name: str, most: int = 36) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
