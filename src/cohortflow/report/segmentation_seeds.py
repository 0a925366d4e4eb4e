"""Summaries of segmentations over seeds and folds, as sections of numbers read them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cohortflow.evaluation.published.obtained import read_summary
from cohortflow.evaluation.segmentation.seeds import Part, SeedSummary
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals
from cohortflow.report.cells import POOLED, cell_units, some_failed, tried
from cohortflow.report.segmentations import STAGE, Variant, named, variant
from cohortflow.report.source import ReportSource, ReportUnit, done, place, steps_of_stage

if TYPE_CHECKING:
    import pandas as pd

_RESAMPLES, _LEVEL, _SEED = 2000, 0.95, 0


@dataclass(frozen=True)
class Seeds:
    """One point of a summarise step without its seeds and folds.

    ``asked``: seeds there should be; one of which nothing was tried, or a fold is known from no
    seed, is ``without``.
    """

    step: str
    point: str
    found: Sequence[SeedSummary]
    asked: int
    without: Sequence[Any]

    @property
    def first(self) -> SeedSummary:
        """The first of which something finished."""
        return next(one for one in self.found if not one.failed)

    @property
    def failed(self) -> list[Any]:
        """Seeds of which nothing finished: every case counts as the worst."""
        return [one.seed for one in self.found if one.failed]

    def said(self) -> list[str]:
        """What became of seeds that did not finish."""
        at = f"{self.point}, " if self.point else ""
        told = {
            "nothing finished, so every case counts as the worst": self.failed,
            "without a value, and not in the mean": self.without,
        }
        return [
            f"{at}seed {', '.join(map(str, seeds))}: {text}."
            for text, seeds in told.items()
            if seeds
        ]


def seeds_of(source: ReportSource) -> list[Seeds]:
    """Every point of every summarise step at which a seed has finished."""
    return [
        found
        for step in steps_of_stage(source, STAGE)
        for units in cell_units(source, step["id"]).values()
        if (found := _seeds(source, step, units)) is not None
    ]


def lost_points(source: ReportSource, found: Sequence[Seeds]) -> list[str]:
    """Points without a number, as a variant is named, because something of them failed."""
    steps, have = steps_of_stage(source, STAGE), {(one.step, one.point) for one in found}
    return [
        named(step["id"], where, len(steps) > 1)
        for step in steps
        for units in cell_units(source, step["id"]).values()
        if (step["id"], where := _where(units)) not in have and some_failed(units)
    ]


def without_seeds(source: ReportSource, found: Sequence[Seeds]) -> list[Variant]:
    """Each point as one variant: cases of its first finished seed, folds joined.

    Other seeds are the same cases again, and a fold has but some of them.
    """
    several = len(steps_of_stage(source, STAGE)) > 1
    return [
        variant(named(one.step, one.point, several), one.first.summary, one.first.cases)
        for one in found
    ]


def _seeds(
    source: ReportSource, step: Mapping[str, Any], units: Sequence[ReportUnit]
) -> Seeds | None:
    finished = {unit.key: _part(source, unit) for unit in done(units)}
    if not finished:
        return None
    of_folds = {part.fold: part for part in reversed(finished.values())}
    median = step.get("parameters", {}).get("statistic") == "median"
    intervals = _intervals(source, step)
    by_seed: dict[Any, list[ReportUnit]] = {}
    for unit in units:
        by_seed.setdefault(unit.point.get("seed"), []).append(unit)
    found, without = [], []
    for seed, own in by_seed.items():
        known = [
            finished.get(unit.key) or _lost(of_folds.get(unit.point.get("fold"))) for unit in own
        ]
        parts = [part for part in known if part is not None]
        if tried(own) and len(parts) == len(own):
            found.append(SeedSummary(seed, parts, "median" if median else "mean", intervals))
        else:
            without.append(seed)
    return Seeds(step["id"], _where(units), found, len(by_seed), without)


def _where(units: Sequence[ReportUnit]) -> str:
    return place(units[0].point, without=(*POOLED, "subject"))


def _part(source: ReportSource, unit: ReportUnit) -> Part:
    import pandas as pd

    entry = source.entry(unit)

    def cases() -> pd.DataFrame:
        return pd.read_parquet(io.BytesIO(entry.read_file("cases.parquet")))

    summary = read_summary(entry.read_file("summary.parquet"), unit.step)
    return Part(unit.point.get("fold"), cases, summary)


def _lost(twin: Part | None) -> Part | None:
    """A fold that did not finish, of the cases that another seed has in it."""
    return None if twin is None else replace(twin, summary=None)


def _intervals(source: ReportSource, step: Mapping[str, Any]) -> CaseIntervals:
    given = step.get("parameters", {})
    strata = given.get("stratify")
    people = source.participants
    return CaseIntervals(
        _SEED,
        float(given.get("level", _LEVEL)),
        int(given.get("resamples", _RESAMPLES)),
        None if strata is None else {str(k): str(v) for k, v in people[strata].items()},
    )
