"""Not drawn yet."""

from __future__ import annotations

from cohortflow.report.blocks import Section, not_run
from cohortflow.report.source import ReportSource


def p_plots(source: ReportSource) -> Section:
    return not_run("p_plots", "p plots".capitalize(), "this section is still to be written.")
