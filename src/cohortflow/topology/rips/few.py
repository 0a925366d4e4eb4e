"""The first clouds of a process: until it is worth to compile for more of them, gudhi has them.

To compile takes seconds, of each process anew, and gudhi needs milliseconds for a small cloud. So
the compiled way is taken once gudhi has taken about as long: a process of many clouds waits twice
as long as it must, one of few hardly. Both ways give the same bars of the same lengths. H0 alone,
degrees above 2 and larger clouds are compiled for at once.
"""

from __future__ import annotations

import time

import numpy as np

from cohortflow.topology.bars import Floats
from cohortflow.topology.rips.by_gudhi import graph_persistence
from cohortflow.topology.rips.cost import LIMIT, SHORT_RANKS, RipsCost

COMPILING_S = 6.0


class _Spent:
    seconds = 0.0


def few_so_far(points: int, max_degree: int, limit: RipsCost) -> bool:
    """Whether this cloud is gudhi's; never one that the compiled way may refuse."""
    ordinary = points <= SHORT_RANKS and max_degree <= 2 and not LIMIT.exceeds(limit)
    return ordinary and _Spent.seconds < COMPILING_S


def few_persistence(
    lengths: Floats, points: int, threshold: float, max_degree: int
) -> list[Floats]:
    """Diagrams H0 … H``max_degree`` (1 or more) of ``lengths`` (pair,), row after row."""
    started = time.perf_counter()
    u, v = np.triu_indices(points, 1)
    kept = lengths <= threshold
    bars = graph_persistence(points, u[kept], v[kept], lengths[kept], max_degree, collapses=1)
    _Spent.seconds += time.perf_counter() - started
    return bars
