"""Metrics of a mask's boundary, skeleton and topology; ``mask`` is (z, y, x) or (y, x) bool."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import MissingExtra
from cohortflow.evaluation.segmentation.metrics import Metric

Mask = npt.NDArray[np.bool_]


def boundary_iou(
    metric: Metric,
    reference: Mask,
    prediction: Mask,
    sampling: Sequence[float],
    shape: Sequence[int],
) -> float:
    """IoU of the bands along the inside of both contours (Cheng et al., CVPR 2021).

    The band: voxels lost by eroding d times with all neighbours, corners too, where d is 2 % of
    the diagonal of ``shape``, the image's; with a tolerance: voxels no farther than it from a voxel
    outside. Outside the image is background.
    """
    bands = [_band(metric, mask, sampling, shape) for mask in (reference, prediction)]
    return int((bands[0] & bands[1]).sum()) / int((bands[0] | bands[1]).sum())


def _band(metric: Metric, mask: Mask, sampling: Sequence[float], shape: Sequence[int]) -> Mask:
    from scipy.ndimage import distance_transform_cdt, distance_transform_edt

    padded = np.pad(mask, 1)
    if metric.side is None:
        depth = max(1.0, round(0.02 * float(np.linalg.norm(shape))))
        distance = distance_transform_cdt(padded, "chessboard")
    else:
        depth = metric.tolerance
        distance = distance_transform_edt(padded, sampling=sampling)
    band: Mask = padded & (distance <= depth)
    return band


def skeleton_metric(metric: Metric, reference: Mask, prediction: Mask) -> float:
    """``cldice``: harmonic mean of the shares of each skeleton inside the other mask (Shit et al.,
    CVPR 2021, equations 1–3). ``pseudo-f-measure``: of the precision and the share of the
    reference's skeleton in the prediction (Ntirogiannis et al. 2008, unweighted)."""
    recall = _share(skeleton(reference), prediction)
    within = prediction if metric.name == "pseudo-f-measure" else skeleton(prediction)
    precision = _share(within, reference)
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def _share(part: Mask, mask: Mask) -> float:
    return int((part & mask).sum()) / max(int(part.sum()), 1)


def skeleton(mask: Mask) -> Mask:
    """Zhang and Suen's in the plane, Lee's in a volume, by scikit-image."""
    try:
        morphology: Any = importlib.import_module("skimage.morphology")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "a skeleton needs scikit-image", hint="pip install 'cohortflow[skeletons]'"
        ) from error
    thin: Mask = np.asarray(morphology.skeletonize(mask)) != 0
    return thin


def betti_error(degree: int, reference: Mask, prediction: Mask) -> float:
    """How many components, tunnels or cavities are too many or too few."""
    return float(abs(betti_numbers(reference)[degree] - betti_numbers(prediction)[degree]))


def betti_numbers(mask: Mask) -> tuple[int, int, int]:
    """Of the union of closed voxels, which meet across corners too: components, tunnels, cavities;
    in the plane the holes are the tunnels."""
    from scipy.ndimage import generate_binary_structure, label

    padded = np.pad(mask, 1)
    everywhere = generate_binary_structure(mask.ndim, mask.ndim)
    components = int(label(padded, everywhere)[1])
    cavities = int(label(~padded)[1]) - 1 if mask.ndim == 3 else 0
    return components, components + cavities - _euler(padded), cavities


def _euler(padded: npt.NDArray[Any]) -> int:
    """Vertices - edges + faces - voxels."""
    euler = 0
    for thin in np.ndindex(*(2,) * padded.ndim):
        cells = padded
        for axis in np.flatnonzero(thin):
            size = cells.shape[axis]
            upper = np.take(cells, range(1, size), axis)
            cells = upper | np.take(cells, range(size - 1), axis)
        euler += (-1) ** (padded.ndim - sum(thin)) * int(cells.sum())
    return euler
