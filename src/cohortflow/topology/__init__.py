"""Persistent homology of point clouds and distances between persistence diagrams.

gudhi, scikit-learn, scipy and numba are imported by the first call that needs them.
"""

from cohortflow.topology.cubical import cubical_persistence
from cohortflow.topology.distances.bottleneck import (
    bottleneck_distance,
    bottleneck_matching,
    bottleneck_matrix,
)
from cohortflow.topology.distances.matched import Matching
from cohortflow.topology.distances.matching import wasserstein_matching
from cohortflow.topology.distances.pairwise import wasserstein_matrix, wasserstein_tile
from cohortflow.topology.distances.wasserstein import wasserstein_distance
from cohortflow.topology.embedding import delay_embedding
from cohortflow.topology.rips.cost import RipsCost, predict_rips_cost
from cohortflow.topology.rips.persistence import rips_persistence, rips_persistence_many
from cohortflow.topology.vectors.curves import (
    betti_curve,
    persistence_landscape,
    persistence_silhouette,
)
from cohortflow.topology.vectors.images import persistence_image
from cohortflow.topology.vectors.statistics import persistence_statistics

__all__ = [
    "Matching",
    "RipsCost",
    "betti_curve",
    "bottleneck_distance",
    "bottleneck_matching",
    "bottleneck_matrix",
    "cubical_persistence",
    "delay_embedding",
    "persistence_image",
    "persistence_landscape",
    "persistence_silhouette",
    "persistence_statistics",
    "predict_rips_cost",
    "rips_persistence",
    "rips_persistence_many",
    "wasserstein_distance",
    "wasserstein_matching",
    "wasserstein_matrix",
    "wasserstein_tile",
]
