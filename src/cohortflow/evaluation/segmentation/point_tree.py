"""Exact nearest neighbours of voxels, where they are too far away to be probed for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def distances_by_tree(
    points: Array, others: Array, sampling: tuple[float, float, float]
) -> npt.NDArray[np.float64]:
    """From each of ``points`` (point, 3) to the nearest of ``others``: whole steps along z, y, x,
    of which a step is as long as ``sampling`` says."""
    from cohortflow.evaluation.segmentation import point_tree_compiled as compiled

    sites = np.ascontiguousarray(others[_order(others, sampling)])
    leaves = 1 << max(-(-len(sites) // compiled.LEAF) - 1, 0).bit_length()
    boxes = np.empty((2 * leaves, 6), sites.dtype)
    compiled.fill_boxes(sites, boxes)
    found = np.empty(len(points))
    compiled.nearest_of_tree(points, _order(points, sampling), sites, boxes, sampling, found)
    return found


def _order(indices: Array, sampling: tuple[float, float, float]) -> Array:
    from cohortflow.evaluation.segmentation import point_tree_compiled as compiled

    keys = np.empty(len(indices), np.uint64)
    z, y, x = (step / min(sampling) for step in sampling)
    compiled.morton_keys(indices, (z, y, x), keys)
    return np.argsort(keys)
