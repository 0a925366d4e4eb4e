"""The newest run of a pipeline as results: ``cohort.run("slug")["sub-01"]["segment"].sel(fold=0)``.

Also what a report reads: units by step, entries opened when asked for, participants, refusals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Entry
from cohortflow.cohort.indexes import Index, slugs
from cohortflow.cohort.tiles import PAIR, standing, whole_matrix
from cohortflow.errors import EntryMissing, UnknownName, nearest

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from cohortflow.cohort.cohort import Cohort


@dataclass(frozen=True)
class UnitRow:
    """One row of an index. ``made_in``: number of the index whose run computed it, where known."""

    step: str
    stage: str
    kind: str
    subject: str | None
    point: dict[str, Any]
    key: str
    state: str
    reason: str
    error: dict[str, Any] | None
    warnings: list[dict[str, str]]
    n: int
    missing: int
    parameters: dict[str, Any]
    made_in: int | None = None

    @property
    def ref(self) -> EntryRef:
        return EntryRef(self.subject, self.stage, self.key)


def rows_in(index: Index) -> list[UnitRow]:
    """All rows, in the order of the steps; a later part of a step replaces an earlier row."""
    found: dict[tuple[str, str | None, tuple[Any, ...]], UnitRow] = {}
    for part in index.parts():
        made_in = part.get("made_in") or [None] * len(part["key"])
        for i, key in enumerate(part["key"]):
            row = UnitRow(
                step=part["step"],
                stage=part["stage"],
                kind=part["kind"],
                subject=part["subject"][i],
                point=dict(zip(part["axes"], part["point"][i], strict=True)),
                key=key,
                state=part["state"][i],
                reason=part["reason"][i],
                error=part["error"].get(str(i)),
                warnings=part["warnings"].get(str(i), []),
                n=part["n"][i],
                missing=part["missing"][i],
                parameters=part["recipes"][part["recipe"][i]]["parameters"],
                made_in=made_in[i],
            )
            found[(row.step, row.subject, tuple(part["point"][i]))] = row
    return list(found.values())


class RunView:
    """The results of the newest index of one pipeline whose run finished, else of the newest.

    A run at work, or one that was stopped, has not come to its later steps.
    """

    def __init__(self, cohort: Cohort, slug: str) -> None:
        book = cohort.indexes(slug)
        index = book.newest(complete_only=True) or book.newest()
        if index is None:
            raise EntryMissing(
                f"pipeline {slug!r} has not run on this cohort",
                where=cohort.url,
                hint=f"cohortflow run {slug} {cohort.url}",
            )
        self.cohort = cohort
        self.slug = slug
        self.index = index

    @cached_property
    def rows(self) -> list[UnitRow]:
        return rows_in(self.index)

    def select(self, *, step: str | None = None, stage: str | None = None) -> list[UnitRow]:
        return [
            row
            for row in self.rows
            if (step is None or row.step == step) and (stage is None or row.stage == stage)
        ]

    def open(self, row: UnitRow) -> Entry:
        """The entry of a row; :class:`EntryMissing` where it is not done or gone."""
        if row.state != "done":
            raise EntryMissing(
                f"{row.step} of {row.subject or 'the cohort'} is {row.state}",
                where=self.cohort.url,
                found=str((row.error or {}).get("message", row.reason)),
                hint="cohortflow status says more.",
            )
        return self.cohort.entries.open(row.ref)

    def __getitem__(self, owner: str | None) -> OwnerView:
        """Results of one subject, or of the cohort (``run["cohort"]``)."""
        subject = None if owner in (None, "cohort") else owner
        rows = [row for row in self.rows if row.subject == subject]
        if not rows:
            known = {row.subject or "cohort" for row in self.rows}
            raise UnknownName(f"no results of {owner!r}", hint=nearest(str(owner), known))
        return OwnerView(self, rows)


class OwnerView:
    """The results of one subject, by step."""

    def __init__(self, run: RunView, rows: list[UnitRow]) -> None:
        self._run = run
        self._rows = rows

    def __getitem__(self, step: str) -> StepView:
        rows = [row for row in self._rows if row.step == step]
        if not rows:
            raise UnknownName(f"no step {step!r}", hint=nearest(step, {r.step for r in self._rows}))
        return StepView(self._run, rows)


class StepView:
    """The results of one step of one subject, over the points of its axes."""

    def __init__(self, run: RunView, rows: list[UnitRow]) -> None:
        self._run = run
        self.rows = rows

    @property
    def points(self) -> list[dict[str, Any]]:
        return [row.point for row in self.rows]

    def entry(self, **point: Any) -> Entry:
        """The entry at a point; an ambiguous ask is an error that lists the points."""
        found = [row for row in self.rows if _agrees(row.point, point)]
        if len({row.key for row in found}) != 1:
            raise UnknownName(
                f"{len(found)} results at {point or 'no point'}",
                expected="one",
                found="; ".join(_text(row.point) for row in (found or self.rows)[:20]),
                hint="Name the axes that tell them apart.",
            )
        return self._run.open(found[0])

    def sel(self, **point: Any) -> xr.Dataset:
        """The arrays at a point, such as ``sel(fold=0, seed=1, variant="base")``.

        A matrix in tiles is one, lazy, where the point leaves the axis of its tiles open.
        """
        found = [row for row in self.rows if _agrees(row.point, point)]
        axis = _axis_of_tiles(found)
        if axis is None:
            return self.entry(**point).dataset
        tiles = {str(row.point[axis]): row for row in found}
        kept = standing({label: (row.state, row.reason) for label, row in tiles.items()})
        if not kept:
            return self._run.open(found[0]).dataset
        return whole_matrix([self._run.open(tiles[label]).dataset for label in kept])


def _axis_of_tiles(rows: Sequence[UnitRow]) -> str | None:
    """The one axis along which they differ, if it is one of pairs of blocks."""
    labels = {axis: {row.point[axis] for row in rows} for row in rows[:1] for axis in row.point}
    open_axes = [axis for axis, values in labels.items() if len(values) > 1]
    if len(open_axes) != 1 or any(row.kind != "distance_matrix" for row in rows):
        return None
    paired = all(PAIR.fullmatch(str(label)) for label in labels[open_axes[0]])
    return open_axes[0] if paired else None


def _agrees(have: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(str(have.get(axis)) == str(label) for axis, label in wanted.items())


def _text(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{axis}={label}" for axis, label in point.items()) or "(no axes)"


def states_table(cohort: Cohort) -> pd.DataFrame:
    """Number of units by pipeline and step (rows) and state (columns)."""
    import pandas as pd

    rows: list[tuple[str, str, str]] = [
        ("", "ingest", "done" if subject.error is None else "failed")
        for subject in cohort.ingested.subjects.values()
    ]
    for slug in slugs(cohort.storage):
        rows += [(slug, row.step, row.state) for row in RunView(cohort, slug).rows]
    table = pd.DataFrame(rows, columns=["pipeline", "step", "state"])
    counts = table.groupby(["pipeline", "step", "state"], sort=False).size()
    return counts.unstack("state", fill_value=0)
