"""Exact distances from points to the nearest of others: near by probing, far by a tree."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.evaluation.segmentation.bit_maps import Layout
from cohortflow.evaluation.segmentation.point_tree import distances_by_tree

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
_ALL_LOOKED_AT = 100_000
_SAMPLE = 64
_FAR = 250  # steps of probing that a tree answers in the time of
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

    if not points.size:
        return np.empty(0)
    where = (bits, layout.steps, layout.lengths, volume, value, layout.layout, layout.corner)
    some = points[:: -(-points.size // _SAMPLE)]
    _, steps = compiled.probe(some, *where, np.empty(some.size))
    if steps > _FAR * some.size:
        return _far(indices_of(points, layout), indices_of(others, layout), sampling)
    found = np.empty(points.size)
    missed, _ = compiled.probe(points, *where, found)
    if missed:
        far = np.flatnonzero(found < 0)
        found[far] = _far(indices_of(points[far], layout), indices_of(others, layout), sampling)
    return found


def _far(indices: Array, targets: Array, sampling: tuple[float, float, float]) -> Floats:
    from cohortflow.evaluation.segmentation import nearest_compiled as compiled

    if len(indices) * len(targets) > _ALL_LOOKED_AT:
        return distances_by_tree(indices, targets, sampling)
    distances = np.empty(len(indices))
    compiled.nearest_of_all(indices, targets, sampling, distances)
    return distances


def indices_of(points: Array, layout: Layout) -> Array:
    """Addresses → (point, 3) indices (z, y, x) of the volume."""
    from cohortflow.evaluation.segmentation import nearest_compiled as compiled

    found = np.empty((points.size, 3), np.int32)
    compiled.indices_of(points, layout.layout, layout.corner, found)
    return found
