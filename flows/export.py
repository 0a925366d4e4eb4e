"""Export: results of a cohort, or what it took in, as files that other programs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from cohortflow.cohort.cohort import open_cohort
from cohortflow.errors import UsageError, nearest
from cohortflow.exports.export import ExportReport, export
from cohortflow.exports.image import GridChoice
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions


@dataclass(frozen=True)
class ExportRequest:
    """As the command line takes it; ``options`` as of :class:`ExportOptions`."""

    cohort: str
    out: Path
    format: str
    pipeline: str | None = None
    steps: tuple[str, ...] = ()
    entry: str | None = None
    subjects: tuple[str, ...] | None = None
    at: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def export_cohort(request: ExportRequest) -> ExportReport:
    """Write what is asked for; what cannot be written is listed and does not stop the rest."""
    options = ExportOptions(**request.options)
    if options.grid not in get_args(GridChoice):
        raise UsageError(
            f"--grid {options.grid}", hint=nearest(str(options.grid), get_args(GridChoice))
        )
    asked = Asked(request.pipeline, request.steps, request.entry, request.subjects, request.at)
    return export(open_cohort(request.cohort), request.out, request.format, asked, options)
