"""The sections a pipeline may ask for, by name: one explicit dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cohortflow.errors import UnknownName, nearest
from cohortflow.report.blocks import Section
from cohortflow.report.methods import methods
from cohortflow.report.sections.accuracy import accuracy
from cohortflow.report.sections.benchmark import benchmark
from cohortflow.report.sections.classification import classification
from cohortflow.report.sections.example_subject import example_subject
from cohortflow.report.sections.p_plots import p_plots
from cohortflow.report.sections.pair_maps import pair_maps
from cohortflow.report.sections.published import published
from cohortflow.report.sections.quality import quality
from cohortflow.report.sections.segmentation import segmentation
from cohortflow.report.sections.subjects import subjects
from cohortflow.report.source import ReportSource

SECTIONS: dict[str, Callable[[ReportSource], Section]] = {
    "example_subject": example_subject,
    "pair_maps": pair_maps,
    "p_plots": p_plots,
    "accuracy": accuracy,
    "classification": classification,
    "segmentation": segmentation,
    "published": published,
    "benchmark": benchmark,
    "quality": quality,
    "subjects": subjects,
    "methods": methods,
}


def check_sections(names: Iterable[str], where: str = "report") -> None:
    """Raise :class:`UnknownName` for a section that does not exist, with the nearest that does."""
    for name in names:
        if name not in SECTIONS:
            raise UnknownName(
                f"no such report section {name!r}", where=where, hint=nearest(name, SECTIONS)
            )
