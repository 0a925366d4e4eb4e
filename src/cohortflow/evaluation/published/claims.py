"""Gains and ranks that a paper states in words, against its own tables."""

from __future__ import annotations

from collections.abc import Sequence

from cohortflow.errors import BadPublishedTable
from cohortflow.evaluation.published.ranks import gain_of, ranks
from cohortflow.evaluation.published.schema import Claim
from cohortflow.evaluation.published.tables import PublishedRow, PublishedTable
from cohortflow.evaluation.published.units import convert


def claim_findings(claim: Claim, table: PublishedTable) -> list[tuple[str, str]]:
    """Columns and what they say against the claim; nothing where the table bears it out."""
    if claim.rank is not None:
        return _ranked(claim, claim.rank, table)
    assert claim.gain is not None
    stated = claim.gain
    value, half_width = _mean_gain(claim, table)
    if abs(value - stated) <= half_width + 0.5 * 10.0**-claim.digits + 1e-9:
        return []
    unit = {"percent": " %", "points": " points", "own": ""}[claim.unit]
    rival = " and ".join(claim.over)
    mean = "on average " if len(claim.columns) * len(claim.over) > 1 else ""
    return [
        (
            ", ".join(claim.columns),
            f"{claim.said_in}: {mean}{stated:.{max(claim.digits, 0)}f}{unit} better than {rival}; "
            f"the table gives {value:.{claim.digits + 1}f}{unit}",
        )
    ]


def _row(table: PublishedTable, method: str, claim: Claim) -> PublishedRow:
    found = [row for row in table.rows if row.fits({**claim.rows, "method": method})]
    if len(found) != 1:
        raise BadPublishedTable(
            "a claim about a row that is not there once",
            where=table.id,
            expected=", ".join(row.name for row in table.rows[:6]),
            found=f"{method}, {len(found)} times",
        )
    return found[0]


def _mean_gain(claim: Claim, table: PublishedTable) -> tuple[float, float]:
    """Mean gain over columns and rivals in the claim's unit, and what rounding may add."""
    ours = _row(table, claim.method, claim)
    parts = [
        _gain(claim, table, column, ours, _row(table, rival, claim))
        for column in claim.columns
        for rival in claim.over
    ]
    return _average([value for value, _ in parts]), _average([half for _, half in parts])


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _gain(
    claim: Claim, table: PublishedTable, column: str, ours: PublishedRow, other: PublishedRow
) -> tuple[float, float]:
    mine, theirs = ours.numbers[column], other.numbers[column]
    if mine is None or theirs is None:
        raise BadPublishedTable("a claim about a number that is not printed", where=table.id)
    value, half_width = gain_of(mine, theirs, table.better[column])
    if claim.unit == "percent":
        return 100 * value / abs(theirs.value), 100 * half_width / abs(theirs.value)
    if claim.unit == "points":
        unit = table.units[column]
        return convert(value, unit, "percent"), convert(half_width, unit, "percent")
    return value, half_width


def _ranked(claim: Claim, stated: int, table: PublishedTable) -> list[tuple[str, str]]:
    ours = _row(table, claim.method, claim)
    group = next(rows for rows in table.groups() if any(row is ours for row in rows))
    methods = [row for row in group if not row.reference]
    found = []
    for column in claim.columns:
        places = ranks([row.values[column] for row in methods], table.better[column])
        place = places[methods.index(ours)]
        if place is not None and place > stated:
            better = [
                row.name if row.method == claim.method else row.method
                for row, other in zip(methods, places, strict=True)
                if other is not None and other < place
            ]
            about = f"place {stated}; the table has it at place {place}, behind {', '.join(better)}"
            found.append((column, f"{claim.said_in}: {about}"))
    return found
