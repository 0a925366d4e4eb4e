"""What counts where a label is in one of the two maps only, in neither, or not predicted at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from cohortflow.errors import BadParameter, nearest
from cohortflow.evaluation.segmentation.metrics import Metric

State = Literal["measured", "missed", "invented", "absent", "failed"]
Policy = Literal["strict", "transunet", "empty-one", "present"]

# State → what counts: "worst", "best", None: left out. A failed case is the worst in each.
POLICIES: Mapping[str, Mapping[str, str | None]] = {
    "strict": {"missed": "worst", "invented": "worst", "absent": None},
    # calculate_metric_percase of TransUNet (Chen et al. 2021), for the two metrics it speaks of:
    # an invented structure is perfect, and all else without a prediction is 0, distances too.
    "transunet": {"missed": "0", "invented": "best", "absent": "0"},
    "empty-one": {"missed": "worst", "invented": "worst", "absent": "best"},
    "present": {"missed": "worst", "invented": None, "absent": None},
}
SPOKEN_OF = {"transunet": ("dice", "hd")}
REASONS: Mapping[str, str] = {
    "measured": "",
    "missed": "missed: in the reference, not in the prediction",
    "invented": "invented: in the prediction, not in the reference",
    "absent": "absent: in neither",
    "failed": "failed: no prediction",
}


def checked_policy(name: str) -> str:
    if name not in POLICIES:
        raise BadParameter(
            "a policy for empty masks that is not known",
            expected=", ".join(POLICIES),
            found=repr(name),
            hint=nearest(name, POLICIES),
        )
    return name


def state_of(reference_voxels: float, prediction_voxels: float) -> State:
    if reference_voxels and prediction_voxels:
        return "measured"
    if reference_voxels:
        return "missed"
    return "invented" if prediction_voxels else "absent"


def worst_value(metric: Metric, diagonal: float) -> float:
    """The worst that a metric can be in an image whose diagonal is ``diagonal``."""
    worst = {"zero": 0.0, "diagonal": diagonal, "infinite": math.inf, "none": math.nan}
    return worst[metric.worst]


def value_where_empty(metric: Metric, state: State, policy: str, worst: float) -> float:
    """What the policy counts for a state that nothing can be measured of; NaN: left out.

    A policy speaks of the metrics of its protocol; all others are counted as ``strict`` does.
    """
    if state == "failed":
        return worst
    rule = POLICIES[policy if speaks_of(policy, metric) else "strict"][state]
    if rule is None:
        return math.nan
    best = 1.0 if metric.worst == "zero" else 0.0
    return {"worst": worst, "best": best, "0": 0.0}[rule]


def speaks_of(policy: str, metric: Metric) -> bool:
    names = SPOKEN_OF.get(policy)
    return names is None or metric.name.split("/")[0] in names
