"""Not drawn yet."""

from __future__ import annotations

from cohortflow.report.blocks import Section, not_run
from cohortflow.report.source import ReportSource


def pair_maps(source: ReportSource) -> Section:
    return not_run("pair_maps", "pair maps".capitalize(), "this section is still to be written.")
