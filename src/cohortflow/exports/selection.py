"""What an export takes: results of the newest run of a pipeline, or ingested entries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Entry
from cohortflow.cohort.indexes import slugs
from cohortflow.cohort.run_view import RunView, UnitRow
from cohortflow.errors import (
    AmbiguousExport,
    KindMismatch,
    SelectionEmpty,
    UnknownName,
    UsageError,
    nearest,
)


@dataclass(frozen=True)
class Asked:
    """What is asked for. ``entry`` and ``pipeline`` exclude each other; empty means all."""

    pipeline: str | None = None
    steps: tuple[str, ...] = ()
    entry: str | None = None
    subjects: tuple[str, ...] | None = None
    at: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One result to export. ``name``: its step or, of an ingested entry, the entry's name."""

    subject: str | None
    name: str
    kind: str
    key: str
    point: Mapping[str, Any]
    facts: Mapping[str, Any]
    open: Callable[[], Entry] = field(compare=False, repr=False)

    def stem(self) -> str:
        """A file name without its extensions: subject, name, and the point."""
        return _stem(self.subject, self.name, self.point)


@dataclass(frozen=True)
class Missing:
    """What was asked for and is not exported. ``state``: its unit's, ``absent``, ``refused``."""

    subject: str | None
    name: str
    point: Mapping[str, Any]
    state: str
    code: str = ""

    def stem(self) -> str:
        return _stem(self.subject, self.name, self.point)


def _stem(subject: str | None, name: str, point: Mapping[str, Any]) -> str:
    labels = (f"{axis}-{safe(str(label))}" for axis, label in point.items())
    return "_".join(part for part in (subject or "cohort", name, *labels) if part)


@dataclass(frozen=True)
class Selected:
    items: tuple[Item, ...]
    missing: tuple[Missing, ...]
    pipeline: str | None


def select(cohort: Cohort, asked: Asked, kinds: Collection[str]) -> Selected:
    """What there is of what is asked, of these kinds.

    Raises :class:`AmbiguousExport` where several pipelines ran and none is named,
    :class:`UnknownName`, :class:`KindMismatch` for a step or entry of another kind, and
    :class:`SelectionEmpty`.
    """
    _known(asked.subjects or (), cohort.subjects, "subject")
    if asked.entry is None:
        selected = _results(cohort, asked, kinds)
    elif asked.pipeline or asked.steps or asked.at:
        raise UsageError(
            "an ingested entry has no pipeline, step or point", found=f"--entry {asked.entry}"
        )
    else:
        selected = _ingested(cohort, asked, kinds)
    if not selected.items and not selected.missing:
        raise SelectionEmpty(
            "nothing to export",
            where=cohort.url,
            expected=f"entries of kind {' or '.join(sorted(kinds))}",
            hint="--entry NAME exports what was taken in; cohortflow status tells what was "
            "computed.",
        )
    return selected


def the_pipeline(cohort: Cohort, slug: str | None) -> str:
    """The pipeline of which results are meant: the one named, or the only one that ran."""
    known = slugs(cohort.storage)
    if slug is not None:
        _known([slug], known, "pipeline that ran here")
        return slug
    if not known:
        raise SelectionEmpty(
            "no pipeline has run on this cohort",
            where=cohort.url,
            hint="--entry NAME exports what was taken in.",
        )
    if len(known) > 1:
        raise AmbiguousExport(
            f"{len(known)} pipelines ran on this cohort",
            found=", ".join(known),
            hint="Say --pipeline.",
        )
    return known[0]


def _results(cohort: Cohort, asked: Asked, kinds: Collection[str]) -> Selected:
    slug = the_pipeline(cohort, asked.pipeline)
    run = cohort.run(slug)
    known = {row.step: row.kind for row in run.rows}
    _known(asked.steps, known, "step")
    for step in asked.steps:
        _require_kind(f"step {step!r}", known[step], kinds)
    rows = [
        row
        for row in run.rows
        if row.kind in kinds
        and (not asked.steps or row.step in asked.steps)
        and (asked.subjects is None or row.subject in asked.subjects)
    ]
    rows = _at(rows, asked.at)
    items = [_item(run, row) for row in rows if row.state == "done"]
    missing = [
        Missing(row.subject, row.step, row.point, row.state, str((row.error or {}).get("code", "")))
        for row in rows
        if row.state != "done"
    ]
    told = {row.subject for row in rows}
    name = ",".join(asked.steps)
    missing += [Missing(s, name, {}, "absent") for s in asked.subjects or () if s not in told]
    return Selected(tuple(items), tuple(missing), slug)


def _item(run: RunView, row: UnitRow) -> Item:
    return Item(row.subject, row.step, row.kind, row.key, row.point, {}, lambda: run.open(row))


def _at(rows: list[UnitRow], at: Mapping[str, tuple[str, ...]]) -> list[UnitRow]:
    """The rows at these labels; of a step without the axis, as in ``run``, all."""
    for axis, wanted in at.items():
        labels = {str(row.point[axis]) for row in rows if axis in row.point}
        if rows and not labels:
            _known([axis], {name for row in rows for name in row.point}, "axis")
        _known(wanted if rows else (), labels, f"value of the axis {axis!r}")
        rows = [row for row in rows if str(row.point.get(axis, wanted[0])) in wanted]
    return rows


def _ingested(cohort: Cohort, asked: Asked, kinds: Collection[str]) -> Selected:
    name = str(asked.entry)
    subjects = [
        subject
        for subject in cohort.ingested.subjects.values()
        if asked.subjects is None or subject.id in asked.subjects
    ]
    _known([name], {known for subject in subjects for known in subject.entries}, "ingested entry")
    items, missing = [], []
    for subject in subjects:
        entry = subject.entries.get(name)
        if entry is None:
            code = str((subject.error or {}).get("code", ""))
            missing.append(Missing(subject.id, name, {}, "refused" if code else "absent", code))
            continue
        _require_kind(f"the entry {name!r}", entry.kind, kinds)
        ref = EntryRef(subject.id, entry.stage, entry.key)
        items.append(
            Item(subject.id, name, entry.kind, entry.key, {}, entry.facts, _opening(cohort, ref))
        )
    return Selected(tuple(items), tuple(missing), None)


def _opening(cohort: Cohort, ref: EntryRef) -> Callable[[], Entry]:
    return lambda: cohort.entries.open(ref)


def _require_kind(what: str, kind: str, kinds: Collection[str]) -> None:
    if kind not in kinds:
        raise KindMismatch(
            f"{what} cannot be exported so", expected=" or ".join(sorted(kinds)), found=kind
        )


def _known(wanted: Iterable[str], known: Collection[str], what: str) -> None:
    for name in wanted:
        if name not in known:
            raise UnknownName(f"no {what} {name!r}", hint=nearest(name, known))


def safe(text: str) -> str:
    """As a part of a file name: letters, digits, ``+``, ``-`` and ``.``; the rest becomes ``-``."""
    return "".join(c if c.isalnum() or c in "+-." else "-" for c in text)
