"""Exact distances from points to the nearest of others: near ones by probing, the rest by a tree."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.evaluation.segmentation.bit_maps import Layout, lengths_of

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
_ALL_LOOKED_AT = 3_000_000
NO_VOLUME = {kind: np.zeros((0, 0, 0), kind) for kind in (np.uint8, np.uint16)}


def distances_to(
    points: Array,
    others: Array,
    bits: Array,
    volume: Array,
    value: int,
    layout: Layout,
    sampling: tuple[float, float, float],
) -> Floats:
    """Distance from each of ``points`` to the nearest of ``others``, both addresses of ``layout``.

    ``bits`` are set at ``others`` and maybe at surfaces of other labels: those bits count whose
    voxel in ``volume`` is ``value``.
    """
    from cohortflow.evaluation.segmentation import nearest_compiled as compiled

    found = np.empty(points.size)
    place = layout.layout, layout.corner
    missed = compiled.probe(
        points, bits, layout.steps, layout.lengths, volume, value, *place, found
    )
    if missed:
        far = np.flatnonzero(found < 0)
        indices, targets = indices_of(points[far], layout), indices_of(others, layout)
        if far.size * others.size <= _ALL_LOOKED_AT:
            distances = np.empty(far.size)
            compiled.nearest_of_all(indices, targets, sampling, distances)
        else:
            distances = _by_tree(indices, targets, sampling)
        found[far] = distances
    return found


def indices_of(points: Array, layout: Layout) -> Array:
    """Addresses → (point, 3) indices (z, y, x) of the volume."""
    from cohortflow.evaluation.segmentation import nearest_compiled as compiled

    found = np.empty((points.size, 3), np.int64)
    compiled.indices_of(points, layout.layout, layout.corner, found)
    return found


def _by_tree(indices: Array, targets: Array, sampling: tuple[float, float, float]) -> Floats:
    from scipy.spatial import cKDTree

    tree = cKDTree(targets * sampling, leafsize=32, compact_nodes=False, balanced_tree=False)
    _, nearest = tree.query(indices * sampling)
    # From the steps again, so that it is the same number as by probing.
    return lengths_of(indices - targets[nearest], sampling)
