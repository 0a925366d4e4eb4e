"""The obvious formulas, one label at a time, that every fast path is compared with.

``reference`` and ``prediction`` are bool (z, y, x) or (y, x), ``sampling`` in the order of the
axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.evaluation.segmentation.metrics import Metric, parse_metric
from cohortflow.evaluation.segmentation.overlap import Counts, overlap

Array = npt.NDArray[Any]


def slow_metric(text: str, reference: Array, prediction: Array, sampling: Sequence[float]) -> float:
    """An overlap, surface or filled metric of two masks, neither of them empty."""
    metric = parse_metric(text)
    if metric.family == "overlap":
        return overlap(metric.name, slow_counts(reference, prediction))
    if metric.family == "filled":
        pairs = (np.argwhere(reference), np.argwhere(prediction))
    else:
        pairs = (np.argwhere(slow_surface(reference)), np.argwhere(slow_surface(prediction)))
    there = slow_distances(pairs[0], pairs[1], sampling)
    back = slow_distances(pairs[1], pairs[0], sampling)
    return _of_distances(metric, there, back)


def slow_counts(reference: Array, prediction: Array) -> Counts:
    return Counts(
        tp=int((reference & prediction).sum()),
        fp=int((~reference & prediction).sum()),
        fn=int((reference & ~prediction).sum()),
        tn=int((~reference & ~prediction).sum()),
    )


def slow_surface(mask: Array) -> Array:
    """Voxels lost by one erosion across faces; outside the array is background."""
    from scipy.ndimage import binary_erosion

    surface: Array = mask & ~binary_erosion(mask)
    return surface


def slow_distances(points: Array, others: Array, sampling: Sequence[float]) -> Array:
    """From each of (n, axes) to the nearest of (m, axes), all of them looked at."""
    steps = (points[:, None, :] - others[None, :, :]) * np.asarray(sampling)
    distances: Array = np.sqrt((steps**2).sum(axis=2)).min(axis=1)
    return distances


def _of_distances(metric: Metric, there: Array, back: Array) -> float:
    joined = np.concatenate([there, back])
    percentile = metric.percentile
    formulas = {
        "hd": lambda: joined.max(),
        "hd/filled": lambda: joined.max(),
        "ahd/filled": lambda: (there.mean() + back.mean()) / 2,
        "hd/pooled": lambda: np.percentile(joined, percentile),
        "hd/max-directed": lambda: max(
            np.percentile(there, percentile), np.percentile(back, percentile)
        ),
        "assd": lambda: joined.mean(),
        "masd": lambda: (there.mean() + back.mean()) / 2,
        "asd/reference-to-prediction": lambda: there.mean(),
        "asd/prediction-to-reference": lambda: back.mean(),
        "nsd": lambda: (joined <= metric.tolerance).mean(),
    }
    return float(formulas[metric.name]())
