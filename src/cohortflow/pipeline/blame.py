"""What was behind an exception that a stage did not mean to raise: the store, memory, an input."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.errors import (
    CohortflowError,
    DiskFull,
    EntryCorrupt,
    NotACohort,
    OutOfMemory,
    StageFailed,
    StoreError,
    StoreUnavailable,
)

MOST_BYTES = 2 * 2**30
"""Read again at most, after a failure, to see whether an input is damaged."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def open_known(url: str) -> Cohort:
    """Open a cohort that was there when the run began: where it is not, the store is away."""
    try:
        return open_cohort(url)
    except NotACohort as error:
        raise StoreUnavailable("the store is away", where=url, hint="Is it mounted?") from error


def named(
    error: Exception, cohort: Cohort, inputs: Iterable[EntryRef], unit: str
) -> CohortflowError:
    """The named error of a unit: the one raised, or what the exception was a consequence of."""
    if isinstance(error, CohortflowError):
        return error
    return (
        _store_away(error, cohort)
        or _no_memory(error, unit)
        or _damaged(cohort, inputs)
        or StageFailed(
            f"{type(error).__name__}: {error}",
            where=unit,
            hint="The traceback is in the failure record; replay the unit to look closer.",
        )
    )


def _store_away(error: Exception, cohort: Cohort) -> CohortflowError | None:
    if isinstance(error, OSError) and error.errno in _FULL:
        where = str(error.filename or cohort.url)
        return DiskFull("the disk is full", where=where, hint="Make room and run again.")
    try:
        open_known(cohort.url)
    except StoreUnavailable as away:
        return away
    except StoreError:
        return None
    return None


def _no_memory(error: Exception, unit: str) -> CohortflowError | None:
    if not isinstance(error, MemoryError):
        return None
    return OutOfMemory(
        str(error) or "memory could not be had",
        where=unit,
        hint="Give each worker more memory (--memory), or run fewer of them (--workers).",
    )


def _damaged(cohort: Cohort, inputs: Iterable[EntryRef]) -> CohortflowError | None:
    """The first input whose files are not those of its record, where so much can be read again."""
    left = MOST_BYTES
    try:
        for ref in inputs:
            record = cohort.entries.record(ref)
            left -= sum(int(about["bytes"]) for about in record.files.values()) if record else 0
            problems = cohort.entries.verify(ref) if record is not None and left >= 0 else []
            if problems:
                return EntryCorrupt(
                    "an input is damaged",
                    where=f"{cohort.url}/{ref.path}",
                    found=problems[0],
                    hint="See 'cohortflow fsck --deep'; without its entry.json it is made again.",
                )
    except CohortflowError as damage:
        return damage
    return None
