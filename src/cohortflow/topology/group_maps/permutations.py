"""Rank-sum tests of all pairs of regions by permuting who belongs to which group."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cohortflow.errors import UsageError
from cohortflow.topology.group_maps.rank_sum import Floats, mirrored, pairs_above

BATCH = 512


@dataclass(frozen=True)
class PermutationTests:
    """Symmetric (roi, roi), diagonal 1: ``p_value`` of each pair by itself, ``p_family`` corrected
    for all pairs. ``permutations`` counts those compared; ``exhaustive``: all there are."""

    p_value: Floats
    p_family: Floats
    permutations: int
    exhaustive: bool


def permuted_rank_sum_pairs(
    first: Floats, second: Floats, permutations: int, seed: int | list[int] = 0
) -> PermutationTests:
    """Two-sided permutation test of every pair i < j, and of all pairs as one family.

    ``first``, ``second`` and errors as in
    :func:`~cohortflow.topology.group_maps.rank_sum.rank_sum_pairs`. Subjects change groups as
    wholes, so pairs keep their dependence. The statistic is the distance of the rank sum from its
    mean; p = (b + 1) / (permutations + 1), b the number of permutations that reach it. ``p_family``
    compares each pair, divided by the standard deviation that its ties leave it, with the largest
    of all pairs in each permutation (single-step max T), which bounds the chance of any false pair.
    Where there are no more than ``permutations`` ways to part the subjects, each is taken once and
    p is exact.

    Source: Westfall and Young 1993; Phipson and Smyth 2010 for the added one.
    """
    if permutations < 1:
        raise UsageError("a permutation test permutes", expected="≥ 1", found=str(permutations))
    x, y = pairs_above(first, second)
    deviations, spread = _ranks(np.concatenate([x, y]))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0.0)
    ways = math.comb(len(x) + len(y), len(x))
    exhaustive = ways <= permutations
    observed = np.abs(deviations[: len(x)].sum(axis=0))
    alone, family = np.zeros((2, x.shape[1]), dtype=np.int64)
    rng = np.random.default_rng(seed)
    parted = _every(len(x), len(y)) if exhaustive else _drawn(len(x), len(y), permutations, rng)
    for members in parted:
        # Half-integers: the sums are exact in any order, and equal statistics compare as equal.
        reached = np.abs(members @ deviations)
        alone += (reached >= observed).sum(axis=0)
        largest = (reached * scale).max(axis=1, initial=0.0)
        family += (largest[:, None] >= observed * scale).sum(axis=0)
    count, added = (ways, 0) if exhaustive else (permutations, 1)
    p_value, p_family = ((b + added) / (count + added) for b in (alone, family))
    size = first.shape[-1]
    return PermutationTests(
        mirrored(p_value, size, 1.0), mirrored(p_family, size, 1.0), count, exhaustive
    )


def _ranks(values: Floats) -> tuple[Floats, Floats]:
    """Ranks less their mean (subject, pair), ties at their middle; and their spread (pair,)."""
    from scipy.stats import rankdata

    deviations = rankdata(values, axis=0) - (len(values) + 1) / 2
    return deviations, np.sqrt((deviations**2).sum(axis=0))


def _every(m: int, n: int) -> Iterator[Floats]:
    """All ways to choose the first group, as rows (way, subject) of ones and zeros, by batches."""
    ways = itertools.combinations(range(m + n), m)
    while batch := list(itertools.islice(ways, BATCH)):
        members = np.zeros((len(batch), m + n))
        np.put_along_axis(members, np.array(batch).reshape(len(batch), m), 1.0, axis=1)
        yield members


def _drawn(m: int, n: int, permutations: int, rng: np.random.Generator) -> Iterator[Floats]:
    group = np.repeat([1.0, 0.0], [m, n])
    for done in range(0, permutations, BATCH):
        yield rng.permuted(np.tile(group, (min(BATCH, permutations - done), 1)), axis=1)
