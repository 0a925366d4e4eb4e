"""Splits, made while planning from participants columns alone.

Groups (patients by default) are dealt to folds within each stratum in an order given by a hash of
the seed, so that a split does not depend on the order of ingestion and no patient is in two parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.errors import PipelineError, UnknownName, nearest
from cohortflow.pipeline.model import Label, Split
from cohortflow.pipeline.where import as_text

PARTS = ("train", "test", "validation")

Groups = Mapping[str, Sequence[str]]
Subjects = Mapping[str, IngestedSubject]


@dataclass(frozen=True)
class Assignment:
    """Where each subject stands: its fold (cross-validation) or its part (a single split).

    ``held``: fold → subjects that neither train nor test there, as their patient is in its test.
    """

    folds: tuple[Label, ...]
    fold_of: Mapping[str, Label]
    part_of: Mapping[str, str]
    held: Mapping[Label, frozenset[str]] = field(default_factory=dict)

    def part(self, name: str, fold: Label | None) -> frozenset[str]:
        """Subjects of a part; ``fold`` is None for a split without folds."""
        if not self.folds:
            return frozenset(s for s, part in self.part_of.items() if part == name)
        validation = {s for s, part in self.part_of.items() if part == "validation"}
        test = {s for s, own in self.fold_of.items() if own == fold}
        if name == "test":
            return frozenset(test)
        if name == "validation":
            return frozenset(validation - test)
        held = self.held.get(fold, frozenset()) if fold is not None else frozenset()
        return frozenset(set(self.fold_of) - test - validation - held)


def assign(split: Split, subjects: Subjects, where: str) -> Assignment:
    """Part the subjects; raises :class:`PipelineError` where there are too few groups.

    What a column says is taken as it is: :func:`cohortflow.pipeline.leakage.refuse_leakage` looks
    whether the parts tear what belongs together.
    """
    groups = _groups(split, subjects, where)
    if split.column and split.folds is None:
        return _published(split, subjects, where)
    if split.folds == "each":
        return _fold_each(split, groups, subjects, where)
    strata = _strata(split, groups, subjects, where)
    if split.folds is not None:
        return _deal_folds(split, groups, strata, where)
    return _deal_parts(split, groups, strata)


def _column(
    subjects: Subjects, name: str, where: str
) -> dict[str, str | int | float | bool | None]:
    known = {column for subject in subjects.values() for column in subject.columns}
    if subjects and name not in known:
        raise UnknownName(
            f"no participants column {name!r}", where=where, hint=nearest(name, known)
        )
    return {s: subject.columns.get(name) for s, subject in subjects.items()}


def group_of(split: Split, subjects: Subjects, where: str) -> dict[str, str]:
    """Subject → whoever must stay together; one whose column is empty stands alone."""
    if split.by == "patient":
        return {s: subject.patient or s for s, subject in subjects.items()}
    if split.by == "subject":
        return {s: s for s in subjects}
    column = _column(subjects, split.by, where)
    return {s: f"alone {s}" if v is None else as_text(v) for s, v in column.items()}


def _groups(split: Split, subjects: Subjects, where: str) -> dict[str, list[str]]:
    owner = group_of(split, subjects, where)
    groups: dict[str, list[str]] = {}
    for subject in sorted(owner):
        groups.setdefault(owner[subject], []).append(subject)
    return groups


def _strata(split: Split, groups: Groups, subjects: Subjects, where: str) -> list[list[str]]:
    columns = [_column(subjects, name, where) for name in split.stratify]
    strata: dict[tuple[str, ...], list[str]] = {}
    for group, members in groups.items():
        value = tuple(str(column[members[0]]) for column in columns)
        strata.setdefault(value, []).append(group)
    return [
        sorted(strata[value], key=lambda group: _shuffle(split, group)) for value in sorted(strata)
    ]


def _shuffle(split: Split, group: str) -> str:
    return hashlib.sha256(f"{split.seed}\t{split.name}\t{group}".encode()).hexdigest()


def _fold_each(split: Split, groups: Groups, subjects: Subjects, where: str) -> Assignment:
    """A fold for each value of the column; a group that stands in several trains in none of
    them."""
    column = _column(subjects, str(split.column), where)
    fold_of: dict[str, Label] = {s: as_text(v) for s, v in column.items() if v is not None}
    folds = tuple(sorted(set(fold_of.values()), key=str))
    if len(folds) == 1:
        raise PipelineError(
            f"split {split.name!r} cannot be made",
            where=where,
            expected=f"at least 2 values in the column {split.column!r}",
            found=str(folds[0]),
        )
    held: dict[Label, set[str]] = {fold: set() for fold in folds}
    for members in groups.values():
        for fold in {fold_of[s] for s in members if s in fold_of}:
            held[fold].update(s for s in members if fold_of.get(s) != fold)
    return Assignment(folds, fold_of, {}, {fold: frozenset(who) for fold, who in held.items()})


def _deal_folds(split: Split, groups: Groups, strata: list[list[str]], where: str) -> Assignment:
    count = int(split.folds or 0)
    if groups and len(groups) < count:
        raise PipelineError(
            f"split {split.name!r} cannot be made",
            where=where,
            expected="a group for each fold",
            found=f"{count} folds and {len(groups)} groups",
        )
    fold_of: dict[str, Label] = {}
    part_of: dict[str, str] = {}
    position = 0
    for stratum in strata:
        share = round(split.validation * len(stratum))
        for place, group in enumerate(stratum):
            for subject in groups[group]:
                fold_of[subject] = position % count
                if place >= len(stratum) - share:
                    part_of[subject] = "validation"
            position += 1
    return Assignment(tuple(range(count)), fold_of, part_of)


def _deal_parts(split: Split, groups: Groups, strata: list[list[str]]) -> Assignment:
    """⌊share · N⌋ groups to each part, by largest remainder over the strata."""
    part_of: dict[str, str] = {}
    start = [0] * len(strata)
    for part, share in (("test", split.test), ("validation", split.validation)):
        quota = [share * len(stratum) for stratum in strata]
        counts = [int(q + 1e-9) for q in quota]
        total = int(share * sum(map(len, strata)) + 1e-9)
        by_remainder = sorted(range(len(strata)), key=lambda i: (counts[i] - quota[i], i))
        for i in by_remainder[: total - sum(counts)]:
            counts[i] += 1
        for i, stratum in enumerate(strata):
            for group in stratum[start[i] : start[i] + counts[i]]:
                part_of.update(dict.fromkeys(groups[group], part))
            start[i] += counts[i]
    for members in groups.values():
        for subject in members:
            part_of.setdefault(subject, "train")
    return Assignment((), {}, part_of)


def _published(split: Split, subjects: Subjects, where: str) -> Assignment:
    values = _column(subjects, str(split.column), where)
    part_of = {s: str(v) for s, v in values.items() if v is not None}
    strange = sorted(set(part_of.values()) - set(PARTS))
    if strange:
        raise PipelineError(
            f"column {split.column!r} of split {split.name!r} holds {strange}",
            where=where,
            expected="train, test or validation",
        )
    return Assignment((), {}, part_of)
