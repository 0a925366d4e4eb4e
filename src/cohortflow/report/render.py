"""One self-contained HTML file and the same content as JSON."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cohortflow.errors import CohortflowError, ReportSectionFailed
from cohortflow.report.blocks import Note, Section, Table
from cohortflow.report.catalogue import SECTIONS, check_sections
from cohortflow.report.data_block import data_block
from cohortflow.report.failures import failures, left_out
from cohortflow.report.formats import cell
from cohortflow.report.methods import citations, provenance
from cohortflow.report.overview import overview, verdict
from cohortflow.report.page import Page, html_page
from cohortflow.report.source import ReportSource
from cohortflow.report.timings import timings

log = logging.getLogger(__name__)

SCHEMA = 1


def render_report(
    source: ReportSource, out: Path, manifest: Mapping[str, Any] | None = None
) -> Path:
    """Write ``report.html`` and ``report.json`` into the folder ``out``; returns the HTML's path.

    ``manifest``: how the run was computed. With it the page holds what computes it again.

    Equal input gives equal bytes: the only time in it is ``source.environment["created"]``. An
    unknown section name raises :class:`UnknownName` before anything is written; a section that
    cannot be made says why in its place.
    """
    names = list(source.pipeline.get("report") or [])
    check_sections(names)
    head = verdict(source)
    sections = _sections(source, names)
    out.mkdir(parents=True, exist_ok=True)
    document = _document(source, head, sections)
    data = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, sort_keys=False)
    (out / "report.json").write_text(data + "\n", encoding="utf-8")
    page = out / "report.html"
    block = data_block({**embedded(document), "manifest": dict(manifest)}) if manifest else ""
    page.write_text(_html(source, head, sections, block), encoding="utf-8")
    return page


def embedded(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``report.json`` stands in the page as well: everything that has a number."""
    return {name: document[name] for name in ("schema", "verdict", "sections")}


def _sections(source: ReportSource, names: list[str]) -> list[Section]:
    always: list[tuple[str, Callable[[ReportSource], Section]]] = [
        ("overview", overview),
        ("failures", failures),
        ("left_out", left_out),
    ]
    asked = [(name, SECTIONS[name]) for name in names if name != "methods"]
    closing: list[tuple[str, Callable[[ReportSource], Section]]] = [
        ("methods", SECTIONS["methods"]),
        ("citations", citations),
        ("timings", timings),
        ("provenance", provenance),
    ]
    return [_guarded(name, make, source) for name, make in [*always, *asked, *closing]]


def _guarded(name: str, make: Callable[[ReportSource], Section], source: ReportSource) -> Section:
    """The boundary of a section: what it raises stands in its place, the others are rendered."""
    try:
        section = make(source)
        _print_cells(section)
        return section
    except CohortflowError as error:
        return _failed(name, error)
    except Exception as error:
        log.exception("report section %s failed", name)
        return _failed(name, _unexpected(name, error))


def _print_cells(section: Section) -> None:
    """A value that its column cannot print is the section's error, not the page's."""
    for table in (block for block in section.blocks if isinstance(block, Table)):
        for row in table.visible:
            for column in table.columns:
                cell(row.get(column.name), column.format)


def _unexpected(name: str, error: Exception) -> ReportSectionFailed:
    return ReportSectionFailed(
        f"{type(error).__name__}: {error}",
        where=f"section {name}",
        hint="The log of the command has the traceback. Results are not touched by it: once the "
        "cause is mended, cohortflow report COHORT renders the report again.",
    )


def _failed(name: str, error: CohortflowError) -> Section:
    said = error.to_json()
    text = f"This section could not be made: {said['message']}"
    note = Note(text, "error", hint=said["hint"], code=said["code"])
    return Section(name, name.replace("_", " ").capitalize(), [note])


def _document(
    source: ReportSource, head: dict[str, Any], sections: list[Section]
) -> dict[str, Any]:
    pipeline = source.pipeline
    document = {
        "schema": SCHEMA,
        "pipeline": {key: pipeline.get(key) for key in ("slug", "title", "report", "text")},
        "steps": [dict(step) for step in pipeline["steps"]],
        "axes": {name: list(labels) for name, labels in pipeline.get("axes", {}).items()},
        "verdict": head,
        "sections": {section.name: section.to_json() for section in sections},
        "environment": dict(source.environment),
    }
    return plain(document)  # type: ignore[no-any-return]


def plain(value: Any) -> Any:
    """JSON values from numpy's and pandas': no NaN (null instead), no tuples or sets."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)


def _html(
    source: ReportSource, head: dict[str, Any], sections: list[Section], block: str = ""
) -> str:
    pipeline, about = source.pipeline, source.environment
    page = Page(
        kind="report",
        title=pipeline.get("title") or pipeline["slug"],
        subtitle=_subtitle(source),
        verdict=head,
        tiles=_tiles(head),
        links=(("Runs of this pipeline", "../nights.html"), ("The cohort", "../../cohort.html")),
        home=r"/\d{6}/report\.html$",
        elsewhere=[(f"This run in {name}", url) for name, url in about.get("links", {}).items()],
        pipeline_text=pipeline.get("text") or "",
        data=block,
        foot=f"cohortflow · pipeline {pipeline['slug']} · index {about.get('index', '—')} · "
        f"cohort {about.get('cohort', '—')} · {about.get('created', '')}",
    )
    return html_page(page, sections)


def _subtitle(source: ReportSource) -> str:
    about = source.environment
    parts = [f"pipeline {source.pipeline['slug']}"]
    parts += [f"{name} {about[name]}" for name in ("cohort", "index", "created") if about.get(name)]
    return " · ".join(parts)


def _tiles(head: dict[str, Any]) -> list[tuple[str, str]]:
    done = head["units"].get("done", 0)
    others = ", ".join(f"{n:,} {state}" for state, n in head["units"].items() if state != "done")
    return [
        ("Units done", f"{done:,} of {head['units_total']:,}"),
        ("Units not done", others or "none"),
        ("Subjects complete", f"{head['subjects_complete']:,} of {head['subjects_total']:,}"),
        ("Subjects refused", f"{head['refused']:,}"),
        ("Warnings", f"{head['warnings']:,}"),
    ]
