"""Metrics that are ratios of counts of voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Voxels of one label: in both maps, in one of them, in neither."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def reference(self) -> int:
        return self.tp + self.fn

    @property
    def prediction(self) -> int:
        return self.tp + self.fp

    @property
    def voxels(self) -> int:
        return self.tp + self.fp + self.fn + self.tn

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )


def overlap(name: str, counts: Counts) -> float:
    """The metric of the name, a fraction of 1; NaN where its denominator is 0.

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
    above, below = parts[name]
    return above / below if below else math.nan
