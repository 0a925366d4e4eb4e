"""What a report knows of the pages of subjects: where they are, who stands out, who was rated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cohortflow.cohort.ratings import Rating


@dataclass(frozen=True)
class SubjectRow:
    """One subject.

    ``flagged``: numbers of what was missed, invented or failed; ``score``: how far the farthest of
    the others is out, in robust standard deviations; ``reason``: which these are. ``version``:
    digest of what its page shows. ``broken``: units that failed, or were blocked by one that did.
    """

    subject: str
    address: str
    version: str
    score: float
    reason: str
    flagged: int
    states: Mapping[str, int]
    broken: int
    warnings: int


@dataclass(frozen=True)
class SubjectBook:
    """Rows with the farthest out first. ``made``: pages written now, of all ``rows``.

    ``known``: subjects whose numbers the distances are taken from.
    """

    rows: Sequence[SubjectRow]
    made: int
    known: int
    ratings: Sequence[Rating] = field(default_factory=tuple)
