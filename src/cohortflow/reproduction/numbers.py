"""Every number and text of a report beside the recomputed one; nothing is left out in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cohortflow.reproduction.verdicts import (
    ABSENT,
    DIFFERS,
    LeftOut,
    Line,
    compare_members,
    leaves,
)

LEFT_OUT: Mapping[str, str] = {
    "timings": "times, rates and memory of a run are those of that run",
    "provenance": "dates, numbers of runs and names of programs; code and packages are compared apart",
    "subjects": "what people said of subjects, and distances in a spread that was kept from an earlier run",
}
"""Sections that no run can compute again, and the reason they are not compared."""
_NUMBERED = ("table", "figure")
_REPLAY = re.compile(r"(cohortflow (?:replay|report|run) ).*?( [0-9a-f]{16}\b)")


def compare_report(
    original: Mapping[str, Any], recomputed: Mapping[str, Any], tolerance: float, urls: list[str]
) -> tuple[list[Line], list[LeftOut]]:
    """Two data blocks (``verdict`` and ``sections``), value by value.

    ``urls``: where cohorts are, which is no part of what is compared.
    """
    lines = list(compare_members(original["verdict"], recomputed["verdict"], tolerance, "verdict"))
    old, new = original["sections"], recomputed["sections"]
    left_out = []
    for name in dict.fromkeys([*old, *new]):
        if name in LEFT_OUT:
            count = sum(1 for _ in leaves(old.get(name)))
            left_out.append(LeftOut(f"section {name}", count, LEFT_OUT[name]))
            continue
        pair = (without_places(old.get(name), urls), without_places(new.get(name), urls))
        lines += _section(name, *pair, tolerance)
    return lines, left_out


def _section(name: str, original: Any, recomputed: Any, tolerance: float) -> Iterator[Line]:
    if original is None or recomputed is None:
        there = [ABSENT if one is None else "there" for one in (original, recomputed)]
        yield Line(name, "section", "text", DIFFERS, there[0], there[1])
        return
    old, new = _blocks(original), _blocks(recomputed)
    for kind, block in dict.fromkeys([*old, *new]):
        pair = (old.get((kind, block), ABSENT), new.get((kind, block), ABSENT))
        named = f"{kind} {block}"
        group, prefix = (f"{name}, {named}", "") if kind in _NUMBERED else (f"{name}, texts", named)
        yield from compare_members(*pair, tolerance, group, prefix)


def _blocks(section: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Blocks by type and name; what has no name of its own by its number."""
    head = {name: value for name, value in section.items() if name != "blocks"}
    found: dict[tuple[str, str], Any] = {("section", "head"): head}
    blocks = section.get("blocks")
    for number, block in enumerate(blocks if isinstance(blocks, list) else [blocks], 1):
        about = block if isinstance(block, Mapping) else {}
        place = (str(about.get("type", "block")), str(about.get("name") or number))
        found[place if place not in found else (place[0], f"{place[1]} ({number})")] = block
    return found


def without_places(value: Any, urls: list[str]) -> Any:
    """Texts in which a cohort is called COHORT, wherever it is."""
    if isinstance(value, Mapping):
        return {name: without_places(inner, urls) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_places(inner, urls) for inner in value]
    if not isinstance(value, str):
        return value
    for url in urls:
        value = value.replace(url, "COHORT")
    return _REPLAY.sub(r"\1COHORT\2", value)
