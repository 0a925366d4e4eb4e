"""Small bars over runs as inline SVG, drawn without a plotting library:
a night without news is cheap."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, GAP = 720, 64, 30
LEFT = 150
MOST = 60
"""Runs that are shown, the newest ones."""


@dataclass(frozen=True)
class Bars:
    """One quantity by run. ``told``: what a bar says of itself; ``ink``: a colour of the page."""

    title: str
    values: Sequence[float | None]
    told: Sequence[str]
    ink: str = "var(--one)"


def bar_rows(rows: Sequence[Bars]) -> str:
    """Rows of bars over the same runs, each from zero to its own largest value,
    which is printed."""
    height = len(rows) * (HEIGHT + GAP)
    inside = "".join(_row(row, number * (HEIGHT + GAP)) for number, row in enumerate(rows))
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-size="13" fill="currentColor">{inside}</svg>'
    )


def _row(row: Bars, top: int) -> str:
    values = row.values[-MOST:]
    told = row.told[-MOST:]
    largest = max((value for value in values if value is not None), default=0.0)
    base = top + HEIGHT
    step = (WIDTH - LEFT) / max(len(values), 12)
    bars = []
    for number, (value, text) in enumerate(zip(values, told, strict=True)):
        high = 0.0 if not value or not largest else max(1.5, (HEIGHT - 6) * value / largest)
        x = LEFT + number * step
        bars.append(
            f'<rect x="{x:.1f}" y="{base - high:.1f}" width="{max(1.0, step - 2):.1f}" '
            f'height="{high:.1f}" fill="{row.ink}"><title>{html.escape(text)}</title></rect>'
        )
    newest = told[-1] if told else ""
    return (
        f'<text x="0" y="{base - 26}">{html.escape(row.title)}</text>'
        f'<text x="0" y="{base - 8}" fill="var(--soft)" font-size="12">'
        f"{html.escape(_value_of(newest))}</text>"
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{base}" y2="{base}" stroke="var(--line)"/>'
        + "".join(bars)
    )


def _value_of(told: str) -> str:
    """The newest value, without its run."""
    return told.partition(": ")[2]
