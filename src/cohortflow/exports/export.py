"""An export: select, write bundle by bundle, tell what was written and what is missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.errors import AmbiguousExport, ExportTargetTaken, InputError, StoreError
from cohortflow.exports.folder import ExportFolder, merged_rows
from cohortflow.exports.formats import format_named
from cohortflow.exports.selection import Asked, Item, Missing, Selected, select
from cohortflow.exports.writer import ExportOptions, Files, Writer


@dataclass
class ExportReport:
    """``written``, ``unchanged``: files, or folders that are one thing. ``results``: exported."""

    results: int = 0
    written: int = 0
    unchanged: int = 0
    missing: list[Missing] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def export(
    cohort: Cohort, out: Path, format_name: str, asked: Asked, options: ExportOptions
) -> ExportReport:
    """Write what is asked for to a folder; what cannot be written is listed and does not stop it.

    The same call on the same cohort writes the same bytes, and nothing where they stand. Raises
    what :func:`select` raises, and :class:`ExportTargetTaken` before a file of another is touched.
    """
    family = format_named(format_name)
    _refuse_inside(cohort, out)
    selected = select(cohort, asked, family.kinds)
    writer = family(cohort, options, selected.pipeline)
    folder = ExportFolder(out, cohort.id, format_name)
    folder.start()
    report = ExportReport(missing=list(selected.missing))
    rows = _write_bundles(writer, folder, selected, report)
    rows = merged_rows(folder.earlier.get("items", ()), rows)
    about = {name: folder.write(name, data) for name, data in writer.about(rows).items()}
    folder.finish(
        {
            "versions": {name: version(name) for name in ("cohortflow", *family.libraries)},
            "items": rows,
            "about": about,
            "missing": [dataclasses.asdict(missing) for missing in report.missing],
            "notes": report.notes,
        }
    )
    report.written = folder.changed
    report.unchanged = folder.unchanged
    return report


def _refuse_inside(cohort: Cohort, out: Path) -> None:
    store = cohort.storage.local_path("")
    if store is not None and out.resolve().is_relative_to(store.resolve()):
        raise ExportTargetTaken(
            "an export does not go into the cohort itself",
            where=str(out),
            hint="Name a folder beside it.",
        )


def _write_bundles(
    writer: Writer, folder: ExportFolder, selected: Selected, report: ExportReport
) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for bundle in writer.bundles(selected.items):
        try:
            files = writer.write(bundle)
        except (InputError, StoreError, AmbiguousExport) as error:
            report.missing += [_refused(item, error.code) for item in bundle]
            report.errors += [{"result": item.stem(), **error.to_json()} for item in bundle]
            continue
        digests = _write(folder, files)
        rows += [_row(item, selected.pipeline, digests) for item in bundle]
        report.notes += files.notes
        report.results += len(bundle)
    return rows


def _write(folder: ExportFolder, files: Files) -> dict[str, str]:
    digests = {name: folder.write(name, data) for name, data in files.files.items()}
    trees = {f"{name}/": folder.write_tree(name, inside) for name, inside in files.trees.items()}
    return digests | trees


def _row(item: Item, pipeline: str | None, digests: Mapping[str, str]) -> dict[str, Any]:
    return {
        "subject": item.subject,
        "name": item.name,
        "pipeline": pipeline,
        "point": dict(item.point),
        "kind": item.kind,
        "key": item.key,
        "files": dict(digests),
    }


def _refused(item: Item, code: str) -> Missing:
    return Missing(item.subject, item.name, dict(item.point), "not exported", code)
