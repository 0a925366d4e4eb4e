"""What the paper printed beside what was obtained, and what differs between the two."""

from __future__ import annotations

from cohortflow.evaluation.published import PUBLISHED, Paper, published_paper
from cohortflow.report.blocks import Block, Heading, Note, Section, Text, not_run
from cohortflow.report.cells import cells
from cohortflow.report.sections.differences import differences
from cohortflow.report.sections.peaks import peaks
from cohortflow.report.sections.published_beside import beside
from cohortflow.report.sections.published_points import beside_points
from cohortflow.report.sections.published_runs import (
    classified,
    segmentation_differences,
    segmented,
)
from cohortflow.report.sections.published_tables import against_themselves, printed_blocks
from cohortflow.report.source import ReportSource
from cohortflow.systems import SYSTEMS

TITLE = "Beside the published numbers"


def published(source: ReportSource) -> Section:
    """Obtained numbers beside printed ones where they correspond; then the printed tables."""
    system = str(source.pipeline.get("system") or source.pipeline["slug"])
    if system not in PUBLISHED:
        return not_run("published", TITLE, f"no printed tables belong to {system!r}.")
    paper = published_paper(system)
    blocks: list[Block] = [Text(f"Printed in: {_printed_in(paper)}.")]
    if paper.notes:
        blocks.append(Text(paper.notes))
    obtained = [*_classifications(source, paper), *_segmentations(source, paper)]
    blocks += obtained or [Note("No score has finished, so nothing stands beside them.", "absent")]
    blocks.append(Heading("The tables as printed"))
    if not paper.tables:
        blocks.append(Note("This paper printed no table of results.", "absent"))
    for table in paper.tables:
        blocks += printed_blocks(table)
    blocks += against_themselves(paper)
    return Section("published", TITLE, blocks)


def _printed_in(paper: Paper) -> str:
    if paper.system in SYSTEMS:
        return SYSTEMS[paper.system].source
    return f"{paper.title}, {paper.year}"


def _classifications(source: ReportSource, paper: Paper) -> list[Block]:
    found = [cell for cell in cells(source) if not cell.control]
    if not found:
        return []
    if paper.cells is None:
        blocks = beside(paper, classified(found))
    else:
        blocks = beside_points(source, paper.system, found)
        best = peaks(paper.system, found)
        blocks += [best] if best.rows else []
    return [*blocks, differences(source, paper.system, paper.tables, found)]


def _segmentations(source: ReportSource, paper: Paper) -> list[Block]:
    found = segmented(source)
    if not found:
        return []
    return [*beside(paper, found), segmentation_differences(source, paper, found)]
