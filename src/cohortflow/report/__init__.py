"""Reports: one self-contained HTML file with the same content as JSON beside it."""

from cohortflow.report.catalogue import SECTIONS, check_sections
from cohortflow.report.render import render_report
from cohortflow.report.source import ReportSource, ReportUnit

__all__ = ["SECTIONS", "ReportSource", "ReportUnit", "check_sections", "render_report"]
