"""Segmentation metrics of all labels of a pair of label maps, in one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from cohortflow.errors import BadParameter
from cohortflow.evaluation.segmentation.counting import Counted, count_labels
from cohortflow.evaluation.segmentation.empties import (
    REASONS,
    State,
    checked_policy,
    speaks_of,
    state_of,
    value_where_empty,
    worst_value,
)
from cohortflow.evaluation.segmentation.masks import MaskPair, Others, mask_pair
from cohortflow.evaluation.segmentation.measure import measured
from cohortflow.evaluation.segmentation.metrics import Metric, parse_metrics
from cohortflow.evaluation.segmentation.overlap import Counts
from cohortflow.evaluation.segmentation.surfaces import Surfaces, surfaces_of
from cohortflow.evaluation.segmentation.threads import cores, each
from cohortflow.geometry import Grid

if TYPE_CHECKING:
    import pandas as pd

_THERE = ("volume", "counts")


@dataclass(frozen=True)
class Row:
    """One label and metric. ``n``: images the value stands for, 0 where it is NaN.

    ``state``: measured, or why not. ``worst``: what a summary counts where nothing was measured.
    """

    label: int
    name: str
    metric: str
    value: float
    unit: str
    n: int
    reason: str
    state: State
    worst: float
    policy: str


def evaluate_segmentation(
    reference: npt.ArrayLike,
    prediction: npt.ArrayLike | None,
    spacing_mm: Sequence[float] | None = None,
    *,
    labels: Mapping[int, str],
    metrics: Sequence[str],
    empty: str = "strict",
    per: Literal["volume", "slice"] = "volume",
    others: Others = "refuse",
    grids: tuple[Grid | None, Grid | None] = (None, None),
    threads: int | None = None,
    where: str = "",
) -> pd.DataFrame:
    """Metrics of a prediction against its reference: one row per label and metric.

    ``reference``, ``prediction``: label maps (z, y, x) or (y, x) of whole numbers or bool, one
    shape; ``prediction`` None: a case that failed, which counts as the worst in every metric.
    ``spacing_mm`` in the order of the axes; where it is not known distances are in voxels.
    ``grids`` of both are compared, and give the spacing; that of one alone is refused, unless
    ``spacing_mm`` says that both lie on it. ``labels``: the table of values to names; values
    that it lacks are refused, or count as ``others="background"``. ``metrics``: ids, each its own
    formula. ``empty``: the policy for labels that one or both maps lack. ``per="slice"``: every
    slice along z is an image (y, x) of its own, told by the column ``slice``.

    → DataFrame: label, name, metric, value (NaN where undefined), unit, n, reason, state (measured,
    missed, invented, absent, failed), worst (what counts for a case that is not measured), policy.

    Surfaces are the voxels lost by one 6-neighbour erosion (4 in the plane); outside the image is
    background; percentiles interpolate linearly.

    Raises :class:`GeometryMismatch`, :class:`NotLabels`, :class:`NotFinite`, :class:`NoWorldSpace`,
    :class:`UnknownName` (a metric), :class:`BadParameter`, :class:`ImpossibleGeometry`,
    :class:`EmptyInput`.
    """
    checked_policy(empty)
    if per not in ("volume", "slice"):
        raise BadParameter("per what?", expected="volume or slice", found=repr(per))
    failed = prediction is None
    other = reference if prediction is None else prediction
    if failed:
        grids = (grids[0] or grids[1],) * 2  # there is no other map
    pair = mask_pair(reference, other, labels, spacing_mm, grids, where)
    asked = parse_metrics(metrics, pair.world)
    if any(metric.degree == 2 and (pair.flat or per == "slice") for metric in asked):
        raise BadParameter("an image in the plane has no cavities", found="betti-error/2")
    for metric in asked:
        # A slice has no neighbours along z, however near those would be.
        nearest = min(pair.sampling[1:] if pair.flat or per == "slice" else pair.sampling)
        if metric.family == "boundary" and metric.side and metric.tolerance < nearest:
            raise BadParameter(
                f"the band of {metric.id} holds no voxel",
                expected=f"{nearest:g} {pair.units['distance']} at least",
            )
    judge = _Judge(asked, empty, others, cores(threads, pair.reference.size), where)
    if per == "volume":
        return _table(judge.rows(pair, failed))
    return _by_slice(pair, lambda image: judge.rows(image, failed))


@dataclass(frozen=True)
class _Judge:
    metrics: Sequence[Metric]
    policy: str
    others: Others
    threads: int
    where: str

    def rows(self, pair: MaskPair, failed: bool) -> list[Row]:
        counted = count_labels(pair, self.others, self.threads, self.where)
        surfaces = None if failed else self._surfaces(pair, counted)
        states: list[State] = [
            "failed" if failed else state_of(counts.reference, counts.prediction)
            for counts in counted.by_place
        ]
        # The largest first: no thread is left with a large one at the end.
        places = sorted(range(1, len(states) + 1), key=lambda place: -counted.of(place).reference)
        by_place = dict(
            zip(
                places,
                each(
                    lambda place: self._label(pair, counted, surfaces, place, states[place - 1]),
                    places,
                    self.threads,
                ),
                strict=True,
            )
        )
        return [row for place in sorted(by_place) for row in by_place[place]]

    def _surfaces(self, pair: MaskPair, counted: Counted) -> Surfaces | None:
        wanted = any(metric.family in ("surface", "filled") for metric in self.metrics)
        if not wanted or not any(c.reference and c.prediction for c in counted.by_place):
            return None
        return surfaces_of(pair, counted.box(), self.threads)

    def _label(
        self,
        pair: MaskPair,
        counted: Counted,
        surfaces: Surfaces | None,
        place: int,
        state: State,
    ) -> list[Row]:
        values: Mapping[str, float] = {}
        if state == "measured":
            asked = [metric for metric in self.metrics if metric.family not in _THERE]
            values = measured(asked, pair, counted, surfaces, place)
        counts = counted.of(place)
        return [
            self._there(pair, place, metric, state, counts)
            if metric.family in _THERE
            else self._row(pair, place, metric, state, values)
            for metric in self.metrics
        ]

    def _there(
        self, pair: MaskPair, place: int, metric: Metric, state: State, counts: Counts
    ) -> Row:
        """What is there, whatever the state; of a failed case there is no prediction."""
        if metric.family == "counts":
            own = counts.unpredicted if state == "failed" else counts
            number = float(getattr(own, metric.id.removeprefix("voxels/")))
            return self._of(pair, place, metric, state, number, REASONS[state], math.nan)
        known = metric.id == "volume/reference" or state != "failed"
        voxels = counts.reference if metric.id == "volume/reference" else counts.prediction
        value = voxels * pair.voxel_size if known else math.nan
        reason = "" if known else REASONS[state]
        return self._of(pair, place, metric, state, value, reason, math.nan)

    def _row(
        self,
        pair: MaskPair,
        place: int,
        metric: Metric,
        state: State,
        values: Mapping[str, float],
    ) -> Row:
        worst = worst_value(metric, pair.diagonal)
        reason = REASONS[state]
        if state == "measured":
            value = values[metric.id]
            if math.isnan(value):
                reason = "undefined: no voxel that it could be a share of"
        else:
            value = value_where_empty(metric, state, self.policy, worst)
            policy = self.policy if speaks_of(self.policy, metric) else "strict"
            counts = "left out" if math.isnan(value) else f"counts {value:.6g}"
            reason = f"{reason}; {policy}: {counts}"
        return self._of(pair, place, metric, state, value, reason, worst)

    def _of(
        self,
        pair: MaskPair,
        place: int,
        metric: Metric,
        state: State,
        value: float,
        reason: str,
        worst: float,
    ) -> Row:
        label = pair.values[place - 1]
        return Row(
            label=label,
            name=pair.labels[label],
            metric=metric.id,
            value=value,
            unit=pair.units.get(metric.unit, metric.unit),
            n=0 if math.isnan(value) else 1,
            reason=reason,
            state=state,
            worst=worst,
            policy=self.policy,
        )


def _table(rows: Sequence[Row]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([asdict(row) for row in rows])


def _by_slice(pair: MaskPair, rows: Callable[[MaskPair], list[Row]]) -> pd.DataFrame:
    import pandas as pd

    tables = []
    for z in range(pair.reference.shape[0]):
        at = np.s_[z : z + 1]
        image = replace(
            pair, reference=pair.reference[at], prediction=pair.prediction[at], flat=True
        )
        table = _table(rows(image))
        table.insert(0, "slice", z)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
