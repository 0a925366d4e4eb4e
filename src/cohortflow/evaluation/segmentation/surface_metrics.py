"""Metrics of two sets of distances between surfaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cohortflow.evaluation.segmentation.metrics import Metric
from cohortflow.evaluation.segmentation.nearest import Floats


def surface_metric(metric: Metric, to_prediction: Floats, to_reference: Floats) -> float:
    """``to_prediction``: from every surface voxel of the reference to the nearest one of the
    prediction; ``to_reference``: the way back. Neither is empty.

    Percentiles interpolate linearly.
    """
    both = (to_prediction, to_reference)
    match metric.name:
        case "hd":
            return float(max(distances.max() for distances in both))
        case "hd/pooled":
            return float(np.percentile(np.concatenate(both), metric.percentile))
        case "hd/max-directed":
            return float(max(np.percentile(distances, metric.percentile) for distances in both))
        case "assd":
            return sum(float(d.sum()) for d in both) / sum(d.size for d in both)
        case "masd":
            return float(sum(distances.mean() for distances in both)) / 2
        case "asd/prediction-to-reference":
            return float(to_reference.mean())
        case "asd/reference-to-prediction":
            return float(to_prediction.mean())
        case "nsd":
            return _within(both, metric.tolerance)
    raise AssertionError(metric.id)


def filled_metric(
    metric: Metric, to_prediction: Floats, to_reference: Floats, voxels: tuple[float, float]
) -> float:
    """Of all voxels of a mask, not its surface: those in both are 0 away, and not in the sets.

    ``voxels`` of the reference and of the prediction.
    """
    both = (to_prediction, to_reference)
    if metric.name == "hd/filled":
        return float(max(distances.max(initial=0.0) for distances in both))
    return sum(float(d.sum()) / n for d, n in zip(both, voxels, strict=True)) / 2


def _within(both: Sequence[Floats], tolerance: float) -> float:
    near = sum(int(np.count_nonzero(distances <= tolerance)) for distances in both)
    return near / sum(distances.size for distances in both)
