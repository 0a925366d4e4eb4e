"""What subjects that failed of one cause have in common: a site, a scanner, a spacing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cohortflow.report.blocks import Block, Column, Note, Table
from cohortflow.report.cohort_known import CohortKnown

LEAST_FAILED = 3
MOST_VALUES = 100
CHANCE = 0.01
_ROWS_A_CAUSE = 3
_BROKEN = ("failed", "quarantined")


@dataclass(frozen=True)
class Common:
    """``inside`` of ``of`` subjects with the trait failed, ``others`` of ``beside`` without it.

    ``chance``: of so many or more inside if failures fell on subjects at random (one-sided Fisher
    test, times the traits that were looked at, at most 1).
    """

    trait: str
    inside: int
    of: int
    others: int
    beside: int
    chance: float


def in_common(failed: Collection[str], everyone: Mapping[str, Mapping[str, str]]) -> list[Common]:
    """Traits that failures gather in, the least likely first.

    ``everyone``: subject → traits, of all who could have failed. Traits of more than 100 values
    tell nobody apart, and those of one value all alike: they are not looked at. Names of traits
    that are the very same subjects stand together.
    Source: Fisher 1935, the hypergeometric tail.
    """
    from scipy.stats import hypergeom

    groups = _groups(everyone)
    found: list[Common] = []
    lost = set(failed) & everyone.keys()
    for members, names in groups.items():
        inside = len(members & lost)
        if not inside:
            continue
        tail = float(hypergeom.sf(inside - 1, len(everyone), len(lost), len(members)))
        found.append(
            Common(
                "; ".join(names),
                inside,
                len(members),
                len(lost) - inside,
                len(everyone) - len(members),
                min(1.0, tail * len(groups)),
            )
        )
    telling = [one for one in found if one.chance < CHANCE and one.inside >= LEAST_FAILED]
    return sorted(telling, key=lambda one: (one.chance, -one.inside / one.of, one.trait))


def _groups(everyone: Mapping[str, Mapping[str, str]]) -> dict[frozenset[str], list[str]]:
    by_trait: dict[str, dict[str, set[str]]] = {}
    for subject, traits in everyone.items():
        for name, value in traits.items():
            by_trait.setdefault(name, {}).setdefault(value, set()).add(subject)
    groups: dict[frozenset[str], list[str]] = {}
    for name, values in sorted(by_trait.items()):
        if 1 < len(values) <= MOST_VALUES:
            for value, members in sorted(values.items()):
                groups.setdefault(frozenset(members), []).append(f"{name} {value}")
    return groups


def clusters_block(
    units: Iterable[Mapping[str, Any]], known: CohortKnown, subjects: Collection[str]
) -> Block:
    """Causes by what those who failed have in common; a note where that is nothing.

    ``units``: of the status document.
    """
    causes: dict[tuple[str, str, str], set[str]] = {}
    tried: dict[tuple[str, str], set[str]] = {}
    here = set(subjects)
    for unit in units:
        if unit["subject"] not in here:
            continue
        pipeline, step = str(unit["pipeline"] or ""), str(unit["step"])
        tried.setdefault((pipeline, step), set()).add(unit["subject"])
        if unit["state"] in _BROKEN:
            code = str((unit["error"] or {}).get("code") or "unknown")
            causes.setdefault((pipeline, step, code), set()).add(unit["subject"])
    rows: list[dict[str, Any]] = []
    for (pipeline, step, code), failed in causes.items():
        if len(failed) >= LEAST_FAILED:
            rows += _rows(pipeline, step, code, failed, tried[pipeline, step], known)
    rows.sort(key=lambda row: (row["chance"], -row["share"]))
    if not rows:
        return Note(
            "Failures of no cause gather in a site, a scanner or another trait of subjects.",
            hint=f"Looked at: columns of the participants and facts of recordings with 2 to "
            f"{MOST_VALUES} values, for causes of {LEAST_FAILED} subjects or more.",
        )
    columns = [
        Column("step", "Step", "code"),
        Column("code", "Cause", "code"),
        Column("trait", "In common"),
        Column("told", "Failed of those"),
        Column("share", "Share", "share"),
        Column("others", "Of the others", "fraction"),
        Column("chance", "By chance", "p", "", "one-sided Fisher test, corrected for the traits"),
    ]
    return Table("clusters", "What those who failed have in common", columns, rows)


def _rows(
    pipeline: str, step: str, code: str, failed: set[str], tried: set[str], known: CohortKnown
) -> list[dict[str, Any]]:
    everyone = {subject: known.traits.get(subject, {}) for subject in tried}
    found = in_common(failed, everyone)
    return [
        {
            "step": f"{pipeline} {step}".strip(),
            "code": code,
            "trait": one.trait,
            "told": f"all {one.of}" if one.inside == one.of else f"{one.inside} of {one.of}",
            "share": one.inside / one.of,
            "others": [one.others, one.beside],
            "chance": one.chance,
        }
        for one in found[:_ROWS_A_CAUSE]
    ]
