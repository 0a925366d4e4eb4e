"""The best epoch instead of the last, chosen on the test subjects: optimistic, and labelled so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cohortflow.evaluation.pooling import pool_seeds
from cohortflow.report.cells import (
    Cell,
    cell_units,
    is_control,
    mean_sd,
    read_cases_of,
    step_names,
    tried,
)
from cohortflow.report.source import ReportSource, ReportUnit, done, place, steps_of_stage

SAME_TRAINING = ("classes", "n", "parameters", "regions", "loss_first", "loss_last")
"""Facts in which a monitored training and the one that was scored must agree, to the last digit."""

WHY = (
    "Optimistic: the accuracy at the best of all epochs, chosen on the very test subjects that it "
    "is quoted for. New subjects would not give it; the more epochs and the fewer subjects, the "
    "more it flatters. A printed peak accuracy may have been formed in this way, where a paper "
    "does not say. The accuracy above is that of the last epoch, which nothing chose."
)
N_NOTE = (
    "n: the test subjects whose curve this is, as the monitored selection froze them. One that "
    "failed counts as wrong at every epoch, one that lacks a region is not counted, and a newcomer "
    "that was scored since is not among them. Folds are joined epoch by epoch, so a seed has one "
    "best epoch; of equal ones the first is named. The weights of a monitored training have seen "
    "the test subjects and are scored nowhere."
)


@dataclass(frozen=True)
class SeedCurve:
    """One seed, folds joined: correct cases after each epoch, of ``n``."""

    seed: Any
    correct: Sequence[int]
    n: int

    @property
    def best(self) -> int:
        return max(self.correct)

    @property
    def epoch(self) -> int:
        """The first epoch that reaches the best count, from 1."""
        return self.correct.index(self.best) + 1


@dataclass(frozen=True)
class Optimistic:
    """The monitored twin of a cell. ``asked``: seeds of the axis, whether they finished or not."""

    step: str
    seeds: Sequence[SeedCurve]
    asked: int

    @property
    def value(self) -> dict[str, float | None] | None:
        """Mean and sample sd over seeds of the share at each seed's best epoch."""
        return mean_sd(pool_seeds([seed.best / seed.n for seed in self.seeds], self.asked))


@dataclass(frozen=True)
class Twins:
    """``of``: position among the cells → its optimistic twin. ``lonely``: monitored points that
    stand beside no cell, in words."""

    of: Mapping[int, Optimistic]
    lonely: Sequence[str]

    def value(self, position: int) -> dict[str, float | None] | None:
        return self.of[position].value if position in self.of else None


def optimistic_of(source: ReportSource, found: Sequence[Cell]) -> Twins:
    """What was monitored beside what was scored; empty where no step monitors."""
    twins: dict[int, Optimistic] = {}
    lonely: list[str] = []
    for step, point, units in _monitored(source):
        beside = [
            position
            for position, cell in enumerate(found)
            if _same_training(source, step, point, units, cell)
        ]
        joined = {at: _joined(source, step["id"], units, found[at]) for at in beside}
        finished = {at: twin for at, twin in joined.items() if twin is not None}
        twins |= finished
        if not finished:
            another = done(units) and not beside
            reason = "another training than was scored" if another else "did not finish"
            lonely.append(f"{step['id']} ({place(point) or 'no axes'}): {reason}")
    return Twins(twins, lonely)


def _monitored(
    source: ReportSource,
) -> Iterator[tuple[Mapping[str, Any], dict[str, Any], list[ReportUnit]]]:
    """Steps that monitor, with their units by cell."""
    for step in steps_of_stage(source, "classify"):
        if step.get("parameters", {}).get("monitor"):
            for point, units in cell_units(source, step["id"]).items():
                yield step, dict(point), units


def _same_training(
    source: ReportSource,
    step: Mapping[str, Any],
    point: Mapping[str, Any],
    units: Sequence[ReportUnit],
    cell: Cell,
) -> bool:
    """Whether the cell was scored with weights of the very trainings that were monitored."""
    if cell.control != is_control(source, step) or not _agrees(point, cell.point):
        return False
    scored = next(s for s in steps_of_stage(source, "score") if s["id"] == cell.step)
    pairs = [
        (unit, own)
        for trained in step_names([scored.get("reads", {}).get("weights")])
        for unit in done(source.units(step=trained))
        if _agrees(unit.point, cell.point)
        for own in done(units)
        if _agrees(own.point, unit.point)
    ]
    return bool(pairs) and all(
        own.facts.get(name) == unit.facts.get(name) for unit, own in pairs for name in SAME_TRAINING
    )


def _agrees(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[axis] == other[axis] for axis in one.keys() & other.keys())


def _joined(
    source: ReportSource, step: str, units: Sequence[ReportUnit], cell: Cell
) -> Optimistic | None:
    by_seed: dict[Any, list[ReportUnit]] = {}
    for unit in units:
        by_seed.setdefault(unit.point.get("seed"), []).append(unit)
    curves = [
        curve
        for seed in sorted(by_seed, key=lambda label: (label is None, label))
        if (curve := _seed_curve(source, seed, by_seed[seed], units, cell)) is not None
    ]
    return Optimistic(step, curves, len(by_seed)) if curves else None


def _seed_curve(
    source: ReportSource,
    seed: Any,
    units: Sequence[ReportUnit],
    siblings: Sequence[ReportUnit],
    cell: Cell,
) -> SeedCurve | None:
    """None where a fold was monitored by no seed: a lost fold must not raise a mean."""
    if not tried(units):
        return None
    parts: list[tuple[Sequence[int], int]] = []
    for unit in units:
        twins = [u for u in done(siblings) if u.point.get("fold") == unit.point.get("fold")]
        if not twins:
            return None
        own = (unit if unit.state == "done" else twins[0]).facts["monitor"]
        correct = own["correct"] if unit.state == "done" else [0] * len(own["correct"])
        parts.append((correct, own["n"] + _failed_since(source, unit, own, cell)))
    n = sum(n for _, n in parts)
    joined = [sum(counts) for counts in zip(*(correct for correct, _ in parts), strict=True)]
    return SeedCurve(seed, joined, n) if n else None


def _failed_since(
    source: ReportSource, unit: ReportUnit, own: Mapping[str, Any], cell: Cell
) -> int:
    """Cases that the score counts as wrong, as they failed, and that no selection could name."""
    if not any(scores.missing for scores in cell.seeds):
        return 0
    known = {*own["subjects"], *own["left_out"], *own["missing"]}
    point = {**unit.point, **cell.point}
    for scored in done(source.units(step=cell.step)):
        if scored.point.get("seed") == point.get("seed") and _agrees(scored.point, point):
            return len(set(read_cases_of(source, scored).named("missing")) - known)
    return 0
