"""A report read from its HTML alone. Whoever wrote the file is not trusted."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from cohortflow.errors import NoReport, NoSuchSource, ReportDamaged, ReportOfOtherSchema
from cohortflow.report.data_block import CLOSING, ID, OPENING
from cohortflow.report.render import SCHEMA
from cohortflow.reproduction.manifest import Manifest

MAX_BYTES = 256 * 2**20
MAX_DEPTH = 40
_HINT = "Take the report.html that the run left beside its cohort."


@dataclass(frozen=True)
class Report:
    """A report: the page as it is, what it was made from, and how that was computed."""

    page: str
    verdict: dict[str, Any]
    sections: dict[str, Any]
    manifest: Manifest


class _Content(pydantic.BaseModel):
    """The members of the data block, ``schema`` apart."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    verdict: dict[str, Any]
    sections: dict[str, dict[str, Any]]
    manifest: Manifest


def read_report(path: Path) -> Report:
    """The report in a file.

    Raises :class:`NoSuchSource`; :class:`NoReport` for a page of something else or of a run that
    does not say how it was computed; :class:`ReportOfOtherSchema`; :class:`ReportDamaged`.
    """
    page = _text(path)
    return report_in(page, path.name)


def report_in(page: str, name: str) -> Report:
    """The report in a page; ``name``: of its file, for errors."""
    document = _document(page, name)
    schema = document.pop("schema", None)
    if schema != SCHEMA or isinstance(schema, bool):
        raise ReportOfOtherSchema(
            "this report writes its data another way",
            where=name,
            expected=f"schema {SCHEMA}",
            found=f"schema {schema!r}"[:60],
            hint="The version of cohortflow that wrote it reads it.",
        )
    try:
        content = _Content.model_validate(document)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise ReportDamaged(
            f"its data are not a report's: {first['msg'][:200]}",
            where=f"{name}, {place}",
            hint=_HINT,
        ) from error
    return Report(page, content.verdict, content.sections, content.manifest)


def _text(path: Path) -> str:
    try:
        about = path.stat()
    except OSError:
        raise NoSuchSource("no such report", where=path.name, expected="a report.html") from None
    if not stat.S_ISREG(about.st_mode):
        raise NoReport("no file", where=path.name, expected="a report.html", hint=_HINT)
    if about.st_size > MAX_BYTES:
        raise ReportDamaged(
            "too large to be a report",
            where=path.name,
            expected=f"at most {MAX_BYTES:,} bytes",
            found=f"{about.st_size:,}",
            hint=_HINT,
        )
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoReport("no text in UTF-8", where=path.name, hint=_HINT) from error
    except OSError as error:
        raise NoSuchSource("the report cannot be read", where=path.name) from error


def _document(page: str, name: str) -> dict[str, Any]:
    found = page.count(f'id="{ID}"')
    if not found:
        raise NoReport(
            "no data of a report in it",
            where=name,
            expected="a report of a run that says how it was computed",
            hint=f"{_HINT} Reports of older versions, of nights and of cohorts "
            "cannot be computed again.",
        )
    if found > 1 or page.count(OPENING) != 1:
        raise ReportDamaged("its data stand in it twice, or oddly", where=name, hint=_HINT)
    start = page.index(OPENING) + len(OPENING)
    end = page.find(CLOSING, start)
    if end < 0:
        raise ReportDamaged("its data are cut off", where=name, hint=_HINT)
    try:
        document = json.loads(
            page[start:end], parse_constant=_no_number, object_pairs_hook=_once_each
        )
        _refuse_depth(document)
    except (ValueError, RecursionError) as error:
        raise ReportDamaged(
            "its data are no JSON as it is written", where=name, found=str(error)[:200], hint=_HINT
        ) from error
    if not isinstance(document, dict):
        raise ReportDamaged("its data are no JSON object", where=name, hint=_HINT)
    return document


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that stands twice")
    return found


def _refuse_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise ValueError(f"values more than {MAX_DEPTH} deep")
