"""``cohortflow rate``: ratings of a file into the cohort."""

from __future__ import annotations

from pathlib import Path

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.ratings import MOST_BYTES, Stored, store_ratings
from cohortflow.errors import UnreadableFile


def rate_cohort(cohort: str, file: Path, *, leave_out_unknown: bool = False) -> Stored:
    """Check the file and keep it. Raises UnreadableFile, TooLarge, BadRatings."""
    opened = open_cohort(cohort)
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(
            "the file of ratings cannot be read", where="the ratings", found=type(error).__name__
        ) from error
    return store_ratings(opened, data, leave_out_unknown=leave_out_unknown)
