"""Cohorts of records only: subjects with facts and keys, no recording behind them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.ingests import IngestedEntry, IngestedSubject

FACTS = {"rois": 160, "samples": 200, "tr_s": 3.0, "networks": {"DMN": 34, "FP": 21}}


def records_only(folder: Path, subjects: int) -> Cohort:
    """A cohort of ``subjects`` that each brought a ROI series of 160 regions and 200 samples."""
    cohort = create_cohort(folder)
    cohort.ingests.append([_subject(number) for number in range(subjects)], {})
    return cohort


def _subject(number: int) -> IngestedSubject:
    name = f"sub-{number + 1:05d}"
    key = hashlib.sha256(name.encode()).hexdigest()
    entry = IngestedEntry("series", "roi_series", "series", key, dict(FACTS))
    columns = {"group": ("HC", "MCI")[number % 2], "age": 60 + number % 30}
    return IngestedSubject(name, columns=columns, entries={"series": entry})
