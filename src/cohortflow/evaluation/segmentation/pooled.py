"""Voxels of many cases in one count: metrics of the whole cohort as if it were one image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy.typing as npt

from cohortflow.errors import BadParameter, InvalidEntry, UndefinedResult
from cohortflow.evaluation.segmentation.counting import count_labels
from cohortflow.evaluation.segmentation.empties import state_of
from cohortflow.evaluation.segmentation.masks import Others, mask_pair
from cohortflow.evaluation.segmentation.metrics import parse_metric
from cohortflow.evaluation.segmentation.overlap import Counts, overlap
from cohortflow.evaluation.segmentation.threads import cores

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LabelCounts:
    """``as_worst``: where a missed or failed case has every voxel wrong; ``as_counted``: as the
    maps are. ``missing`` of the ``n`` cases were missed or failed."""

    as_worst: Counts
    as_counted: Counts
    n: int
    missing: int

    def __add__(self, other: LabelCounts) -> LabelCounts:
        return LabelCounts(
            self.as_worst + other.as_worst,
            self.as_counted + other.as_counted,
            self.n + other.n,
            self.missing + other.missing,
        )


@dataclass(frozen=True)
class SegmentationCounts:
    """Counts of one case or of several; ``+`` joins those of equal labels, in any order."""

    labels: Mapping[int, str]
    by_label: Mapping[int, LabelCounts]

    def __add__(self, other: SegmentationCounts) -> SegmentationCounts:
        if dict(self.labels) != dict(other.labels):
            raise InvalidEntry(
                "counts of other labels",
                expected=str(dict(self.labels)),
                found=str(dict(other.labels)),
            )
        joined = {label: self.by_label[label] + other.by_label[label] for label in self.labels}
        return SegmentationCounts(self.labels, joined)

    def table(self, metrics: Sequence[str]) -> pd.DataFrame:
        """Rows per label and metric: label, name, metric (``dice/voxels``), value, unit, n,
        missing, published, reason. A label of which a case was missed has a second row,
        ``dice/voxels-as-counted``: what is published so, and may gain by the miss."""
        import pandas as pd

        for metric in map(parse_metric, metrics):
            if metric.family != "overlap":
                raise BadParameter(f"{metric.id} is no ratio of counts of voxels")
            if metric.id == "volume-similarity":
                raise BadParameter(
                    "volumes too large and too small make up for each other when pooled",
                    found=metric.id,
                    hint="Take the mean over cases.",
                )
        rows = []
        for label, name in self.labels.items():
            found = self.by_label[label]
            if not found.as_worst.reference + found.as_worst.prediction:
                raise UndefinedResult("a label that is in no case has no metric", found=name)
            ways = [("voxels", found.as_worst, False, "")]
            if found.missing:
                reason = "voxels as they are: a missed structure may improve it"
                ways.append(("voxels-as-counted", found.as_counted, True, reason))
            rows += [
                {
                    "label": label,
                    "name": name,
                    "metric": f"{metric}/{way}",
                    "value": _value(metric, counts, found.missing),
                    "unit": "1",
                    "n": found.n,
                    "missing": found.missing,
                    "published": published,
                    "reason": reason,
                }
                for metric in metrics
                for way, counts, published, reason in ways
            ]
        return pd.DataFrame(rows)


def count_segmentation(
    reference: npt.ArrayLike,
    prediction: npt.ArrayLike | None,
    *,
    labels: Mapping[int, str],
    others: Others = "refuse",
    threads: int | None = None,
    where: str = "",
) -> SegmentationCounts:
    """Voxels of one case, to be added to those of others; ``prediction`` None: it failed.

    A case that was missed or failed has every voxel wrong: fewer wrong ones, and a bad prediction
    would gain by not being made. Errors as of ``evaluate_segmentation``.
    """
    other = reference if prediction is None else prediction
    pair = mask_pair(reference, other, labels, where=where)
    counted = count_labels(pair, others, cores(threads, pair.reference.size), where)
    failed = prediction is None
    by_label = {
        label: _of_case(counts, failed)
        for label, counts in zip(pair.values, counted.by_place, strict=True)
    }
    return SegmentationCounts(pair.labels, by_label)


def _value(metric: str, counts: Counts, missing: int) -> float:
    """0 where a case was missed and leaves nothing to take a share of."""
    value = overlap(metric, counts)
    return 0.0 if missing and math.isnan(value) else value


def _of_case(counts: Counts, failed: bool) -> LabelCounts:
    missing = failed or state_of(counts.reference, counts.prediction) == "missed"
    lacking = counts.voxels - counts.reference
    as_worst = Counts(0, lacking, counts.reference, 0) if missing else counts
    as_counted = Counts(0, 0, counts.reference, lacking) if failed else counts
    return LabelCounts(as_worst, as_counted, 1, int(missing))
