"""The page of a cohort: into a file, or beside its reports."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.forget import COHORT_PAGE
from cohortflow.cohort.indexes import slugs
from cohortflow.report.cohort_known import CohortKnown, numbers_in, traits_of
from cohortflow.report.cohort_page import render_cohort_page
from cohortflow.report.subjects.keeping import read_lines
from tasks.status import cohort_status


def cohort_page(cohort: Cohort, found: Mapping[str, Any]) -> str:
    """The page of a status document, as of now."""
    return render_cohort_page(found, time.strftime("%Y-%m-%dT%H:%M:%S%z"), known_of(cohort))


def known_of(cohort: Cohort) -> CohortKnown:
    """Traits from the ingest, numbers kept with the pages of subjects: no entry is read."""
    subjects = cohort.ingested.subjects.values()
    lines = {slug: read_lines(cohort.storage, slug) for slug in slugs(cohort.storage)}
    return CohortKnown(
        traits={subject.id: traits_of(subject) for subject in subjects},
        numbers={subject.id: numbers_in(subject) for subject in subjects},
        lines={slug: found for slug, found in lines.items() if found},
    )


def write_cohort_page(cohort: Cohort) -> None:
    """Beside the reports of the cohort."""
    cohort.storage.write(COHORT_PAGE, cohort_page(cohort, cohort_status(cohort)).encode())


def save_cohort_page(cohort: Cohort, found: Mapping[str, Any], file: Path) -> None:
    """Into a file of the user's."""
    file.write_text(cohort_page(cohort, found), encoding="utf-8")
