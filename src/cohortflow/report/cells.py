"""Scores pooled over folds, seed by seed: one cell per step, comparison, network and degree."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cohortflow.errors import InvalidEntry
from cohortflow.report.source import ReportSource, ReportUnit, done, steps_of_stage

if TYPE_CHECKING:
    import pandas as pd

POOLED = ("fold", "seed")
METRICS = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "auc")


@dataclass(frozen=True)
class SeedScores:
    """One seed: every case once, folds joined. Metrics that have no value are None."""

    seed: Any
    hits: int
    n: int
    metrics: Mapping[str, float | None]


@dataclass(frozen=True)
class Cell:
    """One point of a score step without its folds and seeds."""

    step: str
    control: bool
    point: Mapping[str, Any]
    units_done: int
    units: int
    classes: Mapping[str, int]
    seeds: Sequence[SeedScores]

    @property
    def majority(self) -> float:
        """Accuracy of always naming the commonest class among the pooled cases."""
        return max(self.classes.values()) / sum(self.classes.values())

    def mean_sd(self, metric: str) -> dict[str, float | None] | None:
        """Mean and sample sd over seeds; no sd from one seed, None where no seed has a value."""
        import numpy as np

        values = [v for s in self.seeds if (v := s.metrics.get(metric)) is not None]
        if not values:
            return None
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return {"mean": float(np.mean(values)), "sd": sd, "n": len(values)}


def cells(source: ReportSource) -> list[Cell]:
    """Every cell of every score step that has at least one finished unit."""
    found: list[Cell] = []
    for step in steps_of_stage(source, "score"):
        groups: dict[tuple[tuple[str, Any], ...], list[ReportUnit]] = {}
        for unit in source.units(step=step["id"]):
            point = {axis: v for axis, v in unit.point.items() if axis not in (*POOLED, "subject")}
            groups.setdefault(tuple(point.items()), []).append(unit)
        control = is_control(source, step)
        for key, units in groups.items():
            if done(units):
                found.append(_cell(source, step["id"], control, dict(key), units))
    return found


def is_control(source: ReportSource, step: Mapping[str, Any]) -> bool:
    """True where the score stands on correlation matrices instead of distances of diagrams."""
    stages = {item["id"]: item["stage"] for item in source.pipeline["steps"]}
    reads = step.get("reads") or {}
    read: list[str] = []
    for name in reads.values() if isinstance(reads, Mapping) else []:
        read += [name] if isinstance(name, str) else [str(item) for item in name or ()]
    if any(stages.get(name) == "correlation" for name in read):
        return True
    return "correlation" in str(step["id"])


def _cell(
    source: ReportSource,
    step: str,
    control: bool,
    point: dict[str, Any],
    units: Sequence[ReportUnit],
) -> Cell:
    import pandas as pd

    by_seed: dict[Any, list[pd.DataFrame]] = {}
    for unit in done(units):
        by_seed.setdefault(unit.point.get("seed"), []).append(cases(source, unit))
    seeds = []
    tables = []
    for seed in sorted(by_seed, key=lambda s: (s is None, s)):
        table = pd.concat(by_seed[seed], ignore_index=True)
        tables.append(table)
        seeds.append(seed_scores(seed, table))
    first = tables[0].drop_duplicates("subject")
    classes = {str(k): int(v) for k, v in sorted(first["truth"].value_counts().items())}
    return Cell(step, control, point, len(done(units)), len(units), classes, seeds)


def cases(source: ReportSource, unit: ReportUnit) -> pd.DataFrame:
    """The cases behind one score: subject, truth, prediction, probability of the second class."""
    import pandas as pd

    table = pd.read_parquet(io.BytesIO(source.entry(unit).read_file("cases.parquet")))
    absent = {"subject", "truth", "prediction"} - set(table.columns)
    if absent:
        raise InvalidEntry(
            "the cases of a score lack columns",
            where=f"{unit.step} {unit.key[:16]}",
            expected="subject, truth, prediction",
            found=", ".join(map(str, table.columns)),
        )
    return table


def seed_scores(seed: Any, table: pd.DataFrame) -> SeedScores:
    """Metrics of pooled cases. Positive is the last class in alphabetical order."""
    truth = table["truth"].astype(str).to_numpy()
    guess = table["prediction"].astype(str).to_numpy()
    labels = sorted(set(truth))
    recall = {label: float((guess[truth == label] == label).mean()) for label in labels}
    metrics: dict[str, float | None] = dict.fromkeys(METRICS)
    metrics["accuracy"] = float((truth == guess).mean())
    metrics["balanced_accuracy"] = sum(recall.values()) / len(recall)
    if len(labels) == 2:
        metrics["specificity"], metrics["sensitivity"] = recall[labels[0]], recall[labels[1]]
        metrics["auc"] = _auc(table, truth == labels[1])
    return SeedScores(seed, int((truth == guess).sum()), len(table), metrics)


def _auc(table: pd.DataFrame, positive: Any) -> float | None:
    """Area under the ROC curve by ranks, ties counted half; None without probabilities."""
    import numpy as np
    from scipy.stats import rankdata

    if "probability" not in table.columns or table["probability"].isna().any():
        return None
    ranks = rankdata(table["probability"].to_numpy(float))
    n1, n0 = int(np.sum(positive)), int(np.sum(~positive))
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def clopper_pearson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval (Clopper and Pearson 1934)."""
    from scipy.stats import binomtest

    low, high = binomtest(hits, n).proportion_ci(confidence_level=level, method="exact")
    return float(low), float(high)
