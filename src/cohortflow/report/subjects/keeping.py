"""Pages of subjects beside the reports of a pipeline, written only where their content changed.

They live in ``reports/<pipeline>/subjects/<id>.html``: one address a subject, which every report of
the pipeline links to. Beside them ``pages.json.gz`` holds, by subject, the digest of what its page
shows and the numbers it was made from, and the spread of the cohort that all pages are set beside.
That spread stays until it no longer tells what matters (:meth:`Spread.still_tells`): so a night
with a few newcomers makes their pages and those of their neighbours, and no others.
"""

from __future__ import annotations

import hashlib
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cohortflow.cohort.documents import digest, encode_gzip, read_document
from cohortflow.cohort.gc import SUBJECT_LEDGER, subject_pages
from cohortflow.cohort.storage import Storage
from cohortflow.errors import CohortflowError, EntryCorrupt, EntryMissing
from cohortflow.pipeline.unit import SETTLED_BADLY
from cohortflow.report.source import ReportSource, ReportUnit, states
from cohortflow.report.subjects.book import SubjectBook, SubjectRow
from cohortflow.report.subjects.numbers import (
    Number,
    numbers_of,
    units_by_subject,
    with_nothing_said,
)
from cohortflow.report.subjects.page import SubjectView, address_of, subject_page
from cohortflow.report.subjects.spread import Spread

SCHEMA = 1


@dataclass(frozen=True)
class _Subject:
    id: str
    units: Sequence[ReportUnit]
    refused: Mapping[str, Any] | None
    warnings: Sequence[Mapping[str, Any]]
    material: str
    numbers: Sequence[Number]


def keep_pages(storage: Storage, source: ReportSource) -> SubjectBook:
    """Write the pages that show something new, delete those of nobody; returns what there is."""
    folder = subject_pages(source.pipeline["slug"])
    ledger = _ledger(storage, folder)
    subjects = _subjects(source, ledger["subjects"], ledger["names"])
    numbers = with_nothing_said({one.id: one.numbers for one in subjects})
    spread = _spread(ledger["spread"], Spread.of(numbers.values()))
    rows = {one.id: _row(one, numbers[one.id], spread) for one in subjects}
    order = sorted(subjects, key=lambda one: _first(rows[one.id]))
    there = {name for name in storage.list(folder) if name.endswith(".html")}
    made, lines, names = 0, {}, _Names()
    book: list[SubjectRow] = []
    for at, one in enumerate(order):
        before = order[at - 1].id if at else None
        after = order[at + 1].id if at + 1 < len(order) else None
        version = _version(one, numbers[one.id], spread, before, after)
        name = f"{one.id}.html"
        if ledger["subjects"].get(one.id, {}).get("page") != version or name not in there:
            view = SubjectView(
                one.id,
                one.units,
                numbers[one.id],
                spread,
                version,
                before,
                after,
                one.refused,
                one.warnings,
            )
            storage.write(f"{folder}/{name}", subject_page(source, view).encode())
            made += 1
        there.discard(name)
        lines[one.id] = _line(one, version, rows[one.id], names)
        book.append(_with_version(rows[one.id], version))
    storage.delete_files([f"{folder}/{name}" for name in sorted(there)])
    kept = {"spread": spread.to_json(), "names": names.told, "subjects": lines}
    _keep(storage, folder, {"schema": SCHEMA, **kept}, ledger)
    known = max(map(len, spread.values.values()), default=0)
    return SubjectBook(book, made, known)


def read_lines(storage: Storage, slug: str) -> dict[str, Any]:
    """What is kept of each subject: ``numbers``, ``score``, ``reason``; empty without pages."""
    found: dict[str, Any] = _ledger(storage, subject_pages(slug))["subjects"]
    return found


def _ledger(storage: Storage, folder: str) -> dict[str, Any]:
    """Empty where there is none, or none that can be used: then every page is made again."""
    try:
        found = read_document(storage, f"{folder}/{SUBJECT_LEDGER}")
    except (EntryMissing, EntryCorrupt):
        found = {}
    empty: dict[str, Any] = {"spread": {}, "names": [], "subjects": {}}
    return found if found.get("schema") == SCHEMA and empty.keys() <= found.keys() else empty


def _keep(storage: Storage, folder: str, ledger: dict[str, Any], before: dict[str, Any]) -> None:
    if ledger != before:
        storage.write(f"{folder}/{SUBJECT_LEDGER}", encode_gzip(ledger))


def _number(
    about: Sequence[Any], value: float | None, reason: str = "", flagged: bool = False
) -> Number:
    name, unit, better, countable = about
    return Number(name, value, unit, reason, flagged, better, countable)


def _subjects(
    source: ReportSource, lines: Mapping[str, Any], names: Sequence[Sequence[Any]]
) -> list[_Subject]:
    refused = {str(row["subject"]): row["error"] for row in source.refused}
    warnings: dict[str, list[Mapping[str, Any]]] = {}
    for row in source.ingested:
        warnings.setdefault(str(row["subject"]), []).extend(row["warnings"])
    found = []
    for subject, units in units_by_subject(source).items():
        material = digest([_unit(unit) for unit in units])
        known = lines.get(subject, {})
        if known.get("material") == material:
            numbers = [_number(names[at], *own) for at, *own in known["numbers"]]
        else:
            numbers = _numbers(source, units)
        error, told = refused.get(subject), warnings.get(subject, [])
        found.append(_Subject(subject, units, error, told, material, numbers))
    return found


def _unit(unit: ReportUnit) -> list[str]:
    return [unit.step, unit.key, unit.state]


def _numbers(source: ReportSource, units: Sequence[ReportUnit]) -> list[Number]:
    try:
        return numbers_of(source, units)
    except CohortflowError as error:
        # Its page says so, and that of everybody else is made.
        return [Number("scores of this subject", None, reason=error.code, flagged=True)]


def _spread(kept: Mapping[str, Any], now: Spread) -> Spread:
    before = Spread(dict(kept))
    return before if before.values and before.still_tells(now) else now


def _row(one: _Subject, numbers: Sequence[Number], spread: Spread) -> SubjectRow:
    flagged = [number for number in numbers if number.flagged]
    others = [number for number in numbers if not number.flagged]
    farthest = max(others, key=spread.outlying, default=None)
    score = 0.0 if farthest is None else spread.outlying(farthest)
    reasons = [_fault(flagged)] if flagged else []
    reasons += [_told(farthest, spread)] if farthest is not None and score else []
    counts = states(one.units)
    return SubjectRow(
        subject=one.id,
        address=address_of(one.id),
        version="",
        score=score,
        reason="; ".join(reasons),
        flagged=len(flagged),
        states=counts,
        broken=sum(counts.get(state, 0) for state in SETTLED_BADLY) + (one.refused is not None),
        warnings=sum(len(unit.warnings) for unit in one.units) + len(one.warnings),
    )


def _fault(flagged: Sequence[Number]) -> str:
    more = f", and {len(flagged) - 1} numbers more" if len(flagged) > 1 else ""
    return f"{flagged[0].name}: {flagged[0].reason}{more}"


def _told(number: Number, spread: Spread) -> str:
    standing = spread.standing(number)
    median = "" if standing is None else f", the median {standing.median:.4g}"
    return f"{number.name} {number.value:.4g}{median}"


def _first(row: SubjectRow) -> tuple[bool, int, float, str]:
    """What failed comes first, then of which most was missed, then the farthest out, then by id."""
    return not row.broken, -row.flagged, -row.score, row.subject


def _with_version(row: SubjectRow, version: str) -> SubjectRow:
    return SubjectRow(**{**vars(row), "version": version})


class _Names:
    """What numbers are called, each once: thousands of subjects have the same."""

    def __init__(self) -> None:
        self.told: list[list[Any]] = []
        self._at: dict[tuple[Any, ...], int] = {}

    def at(self, number: Number) -> int:
        place = self._at.setdefault(number.about, len(self.told))
        if place == len(self.told):
            self.told.append(list(number.about))
        return place


def _line(one: _Subject, version: str, row: SubjectRow, names: _Names) -> dict[str, Any]:
    return {
        "material": one.material,
        "page": version,
        "numbers": [
            [
                names.at(number),
                *(number.own if number.reason or number.flagged else (number.value,)),
            ]
            for number in one.numbers
        ],
        "score": row.score,
        "reason": row.reason,
        "flagged": row.flagged,
    }


def _version(
    one: _Subject,
    numbers: Sequence[Number],
    spread: Spread,
    before: str | None,
    after: str | None,
) -> str:
    """Digest of all that a page shows, save the number of the run that made it and its times."""
    told = [[unit.state, unit.reason, unit.error, list(unit.warnings)] for unit in one.units]
    shown = [one.id, one.material, told, one.refused, list(one.warnings), spread.digest]
    return digest(
        [*shown, [[*number.about, *number.own] for number in numbers], before, after, _look()]
    )


@cache
def _look() -> str:
    """Digest of the page's templates: another version of the program makes its pages again."""
    folder = importlib.resources.files("cohortflow.report") / "templates"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    text = "".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
    return hashlib.sha256(text.encode()).hexdigest()[:16]
