"""ROC and precision–recall curves of one class, with bootstrap bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cohortflow.errors import NotFinite, ShapeMismatch

Floats = NDArray[np.float64]
GRID = 101
AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Curve:
    """A curve of one class against all others.

    x, y: (point); ROC: false and true positive rate, from (0, 0), points joined by lines; PR:
    recall and precision by falling threshold, precision holding back to the recall before it. grid,
    low, high: (place): pointwise percentile band of resamples drawn within each class, widened to
    hold the curve where it would not. Empty with a ``reason`` where there is no curve.
    """

    kind: Literal["roc", "pr"]
    x: Floats
    y: Floats
    grid: Floats
    low: Floats
    high: Floats
    positives: int
    negatives: int
    reason: str = ""

    @property
    def prevalence(self) -> float:
        return self.positives / (self.positives + self.negatives)

    def at(self, grid: Floats) -> Floats:
        """The curve at places of its x axis; of a vertical part of a ROC curve its upper end."""
        return _at(self.kind, self.x, self.y, grid)


def roc_curve(
    truth: ArrayLike, ranks: ArrayLike, *, seed: int, level: float = 0.95, resamples: int = 500
) -> Curve:
    """True against false positive rate. truth: (case) of booleans; ranks: (case), ±inf for a case
    without a probability, ranked as badly as can be.

    Raises ShapeMismatch, NotFinite for NaN.
    Source: Fawcett 2006, Pattern Recognition Letters 27, 861–874; bands: Macskassy and Provost
    2004, ROCAI, 61–70 (vertical, bootstrap).
    """
    return _curve("roc", truth, ranks, seed, level, resamples)


def precision_recall_curve(
    truth: ArrayLike, ranks: ArrayLike, *, seed: int, level: float = 0.95, resamples: int = 500
) -> Curve:
    """Precision against recall, which a true case at -inf keeps below 1: it is never found.

    truth: (case) of booleans; ranks: (case). Raises ShapeMismatch, NotFinite for NaN.
    Source: Davis and Goadrich 2006, ICML, 233–240; no interpolation, as scikit-learn.
    """
    return _curve("pr", truth, ranks, seed, level, resamples)


def _curve(
    kind: Literal["roc", "pr"],
    truth: ArrayLike,
    ranks: ArrayLike,
    seed: int,
    level: float,
    resamples: int,
) -> Curve:
    of_class, scores = np.asarray(truth, bool), np.asarray(ranks, np.float64)
    if of_class.ndim != 1 or of_class.shape != scores.shape:
        found = f"{of_class.shape}, {scores.shape}"
        raise ShapeMismatch("truth and ranks are not (case) of one length", found=found)
    if np.isnan(scores).any():
        raise NotFinite("a rank is NaN", hint="A case without a probability has one of ±inf.")
    positives, negatives = int(of_class.sum()), int((~of_class).sum())
    if not positives or not negatives:
        empty = np.empty(0)
        reason = "cases of one class only" if len(scores) else "no case"
        return Curve(kind, *(empty,) * 5, positives, negatives, reason)
    counts = _Counts.of(of_class, scores)
    x, y = counts.points(kind, counts.positive, counts.negative)
    grid = np.linspace(0.0, 1.0, GRID)
    if len(x) <= 2 * GRID:
        grid = np.union1d(grid, x)
    drawn = counts.drawn(kind, grid, resamples, np.random.default_rng(seed))
    own = _at(kind, x, y, grid)
    tails = ((1.0 - level) / 2.0, (1.0 + level) / 2.0)
    low, high = np.quantile(drawn, tails, axis=0)
    return Curve(
        kind, x, y, grid, np.minimum(low, own), np.maximum(high, own), positives, negatives
    )


@dataclass(frozen=True)
class _Counts:
    """Cases of the class and others at each distinct rank (rank), the largest first.

    ``never``: the last rank is -inf.
    """

    positive: NDArray[np.int64]
    negative: NDArray[np.int64]
    never: bool

    @classmethod
    def of(cls, truth: NDArray[np.bool_], ranks: Floats) -> _Counts:
        found, place = np.unique(-ranks, return_inverse=True)
        positive = np.bincount(place[truth], minlength=len(found))
        negative = np.bincount(place[~truth], minlength=len(found))
        return cls(positive, negative, bool(np.isposinf(found[-1])))

    def points(
        self, kind: str, positive: NDArray[np.int64], negative: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """x and y (…, point) of counts (…, rank)."""
        hits, false = positive.cumsum(axis=-1), negative.cumsum(axis=-1)
        recall = hits / hits[..., -1:]
        if kind == "roc":
            start = np.zeros((*hits.shape[:-1], 1))
            rate = false / false[..., -1:]
            return np.concatenate([start, rate], -1), np.concatenate([start, recall], -1)
        last = -1 if self.never else None
        called = hits + false
        precision = np.divide(hits, called, out=np.zeros(hits.shape), where=called > 0)
        return recall[..., :last], precision[..., :last]

    def drawn(self, kind: str, grid: Floats, resamples: int, rng: np.random.Generator) -> Floats:
        """The curve (resample, place) of cases drawn with replacement within each class."""
        block = max(1, AT_ONCE // len(self.positive))
        rows = []
        for start in range(0, resamples, block):
            count = min(block, resamples - start)
            p, n = self.positive.sum(), self.negative.sum()
            xs, ys = self.points(
                kind,
                rng.multinomial(p, self.positive / p, count),
                rng.multinomial(n, self.negative / n, count),
            )
            rows += [_at(kind, x, y, grid) for x, y in zip(xs, ys, strict=True)]
        return np.array(rows)


def _at(kind: str, x: Floats, y: Floats, grid: Floats) -> Floats:
    if kind == "pr":
        # Beyond the largest recall nothing is found, at whatever threshold.
        place = np.searchsorted(x, grid - 1e-12, side="left")
        return np.append(y, 0.0)[place]
    place = np.searchsorted(x, grid + 1e-12, side="right") - 1
    after = np.minimum(place + 1, len(x) - 1)
    width = x[after] - x[place]
    share = np.divide(grid - x[place], width, out=np.zeros(len(grid)), where=width > 0)
    return np.asarray(y[place] + np.clip(share, 0.0, 1.0) * (y[after] - y[place]))
