"""Metrics that are ratios of counts of voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Voxels of one label: in both maps, in one of them, in neither; whole, but for means."""

    tp: float
    fp: float
    fn: float
    tn: float

    @property
    def reference(self) -> float:
        return self.tp + self.fn

    @property
    def prediction(self) -> float:
        return self.tp + self.fp

    @property
    def voxels(self) -> float:
        return self.tp + self.fp + self.fn + self.tn

    @property
    def unpredicted(self) -> Counts:
        """Had nothing been predicted."""
        return Counts(0, 0, self.reference, self.voxels - self.reference)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )


def overlap(name: str, counts: Counts) -> float:
    """The metric of the name, a fraction of 1; NaN where its denominator is 0."""
    above, below = overlap_parts(name, counts)
    return above / below if below else math.nan


def overlap_parts(name: str, counts: Counts) -> tuple[float, float]:
    """Numerator and denominator of the metric of the name.

    Taha and Hanbury 2015, BMC Medical Imaging 15:29, equations 6, 7, 10, 12, 24 and 25.
    """
    tp, fp, fn, tn = counts.tp, counts.fp, counts.fn, counts.tn
    both = 2 * tp + fp + fn
    parts = {
        "dice": (2 * tp, both),
        "iou": (tp, tp + fp + fn),
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "precision": (tp, tp + fp),
        "accuracy": (tp + tn, counts.voxels),
        "volume-similarity": (both - abs(fn - fp), both),
    }
    return parts[name]
