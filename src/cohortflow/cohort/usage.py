"""Disk use of a cohort, by stage and by what its entries are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cohortflow.cohort.survey import survey

if TYPE_CHECKING:
    from cohortflow.cohort.cohort import Cohort

RECORDS = "(records)"
"""Row of everything that is no entry: indexes, ingests, selections, leases, logs, checkpoints."""
EARLIER = "(earlier)"
"""Entries that nothing of today names: ``gc`` removes what no kept index or selection does."""
_NONE: Mapping[str, str] = {}


def disk_usage(cohort: Cohort, steps: Mapping[str, str] = _NONE) -> list[dict[str, Any]]:
    """One row per stage and step, largest first: stage, of, entries, files, bytes.

    ``steps``: first 16 digits of a key → the step it is a unit of; entries of others are earlier
    ones. Walks the whole store.
    """
    found = survey(cohort.storage)
    rows: dict[tuple[str, str], list[int]] = {}
    for folder in found.folders.values():
        of = steps.get(folder.key, EARLIER)
        row = rows.setdefault((folder.stage, of), [0, 0, 0])
        row[0] += folder.has_record
        row[1] += len(folder.files)
        row[2] += folder.bytes()
    if found.others:
        rows[RECORDS, ""] = [0, len(found.others), sum(found.others.values())]
    largest = sorted(rows.items(), key=lambda item: -item[1][2])
    return [
        {"stage": stage, "of": of, "entries": entries, "files": files, "bytes": size}
        for (stage, of), (entries, files, size) in largest
    ]
