"""Slow and obvious: plain column reduction of a whole filtered complex over Z/2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist, squareform

Cell = tuple[int, ...]


def reduce_filtration(
    values: Mapping[Cell, float],
    dimension_of: Callable[[Cell], int],
    faces_of: Callable[[Cell], list[Cell]],
    max_degree: int,
) -> list[np.ndarray]:
    """Bars of each degree of cells that enter at ``values``; a cell at inf never does."""
    order = sorted(
        (value, dimension_of(cell), cell) for cell, value in values.items() if value < np.inf
    )
    index = {cell: i for i, (_, _, cell) in enumerate(order)}
    columns: dict[int, set[int]] = {}
    paired: set[int] = set()
    bars: list[list[tuple[float, float]]] = [[] for _ in range(max_degree + 2)]
    for j, (value, dimension, cell) in enumerate(order):
        column = {index[face] for face in faces_of(cell)} if dimension else set()
        while column and max(column) in columns:
            column ^= columns[max(column)]
        if column:
            low = max(column)
            columns[low] = column
            paired |= {low, j}
            if value > order[low][0]:
                bars[dimension - 1].append((order[low][0], value))
    for i, (value, dimension, _) in enumerate(order):
        if i not in paired and dimension <= max_degree:
            bars[dimension].append((value, np.inf))
    return [np.array(sorted(one)).reshape(-1, 2) for one in bars[: max_degree + 1]]


def rips_reference(
    lengths: np.ndarray, max_degree: int, threshold: float = np.inf
) -> list[np.ndarray]:
    """Of a matrix of lengths (point, point): every simplex up to ``max_degree`` + 1."""
    values: dict[Cell, float] = {}
    for size in range(1, max_degree + 3):
        for face in combinations(range(len(lengths)), size):
            longest = max((lengths[i, j] for i, j in combinations(face, 2)), default=0.0)
            values[face] = longest if longest <= threshold else np.inf

    def faces(cell: Cell) -> list[Cell]:
        return [(*cell[:k], *cell[k + 1 :]) for k in range(len(cell))]

    return reduce_filtration(values, lambda cell: len(cell) - 1, faces, max_degree)


def euclidean(cloud: Any) -> np.ndarray:
    points = np.asarray(cloud, dtype=np.float64)
    return squareform(pdist(points)) if len(points) > 1 else np.zeros((1, 1))


def gudhi_diagrams(
    lengths: np.ndarray, max_degree: int, threshold: float = np.inf
) -> list[np.ndarray]:
    """gudhi's, without a collapse; in the order and without the bars of zero length, as ours."""
    from gudhi.sklearn import RipsPersistence

    rips = RipsPersistence(
        homology_dimensions=list(range(max_degree + 1)),
        threshold=threshold,
        input_type="full distance matrix",
        num_collapses=0,
        homology_coeff_field=2,
    )
    found = []
    for bars in rips.fit_transform([lengths])[0]:
        kept = bars[bars[:, 1] > bars[:, 0]].reshape(-1, 2)
        found.append(kept[np.lexsort((kept[:, 1], kept[:, 0]))])
    return found
