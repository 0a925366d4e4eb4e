"""Disk use of a cohort, by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cohortflow.cohort.survey import survey

if TYPE_CHECKING:
    import pandas as pd

    from cohortflow.cohort.cohort import Cohort

RECORDS = "(records)"
"""Row of everything that is no entry: indexes, ingests, selections, leases, logs, checkpoints."""


def disk_usage(cohort: Cohort) -> pd.DataFrame:
    """One row per stage, largest first: entries, files, bytes (attempts without record too)."""
    import pandas as pd

    found = survey(cohort.storage)
    rows: dict[str, list[int]] = {}
    for folder in found.folders.values():
        row = rows.setdefault(folder.stage, [0, 0, 0])
        row[0] += folder.has_record
        row[1] += len(folder.files)
        row[2] += folder.bytes()
    if found.others:
        rows[RECORDS] = [0, len(found.others), sum(found.others.values())]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["entries", "files", "bytes"])
    table.index.name = "stage"
    return table.astype("int64").sort_values("bytes", ascending=False, kind="stable")
