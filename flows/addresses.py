"""Where a person finds what a run left: the report's page, the run in Prefect."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.tracking import shown

REPORTS_URL = "COHORTFLOW_REPORTS_URL"
"""Address of the server of this cohort's reports, where one runs."""


def report_page(report: str, environment: Mapping[str, str]) -> str:
    """The report's address, or its place inside the cohort where no server is known."""
    inside = "/".join(report.replace("\\", "/").split("/")[-3:])
    base = environment.get(REPORTS_URL)
    return f"{base}/{inside}" if base else f"reports/{inside}"


def prefect_pages() -> str:
    """Address of Prefect's pages, without a password; empty where no server is set."""
    from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL

    named = PREFECT_UI_URL.value() or PREFECT_API_URL.value()
    return f"{shown(str(named)).removesuffix('/api')}/v2" if named else ""
