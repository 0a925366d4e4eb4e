"""What the page shows, beside the recomputed page: its data may be right and its print not."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from cohortflow.report.data_block import CLOSING, OPENING
from cohortflow.reproduction.numbers import LEFT_OUT, without_places
from cohortflow.reproduction.verdicts import (
    ABSENT,
    DIFFERS,
    EQUAL,
    WITHIN,
    LeftOut,
    Line,
    Verdict,
)

_SECTION = re.compile(r'<section id="([^"]{1,100})".*?</section>', re.DOTALL)
_SAID = r"pipeline [a-z0-9_-]+(?: · (?:index |cohort |created )?[0-9a-fTZ:+—-]*)*"
_LINK = r'<a href="[^"<>]*" rel="noreferrer">This run in [A-Za-z]{1,20}</a>'
_OF_THE_RUN = re.compile(
    rf'<p class="sub">{_SAID}</p>|<p class="elsewhere">{_LINK}(?: · {_LINK})*</p>\n?'
    rf"|<footer><p>cohortflow · {_SAID}</p></footer>"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_AROUND = 50
OWN = "the date, the number and the addresses of a run"
AROUND = "around the sections"


def compare_pages(
    original: str, recomputed: str, tolerance: float, urls: list[str]
) -> tuple[list[Line], list[LeftOut]]:
    """One line per section of the page, and one for all that stands around them.

    Of the subtitle, the foot and links to servers only what a run writes there is left out: any
    other word in them, or one of them too many, stands around the sections and is compared.
    Markup, curves and printed numbers are compared as they stand in the file, a printed number to
    one unit of its last digit where its section is not the same to the letter.
    """
    old, new = _parts(original, urls), _parts(recomputed, urls)
    names = [name for name in dict.fromkeys([*old, *new]) if name not in LEFT_OUT]
    lines = [_line(name, old.get(name), new.get(name), tolerance) for name in names]
    left_out = [
        LeftOut(f"page, {name}", len(_NUMBER.findall(old.get(name, ""))), why)
        for name, why in LEFT_OUT.items()
        if name in old or name in new
    ]
    own = "".join(match[0] for match in _OF_THE_RUN.finditer(_SECTION.sub("", original)))
    left_out.append(
        LeftOut(
            "page, what its subtitle, links and foot say of the run", len(_NUMBER.findall(own)), OWN
        )
    )
    return lines, left_out


def _parts(page: str, urls: list[str]) -> Mapping[str, str]:
    start, end = page.find(OPENING), -1
    if start >= 0:
        end = page.find(CLOSING, start)
    if end >= 0:
        page = page[:start] + page[end + len(CLOSING) :]
    parts: dict[str, str] = {}
    for match in _SECTION.finditer(page):
        parts[match[1]] = parts.get(match[1], "") + match[0]
    around = _SECTION.sub(r"<section \1>", page)  # each in its place and as often as it is there
    parts[AROUND] = _OF_THE_RUN.sub("", around)
    escaped = [html.escape(url) for url in urls]
    return {name: without_places(text, [*urls, *escaped]) for name, text in parts.items()}


def _line(name: str, original: str | None, recomputed: str | None, tolerance: float) -> Line:
    where = f"page, {name}"
    if original is None or recomputed is None:
        old, new = (ABSENT if one is None else "shown" for one in (original, recomputed))
        return Line(where, "all of it", "text", DIFFERS, old, new)
    values = len(_NUMBER.findall(original))
    if original == recomputed:
        return Line(where, "all of it", "text", EQUAL, "", "", values=values)
    verdict, at = _first_difference(original, recomputed, tolerance)
    old, new = (
        _plain(text[max(0, at - _AROUND) : at + _AROUND]) for text in (original, recomputed)
    )
    place = "printed numbers" if verdict == WITHIN else "first difference"
    return Line(where, place, "text", verdict, old, new, tolerance=tolerance, values=values)


def _first_difference(original: str, recomputed: str, tolerance: float) -> tuple[Verdict, int]:
    old, new = list(_NUMBER.finditer(original)), list(_NUMBER.finditer(recomputed))
    if _NUMBER.sub("0", original) != _NUMBER.sub("0", recomputed):
        pairs = zip(original, recomputed, strict=False)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
        return DIFFERS, at
    for a, b in zip(old, new, strict=True):
        if not _prints_the_same(a[0], b[0], tolerance):
            return DIFFERS, a.start()
    return WITHIN, next(a.start() for a, b in zip(old, new, strict=True) if a[0] != b[0])


def _prints_the_same(original: str, recomputed: str, tolerance: float) -> bool:
    if original == recomputed:
        return True
    if tolerance == 0 or "." not in original or "e" in original + recomputed:
        return False
    digit = 10.0 ** -len(original.partition(".")[2])
    allowed = tolerance * abs(float(original)) + 1.01 * digit
    return abs(float(original) - float(recomputed)) <= allowed


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
