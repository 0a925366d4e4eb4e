"""Detection of single lesions: connected components of a label, found or not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.evaluation.segmentation.metrics import Metric

Mask = npt.NDArray[np.bool_]


def lesion_metric(metric: Metric, reference: Mask, prediction: Mask) -> float:
    """Share of the lesions of the reference that are found, of those of the prediction that are
    right, or their harmonic mean. Neither mask is empty.

    Components join across faces, edges and corners, with ``faces`` across faces only. With a
    threshold, two lesions belong together where their IoU reaches it, each to one other at most, as
    many pairs as can be made; without one, lesions are found and right that share any voxel.
    """
    found, lesions, right, predicted = _matches(metric, reference, prediction)
    recall, precision = found / lesions, right / predicted
    match metric.name:
        case "lesion-recall":
            return recall
        case "lesion-precision":
            return precision
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def _matches(metric: Metric, reference: Mask, prediction: Mask) -> tuple[int, int, int, int]:
    from scipy.ndimage import generate_binary_structure, label
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    joined = generate_binary_structure(reference.ndim, 1 if metric.faces else reference.ndim)
    first, lesions = label(reference, joined)
    second, predicted = label(prediction, joined)
    shared = first.astype(np.int64).ravel() * (predicted + 1) + second.ravel()
    common = np.bincount(shared, minlength=(lesions + 1) * (predicted + 1))
    common = common.reshape(lesions + 1, predicted + 1)
    inside = common[1:, 1:]
    if metric.threshold is None:
        found, right = inside.any(axis=1).sum(), inside.any(axis=0).sum()
        return int(found), lesions, int(right), predicted
    union = common[1:].sum(axis=1)[:, None] + common[:, 1:].sum(axis=0) - inside
    pairs = csr_array((inside > 0) & (inside / union >= metric.threshold))
    matched = int((maximum_bipartite_matching(pairs, perm_type="column") >= 0).sum())
    return matched, lesions, matched, predicted
