"""The numbers papers printed: typed rows, ranks and gains, what is doubtful, what corresponds."""

from __future__ import annotations

from cohortflow.evaluation.published.correspondence import Correspondence, correspondence
from cohortflow.evaluation.published.findings import Finding, findings
from cohortflow.evaluation.published.names import PUBLISHED
from cohortflow.evaluation.published.papers import Paper, published_paper, read_paper
from cohortflow.evaluation.published.points import PublishedCell, published_cells
from cohortflow.evaluation.published.printed import PrintedNumber
from cohortflow.evaluation.published.ranks import Gain, gains, ranks, row_ranks
from cohortflow.evaluation.published.tables import PublishedRow, PublishedTable
from cohortflow.evaluation.published.units import convert, convertible

__all__ = [
    "PUBLISHED",
    "Correspondence",
    "Finding",
    "Gain",
    "Paper",
    "PrintedNumber",
    "PublishedCell",
    "PublishedRow",
    "PublishedTable",
    "convert",
    "convertible",
    "correspondence",
    "findings",
    "gains",
    "published_cells",
    "published_choices",
    "published_paper",
    "published_protocol",
    "published_tables",
    "ranks",
    "read_paper",
    "row_ranks",
]


def published_tables(system: str) -> tuple[PublishedTable, ...]:
    """All printed tables of a method; :class:`UnknownName` where there are none of that name."""
    return published_paper(system).tables


def published_protocol(system: str) -> str:
    """How the printed numbers came about, in a sentence."""
    return published_paper(system).protocol


def published_choices(system: str) -> dict[str, str]:
    """What the paper says about single parameters, by ``stage.parameter``."""
    return dict(published_paper(system).choices)
