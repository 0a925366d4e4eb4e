"""Leakage between the parts of a split: what belongs together and stands on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.errors import Leakage
from cohortflow.pipeline.model import Split
from cohortflow.pipeline.splits import PARTS, Assignment, Subjects, group_of


def torn_groups(parts: Mapping[str, str], group_of: Mapping[str, str]) -> set[str]:
    """Groups with members in more than one part.

    parts: member → part, for those that are in one. group_of: member → group; a member without one
    is a group of its own.
    """
    found: dict[str, set[str]] = {}
    for member, part in parts.items():
        if member in group_of:
            found.setdefault(group_of[member], set()).add(part)
    return {group for group, its_parts in found.items() if len(its_parts) > 1}


def refuse_torn(
    parts: Mapping[str, str],
    group_of: Mapping[str, str],
    *,
    what: str,
    where: str = "",
    hint: str = "",
) -> None:
    """Raise :class:`Leakage` where a group of ``what`` (patients, sites) stands in two parts.

    The error gives their number, and names nobody.
    """
    torn = torn_groups(parts, group_of)
    if torn:
        both = sorted({part for m, part in parts.items() if group_of.get(m) in torn})
        raise Leakage(
            f"{len(torn)} {what} of {len(set(group_of.values()))} stand on both sides",
            where=where,
            expected=f"all of one in one part of {' and '.join(both)}",
            hint=hint,
        )


def refuse_leakage(split: Split, assignment: Assignment, subjects: Subjects, where: str) -> None:
    """Refuse parts or folds that tear what belongs together.

    That is the split's own groups, recordings that are the same files under several ids, and
    patients, whatever the split groups by: only ``by: subject`` says that they may be torn.
    """
    relations = [
        ("recordings under several ids", same_recording(subjects), _SAME),
        (f"groups by {split.by!r}", group_of(split, subjects, where), _OWN),
    ]
    if split.by not in ("subject", "patient"):
        patients = {s: subject.patient or s for s, subject in subjects.items()}
        relations.append(("patients", patients, _PATIENT))
    for fold in assignment.folds or (None,):
        parts = {s: part for part in PARTS for s in assignment.part(part, fold)}
        at = f"split {split.name!r}" + ("" if fold is None else f", fold {fold!r}")
        for what, groups, hint in relations:
            refuse_torn(parts, groups, what=f"{what} in {at}", where=where, hint=hint)


_OWN = "Mend the column, or say by: subject where that is meant."
_PATIENT = "Group by patient, or say by: subject where tearing patients is meant."
_SAME = "Leave one of each out, or give both the same value in the patient column."


def same_recording(subjects: Mapping[str, IngestedSubject]) -> dict[str, str]:
    """Subject → the first that shares a source file with it; those that share with none are absent.

    Compared are digests of the files that images, series and signals came from, so copies that
    were compressed anew are not found. Label maps and tables do not count: empty masks are equal.
    """
    holders: dict[str, list[str]] = {}
    for name in sorted(subjects):
        for digest in _digests(subjects[name].source):
            holders.setdefault(digest, []).append(name)
    first: dict[str, str] = {}
    for sharing in holders.values():
        if len(sharing) > 1:
            _join(first, sharing)
    return {name: _root(first, name) for name in first}


def twins(subjects: Mapping[str, IngestedSubject]) -> dict[str, frozenset[str]]:
    """Subject → others that are the same recording; those that have none are absent."""
    groups: dict[str, set[str]] = {}
    first = same_recording(subjects)
    for name, root in first.items():
        groups.setdefault(root, set()).add(name)
    return {name: frozenset(groups[root] - {name}) for name, root in first.items()}


def _digests(source: Mapping[str, object]) -> set[str]:
    own = source.get("recordings")
    if isinstance(own, Sequence) and not isinstance(own, str):
        return {str(digest) for digest in own}
    return {str(source["digest"])} if source.get("digest") else set()


def _join(first: dict[str, str], names: Sequence[str]) -> None:
    roots = sorted({_root(first, name) for name in names})
    for name in (*names, *roots):
        first[name] = roots[0]


def _root(first: Mapping[str, str], name: str) -> str:
    while first.get(name, name) != name:
        name = first[name]
    return name
