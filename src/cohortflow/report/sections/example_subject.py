"""Not drawn yet."""

from __future__ import annotations

from cohortflow.report.blocks import Section, not_run
from cohortflow.report.source import ReportSource


def example_subject(source: ReportSource) -> Section:
    return not_run(
        "example_subject", "example subject".capitalize(), "this section is still to be written."
    )
