"""All metrics of one label that is in both maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cohortflow.evaluation.segmentation.lesions import lesion_metric
from cohortflow.evaluation.segmentation.metrics import Family, Metric
from cohortflow.evaluation.segmentation.overlap import overlap
from cohortflow.evaluation.segmentation.shapes import betti_error, boundary_iou, skeleton_metric
from cohortflow.evaluation.segmentation.surface_metrics import filled_metric, surface_metric
from cohortflow.evaluation.segmentation.surfels import surfel_metric, surfels_between

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from cohortflow.evaluation.segmentation.counting import Counted
    from cohortflow.evaluation.segmentation.masks import MaskPair
    from cohortflow.evaluation.segmentation.surfaces import Surfaces


def measured(
    metrics: Sequence[Metric],
    pair: MaskPair,
    counted: Counted,
    surfaces: Surfaces | None,
    place: int,
) -> dict[str, float]:
    """Id → value; what several metrics need is made once."""
    by_family: dict[Family, list[Metric]] = {}
    for metric in metrics:
        by_family.setdefault(metric.family, []).append(metric)
    counts, value = counted.of(place), pair.values[place - 1]
    found = {m.id: overlap(m.name, counts) for m in by_family.pop("overlap", [])}
    if surfaces is not None and (asked := by_family.pop("surface", [])):
        distances = surfaces.between(place)
        found |= {m.id: surface_metric(m, *distances) for m in asked}
    if surfaces is not None and (asked := by_family.pop("filled", [])):
        voxels = (counts.reference, counts.prediction)
        outside = surfaces.filled(place)
        found |= {m.id: filled_metric(m, *outside, voxels) for m in asked}
    if asked := by_family.pop("surfels", []):
        surfels = surfels_between(pair, value, counted.boxes[place])
        found |= {m.id: surfel_metric(m, *surfels) for m in asked}
    if by_family:
        found |= _by_mask(by_family, pair, value, counted.boxes[place])
    return found


def _by_mask(
    by_family: Mapping[Family, Sequence[Metric]],
    pair: MaskPair,
    value: int,
    box: npt.NDArray[np.int64],
) -> dict[str, float]:
    """Metrics that look at the masks themselves, cut to what holds the label."""
    z0, z1, y0, y1, x0, x1 = box.tolist()
    masks = [
        volume[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1] == value
        for volume in (pair.reference, pair.prediction)
    ]
    if pair.flat:
        masks = [mask[0] for mask in masks]
    axes = masks[0].ndim
    sampling, shape = pair.sampling[-axes:], pair.reference.shape[-axes:]
    found = {}
    for metric in by_family.get("boundary", []):
        found[metric.id] = boundary_iou(metric, masks[0], masks[1], sampling, shape)
    for metric in by_family.get("shape", []):
        if metric.name == "betti-error":
            found[metric.id] = betti_error(metric.degree, masks[0], masks[1])
        else:
            found[metric.id] = skeleton_metric(metric, masks[0], masks[1])
    for metric in by_family.get("lesions", []):
        found[metric.id] = lesion_metric(metric, masks[0], masks[1])
    return found
