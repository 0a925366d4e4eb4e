"""Scores pooled over folds, seed by seed: one cell per step, comparison, network and degree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from cohortflow.evaluation.cases import Cases, read_cases
from cohortflow.evaluation.intervals import clopper_pearson
from cohortflow.evaluation.pooling import FoldPool, SeedPool, pool_folds, pool_seeds
from cohortflow.report.source import ReportSource, ReportUnit, done, place, steps_of_stage

POOLED = ("fold", "seed")
LOST = ("failed", "blocked", "quarantined")
_PROBABILITIES = "probabilities.parquet"


@dataclass(frozen=True)
class SeedScores:
    """One seed, folds joined. ``n`` is the denominator: a failed case counts as wrong.

    ``newcomers``: subjects that several folds scored, with the share of them that were right; they
    are not part of the other numbers.
    """

    seed: Any
    hits: int
    n: int
    missing: int
    left_out: Sequence[str]
    newcomers: Mapping[str, float]
    metrics: Mapping[str, float | None]

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % interval of the accuracy (Clopper–Pearson)."""
        return clopper_pearson(self.hits, self.n)


@dataclass(frozen=True)
class Cell:
    """One point of a score step without its folds and seeds.

    ``classes``: judged cases by true class of the first seed; ``positive``: the class that
    sensitivity speaks of. ``seeds_asked``: seeds of the axis, whether they finished or not.
    """

    step: str
    control: bool
    point: Mapping[str, Any]
    units_done: int
    units: int
    classes: Mapping[str, int]
    positive: str
    seeds: Sequence[SeedScores]
    seeds_asked: int

    @property
    def majority(self) -> float | None:
        """Accuracy of always naming the commonest class among the first seed's judged cases."""
        return self.seeds[0].metrics["majority_accuracy"]

    def mean_sd(self, metric: str) -> dict[str, float | None] | None:
        """Mean and sample sd over the ``n`` seeds that have a value, ``of`` how many; no sd from
        one seed, None where no seed has a value."""
        values = [math.nan if (v := s.metrics.get(metric)) is None else v for s in self.seeds]
        return mean_sd(pool_seeds(values, self.seeds_asked))


def mean_sd(pooled: SeedPool) -> dict[str, float | None] | None:
    if not pooled.n:
        return None
    sd = _number(pooled.sd)
    return {"mean": pooled.mean, "sd": sd, "n": pooled.n, "of": pooled.n_expected}


def cells(source: ReportSource) -> list[Cell]:
    """Every cell of every score step that has at least one finished unit with a judged case."""
    found: list[Cell] = []
    for step in steps_of_stage(source, "score"):
        control = is_control(source, step)
        for key, units in cell_units(source, step["id"]).items():
            cell = _cell(source, step["id"], control, dict(key), units)
            if cell is not None:
                found.append(cell)
    return found


@dataclass(frozen=True)
class Blank:
    """A point of a score step that has units and no cell. ``failed``: because some of them are."""

    step: str
    control: bool
    point: Mapping[str, Any]
    failed: bool

    def __str__(self) -> str:
        return f"{self.step} ({place(self.point) or 'no axes'})"


def without_number(source: ReportSource, found: Sequence[Cell]) -> list[Blank]:
    """Points of score steps that have no cell: they are named, not dropped."""
    have = {(cell.step, tuple(cell.point.items())) for cell in found}
    return [
        Blank(step["id"], is_control(source, step), dict(key), some_failed(units))
        for step in steps_of_stage(source, "score")
        for key, units in cell_units(source, step["id"]).items()
        if (step["id"], key) not in have
    ]


def cell_units(
    source: ReportSource, step: str
) -> dict[tuple[tuple[str, Any], ...], list[ReportUnit]]:
    """Units of a step by their point without folds and seeds."""
    groups: dict[tuple[tuple[str, Any], ...], list[ReportUnit]] = {}
    for unit in source.units(step=step):
        point = {axis: v for axis, v in unit.point.items() if axis not in (*POOLED, "subject")}
        groups.setdefault(tuple(point.items()), []).append(unit)
    return groups


def is_control(source: ReportSource, step: Mapping[str, Any]) -> bool:
    """True where the score stands on correlation matrices instead of distances of diagrams."""
    stages = {item["id"]: item["stage"] for item in source.pipeline["steps"]}
    reads = step.get("reads")
    read = step_names(list(reads.values()) if isinstance(reads, Mapping) else [])
    if any(name in stages for name in read):
        return any(stages.get(name) == "correlation" for name in read)
    return "correlation" in str(step["id"])


def step_names(bindings: Sequence[Any]) -> list[str]:
    """Ids of the steps that inputs are bound to: a name, a list, or ``{from: name}``."""
    names: list[str] = []
    for binding in bindings:
        if isinstance(binding, str):
            names.append(binding)
        elif isinstance(binding, Mapping):
            names += step_names([binding.get("from")])
        elif isinstance(binding, Sequence):
            names += step_names(list(binding))
    return names


def _cell(
    source: ReportSource,
    step: str,
    control: bool,
    point: dict[str, Any],
    units: Sequence[ReportUnit],
) -> Cell | None:
    pools, seeds_asked = seed_pools(source, units)
    if not pools:
        return None
    first = pools[0][1].cases
    seeds = [_seed_scores(seed, pooled) for seed, pooled in pools]
    classes = {name: sum(c.truth == name for c in first.judged) for name in first.classes}
    finished = len(done(units))
    return Cell(
        step,
        control,
        point,
        finished,
        len(units),
        classes,
        first.positive,
        seeds,
        seeds_asked,
    )


def seed_pools(
    source: ReportSource, units: Sequence[ReportUnit]
) -> tuple[list[tuple[Any, FoldPool]], int]:
    """Seed and joined cases of each seed of one cell that has a judged one, and how many seeds were
    asked for."""
    by_seed: dict[Any, list[ReportUnit]] = {}
    for unit in units:
        by_seed.setdefault(unit.point.get("seed"), []).append(unit)
    found = []
    for seed in sorted(by_seed, key=lambda label: (label is None, label)):
        parts = _folds(source, by_seed[seed], units)
        pooled = pool_folds(parts) if parts else None
        if pooled is not None and pooled.cases.judged:
            found.append((seed, pooled))
    return found, len(by_seed)


def _folds(
    source: ReportSource, units: Sequence[ReportUnit], siblings: Sequence[ReportUnit]
) -> list[Cases]:
    """Cases of every fold of one seed. A fold that did not finish has its cases counted as wrong.

    Which cases those are is known from another seed, because folds do not depend on it; where no
    seed finished the fold, the seed has no number at all: a lost fold must not raise a mean. Nor
    must a lost seed: only one that nothing was tried of is none.
    """
    if not tried(units):
        return []
    parts = []
    for unit in units:
        if unit.state == "done":
            parts.append(read_cases_of(source, unit))
            continue
        twin = next(
            (u for u in done(siblings) if u.point.get("fold") == unit.point.get("fold")), None
        )
        if twin is None:
            return []
        parts.append(_lost(read_cases_of(source, twin)))
    return parts


def tried(units: Sequence[ReportUnit]) -> bool:
    """Whether any of them finished, failed or was blocked by one that did."""
    return bool(done(units)) or some_failed(units)


def some_failed(units: Sequence[ReportUnit]) -> bool:
    """Whether any of them failed or was blocked by one that did."""
    return any(unit.state in LOST for unit in units)


def read_cases_of(source: ReportSource, unit: ReportUnit) -> Cases:
    entry = source.entry(unit)
    told = _PROBABILITIES in entry.file_names
    return read_cases(
        entry.read_file("cases.parquet"),
        f"{unit.step} {unit.key[:16]}",
        entry.read_file(_PROBABILITIES) if told else None,
    )


def _lost(cases: Cases) -> Cases:
    lost = (
        case
        if case.counted == "left_out"
        else replace(case, prediction=None, probability=None, probabilities=None, counted="missing")
        for case in cases.cases
    )
    return replace(cases, cases=tuple(lost))


def _seed_scores(seed: Any, pooled: FoldPool) -> SeedScores:
    cases = pooled.cases
    return SeedScores(
        seed=seed,
        hits=cases.correct,
        n=len(cases.judged),
        missing=len(cases.named("missing")),
        left_out=cases.named("left_out"),
        newcomers=pooled.newcomers,
        metrics={row.metric: _number(row.value) for row in pooled.metrics()},
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def case_rows(source: ReportSource) -> list[dict[str, Any]]:
    """Every case of every finished score: step, point, subject, truth, prediction, probability."""
    rows: list[dict[str, Any]] = []
    for unit in done(source.units(stage="score")):
        point = {axis: str(label) for axis, label in unit.point.items() if axis != "subject"}
        for case in read_cases_of(source, unit).cases:
            rows.append({"step": unit.step, **point, **asdict(case)})
    return rows
