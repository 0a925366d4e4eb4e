"""Persistent homology of point clouds and distance matrices under the Vietoris–Rips filtration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohortflow.errors import DoesNotFit
from cohortflow.topology.bars import Floats
from cohortflow.topology.rips.cost import (
    LIMIT,
    SHORT_RANKS,
    RipsCost,
    predict_rips_cost,
    refuse_beyond,
)
from cohortflow.topology.rips.few import few_persistence, few_so_far
from cohortflow.topology.rips.inputs import (
    Metric,
    checked_cloud,
    checked_matrix,
    checked_options,
    unit_scale,
)

Diagram = Floats
MOST_POINTS = 65_536
"""Vertices are numbered in 16 bits where all pairs are held."""


def rips_persistence(
    cloud: npt.ArrayLike,
    max_degree: int = 2,
    *,
    threshold: float | None = None,
    metric: Metric = "euclidean",
    limit: RipsCost = LIMIT,
) -> list[Diagram]:
    """Persistence diagrams H0 … H``max_degree``, exact in float64, over Z/2.

    ``cloud`` (point, coordinate) of any dimension; with ``metric="precomputed"`` a matrix of
    lengths (point, point), symmetric, zero on the diagonal, inf where there is no edge. → One (bar,
    2) float64 array of (birth, death) per degree, also where it is empty, sorted by birth, then
    death. The filtration value is the edge length; the essential bar of H0 has death = inf; bars of
    zero length are not returned.

    ``threshold``: edges that are longer are left out. What is not filled by then lives for ever:
    such a bar has death = inf, in any degree. From the enclosing radius on (the least length within
    which one point has all others) a threshold changes nothing.

    Raises MissingValues, EmptyInput and UsageError for what is no cloud, and DoesNotFit, with the
    prediction, for what is expected to exceed ``limit`` (see :func:`predict_rips_cost`).

    Source: Aithal et al. 2024, equation 3; edge collapse of Glisse and Pritam 2022; cohomology with
    clearing of Bauer 2021. Degrees above 2, large clouds under a threshold, and what a collapse
    leaves too large are handed to gudhi (MIT modules), and so are the first small clouds of a
    process: the same bars.
    """
    return rips_persistence_many(
        [cloud], max_degree, threshold=threshold, metric=metric, limit=limit
    )[0]


def rips_persistence_many(
    clouds: Iterable[npt.ArrayLike],
    max_degree: int = 2,
    *,
    threshold: float | None = None,
    metric: Metric = "euclidean",
    limit: RipsCost = LIMIT,
) -> list[list[Diagram]]:
    """:func:`rips_persistence` of many clouds, in their order. ``limit`` holds for each by itself.

    Runs on one core and holds no lock while it computes: threads may share out the clouds.
    """
    longest = checked_options(max_degree, threshold, metric)
    task = _Task(max_degree, longest, limit)
    one = task.of_cloud if metric == "euclidean" else task.of_matrix
    return [one(cloud) for cloud in clouds]


@dataclass(frozen=True)
class _Task:
    max_degree: int
    threshold: float
    limit: RipsCost

    def of_cloud(self, cloud: npt.ArrayLike) -> list[Diagram]:
        points = checked_cloud(cloud)
        scale = unit_scale(points)
        if scale != 1.0:
            scaled = _Task(self.max_degree, min(self.threshold * scale, 2.0**1023), self.limit)
            return [bars / scale for bars in scaled.of_cloud(points * scale)]
        if len(points) > SHORT_RANKS:
            # Points that stand where others do add bars of zero length only.
            points = np.unique(points + 0.0, axis=0)
        n, dimension = points.shape
        if n == 1:
            return self._of_tree(np.empty(0))
        if self.max_degree == 0:
            self._check(n, dimension)
            from cohortflow.topology.rips.tree import tree_of_points

            return self._of_tree(tree_of_points(points.T.copy()))
        if self._is_sparse(n, dimension):
            from cohortflow.topology.rips.sparse import sparse_persistence

            return sparse_persistence(points, self.threshold, self.max_degree, self.limit)
        self._check(n, dimension)
        from scipy.spatial.distance import pdist

        return self._of_lengths(pdist(points), n)

    def of_matrix(self, matrix: npt.ArrayLike) -> list[Diagram]:
        lengths = checked_matrix(matrix)
        if len(lengths) == 1:
            return self._of_tree(np.empty(0))
        self._check(len(lengths), 0)
        if self.max_degree == 0:
            from cohortflow.topology.rips.tree import tree_of_matrix

            return self._of_tree(tree_of_matrix(lengths))
        from scipy.spatial.distance import squareform

        return self._of_lengths(squareform(lengths, checks=False), len(lengths))

    def _check(self, points: int, dimension: int) -> None:
        if self.max_degree and points > MOST_POINTS:
            raise DoesNotFit(
                "more points than the complex of their edges can number",
                expected=f"at most {MOST_POINTS:,}",
                found=f"{points:,}",
                hint="Take a subsample, max_degree=0, or a threshold that leaves few edges.",
            )
        cost = predict_rips_cost(points, self.max_degree, dimension=dimension)
        refuse_beyond(cost, self.limit, f"{points} points up to degree {self.max_degree}")

    def _is_sparse(self, points: int, dimension: int) -> bool:
        """Whether the matrix of all pairs is not to be made because few are within the
        threshold."""
        cost = predict_rips_cost(points, self.max_degree, dimension=dimension)
        return bool(self.threshold < np.finfo(np.float64).max) and cost.exceeds(self.limit)

    def _of_tree(self, tree: Floats) -> list[Diagram]:
        deaths = np.sort(np.append(tree, np.inf))
        deaths[deaths > self.threshold] = np.inf
        deaths = deaths[deaths > 0.0]
        bars = np.column_stack([np.zeros(len(deaths)), deaths])
        return [bars, *(np.empty((0, 2)) for _ in range(self.max_degree))]

    def _of_lengths(self, lengths: Floats, points: int) -> list[Diagram]:
        if few_so_far(points, self.max_degree, self.limit):
            return few_persistence(lengths, points, self.threshold, self.max_degree)
        from cohortflow.topology.rips.dense import dense_persistence

        return dense_persistence(lengths, points, self.threshold, self.max_degree, self.limit)
