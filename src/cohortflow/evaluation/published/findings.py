"""What printed numbers say against themselves, computed."""

from __future__ import annotations

from dataclasses import dataclass

from cohortflow.evaluation.published.claims import claim_findings
from cohortflow.evaluation.published.papers import Paper
from cohortflow.evaluation.published.ranges import Broken
from cohortflow.evaluation.published.related import broken
from cohortflow.evaluation.published.schema import Claim
from cohortflow.evaluation.published.tables import PublishedTable


@dataclass(frozen=True)
class Finding:
    """A printed number, or a statement of the paper, that its other numbers do not bear out.

    ``column`` and ``row`` are empty for a statement about several; ``about`` says what was found.
    """

    table: str
    row: str
    column: str
    about: str
    flagged: bool


def findings(paper: Paper) -> list[Finding]:
    """Every stated relation and claim that does not hold within the printed digits.

    ``flagged``: the file of the tables says it too, of the cell, the row or the table.
    """
    found = []
    for table in paper.tables:
        for relation in table.relations:
            for one in broken(relation, table, paper):
                found.append(Finding(table.id, one.row.name, one.column, one.about, _flagged(one)))
        for claim in table.claims:
            row = ", ".join((claim.method, *(f"{key} {one}" for key, one in claim.rows.items())))
            found += [
                Finding(table.id, row, column, text, _claim_flagged(claim, table, column))
                for column, text in claim_findings(claim, table)
            ]
    return found


def _claim_flagged(claim: Claim, table: PublishedTable, column: str) -> bool:
    rows = [row for row in table.rows if row.fits(claim.rows)]
    ours = any(row.flag for row in rows if row.method == claim.method)
    return bool(table.flags) or ours or any(column in row.flags for row in rows)


def _flagged(one: Broken) -> bool:
    return bool(one.row.flag or {one.column, *one.beside} & set(one.row.flags))
