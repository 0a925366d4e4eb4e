"""The page of a cohort: into a file, or beside its reports."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.forget import COHORT_PAGE
from cohortflow.report.cohort_page import render_cohort_page
from tasks.status import cohort_status


def cohort_page(found: Mapping[str, Any]) -> str:
    """The page of a status document, as of now."""
    return render_cohort_page(found, time.strftime("%Y-%m-%dT%H:%M:%S%z"))


def write_cohort_page(cohort: Cohort) -> None:
    """Beside the reports of the cohort."""
    cohort.storage.write(COHORT_PAGE, cohort_page(cohort_status(cohort)).encode())


def save_cohort_page(found: Mapping[str, Any], file: Path) -> None:
    """Into a file of the user's."""
    file.write_text(cohort_page(found), encoding="utf-8")
