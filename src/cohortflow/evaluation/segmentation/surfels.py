"""Metrics of surfaces weighted by their area, as DeepMind's surface-distance defines them.

A surface passes between voxels: through each corner of the voxel lattice whose eight neighbours are
not all of one kind. Its element there (surfel) has the area that marching cubes gives it.
Nikolov et al. 2021, Journal of Medical Internet Research 23(7):e26151.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.evaluation.segmentation.bit_maps import Layout, layout_of
from cohortflow.evaluation.segmentation.masks import MaskPair
from cohortflow.evaluation.segmentation.metrics import Metric
from cohortflow.evaluation.segmentation.nearest import NO_VOLUME, Floats, distances_to

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Surfels:
    """Distance of each surface element to the nearest of the other map, and its area."""

    distances: Floats
    areas: Floats


def surfels_between(
    pair: MaskPair, value: int, box: npt.NDArray[np.int64]
) -> tuple[Surfels, Surfels]:
    """Those of the reference and those of the prediction; ``box`` holds the label in both."""
    around = box.copy()
    around[1::2] += 1
    if pair.flat:
        around[1] = around[0]
    layout, areas = layout_of(around, pair.sampling), areas_of(pair.sampling, pair.flat)
    found = [
        _elements(volume, value, box, areas, layout, pair.flat)
        for volume in (pair.reference, pair.prediction)
    ]
    nothing = NO_VOLUME[pair.reference.dtype.type]
    distances = [
        distances_to(points, others, bits, nothing, value, layout, pair.sampling)
        for (points, _, _), (others, _, bits) in (found, found[::-1])
    ]
    return Surfels(distances[0], found[0][1]), Surfels(distances[1], found[1][1])


def surfel_metric(metric: Metric, reference: Surfels, prediction: Surfels) -> float:
    """``hd<p>/surface-weighted``: the larger of the two weighted percentiles;
    ``nsd@<t>mm/surfels``: area within the tolerance of all area."""
    both = (reference, prediction)
    if metric.name == "nsd":
        near = sum(float(s.areas[s.distances <= metric.tolerance].sum()) for s in both)
        return near / sum(float(s.areas.sum()) for s in both)
    return max(_weighted_percentile(surfels, metric.percentile) for surfels in both)


def _weighted_percentile(surfels: Surfels, percentile: float) -> float:
    order = np.lexsort((surfels.areas, surfels.distances))
    areas = surfels.areas[order]
    share = np.cumsum(areas) / np.sum(areas)
    place = min(int(np.searchsorted(share, percentile / 100)), share.size - 1)
    return float(surfels.distances[order][place])


def _elements(
    volume: Array, value: int, box: Array, areas: Floats, layout: Layout, flat: bool
) -> tuple[Array, Floats, Array]:
    from cohortflow.evaluation.segmentation import surfels_compiled as compiled

    bits, deep = layout.empty(), 1 if flat else 2
    where = (volume, value, box, deep, areas, layout.room, layout.layout)
    n = compiled.mark_corners(*where, bits)
    points, sizes = np.empty(n, layout.address_type), np.empty(n)
    compiled.corners(*where, points, sizes)
    return points, sizes, bits


def areas_of(sampling: tuple[float, float, float], flat: bool) -> Floats:
    """(256,) area of a surface element by the code of its eight voxels, in mm²; -1 where there is
    none. ``flat``: lengths, by the code of four voxels."""
    if flat:
        return _lengths(*sampling[1:])
    z, y, x = sampling
    normals = ([np.multiply(one, (y * x, z * x, z * y)) for one in code] for code in _normals())
    areas = np.array([sum(float(np.linalg.norm(one)) for one in code) for code in normals])
    areas[[0, 255]] = -1.0
    return areas


@cache
def _normals() -> list[list[list[float]]]:
    text = (files(__package__) / "surfel_normals.json").read_text(encoding="utf-8")
    normals: list[list[list[float]]] = json.loads(text)["normals"]
    return normals


def _lengths(y: float, x: float) -> Floats:
    """A corner cut off, a side, two corners; codes of (y, x): above left 8, right 4, below 2, 1."""
    lengths = np.full(256, -1.0)
    diagonal = 0.5 * math.hypot(y, x)
    lengths[[1, 2, 4, 8, 7, 11, 13, 14]] = diagonal
    lengths[[6, 9]] = 2 * diagonal
    lengths[[3, 12]] = x
    lengths[[5, 10]] = y
    return lengths
