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
from cohortflow.evaluation.segmentation.metrics import SUMMED, parse_metric
from cohortflow.evaluation.segmentation.overlap import Counts, overlap
from cohortflow.evaluation.segmentation.threads import cores

if TYPE_CHECKING:
    import pandas as pd

AS_COUNTED = "voxels as they are: a missed structure may improve it"


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

    def ways(self) -> list[tuple[str, Counts, str]]:
        """What an id ends in, the counts it is of, and why it is not for itself: ours, and what is
        published so where a case was missed."""
        found = [("voxels", self.as_worst, "")]
        if self.missing:
            found.append(("voxels-as-counted", self.as_counted, AS_COUNTED))
        return found


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
            if metric.id not in SUMMED:
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
            rows += [
                {
                    "label": label,
                    "name": name,
                    "metric": f"{metric}/{way}",
                    "value": pooled_value(metric, counts, found.missing),
                    "unit": "1",
                    "n": found.n,
                    "missing": found.missing,
                    "published": bool(reason),
                    "reason": reason,
                }
                for metric in metrics
                for way, counts, reason in found.ways()
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
        label: counts_of_case(counts, failed)
        for label, counts in zip(pair.values, counted.by_place, strict=True)
    }
    return SegmentationCounts(pair.labels, by_label)


def pooled_value(metric: str, counts: Counts, missing: int) -> float:
    """0 where a case was missed and leaves nothing to take a share of."""
    value = overlap(metric, counts)
    return 0.0 if missing and math.isnan(value) else value


def counts_of_case(counts: Counts, failed: bool) -> LabelCounts:
    """Of a case that failed ``counts`` needs to know the reference only."""
    missing = failed or state_of(counts.reference, counts.prediction) == "missed"
    lacking = counts.voxels - counts.reference
    as_worst = Counts(0, lacking, counts.reference, 0) if missing else counts
    return LabelCounts(as_worst, counts.unpredicted if failed else counts, 1, int(missing))
