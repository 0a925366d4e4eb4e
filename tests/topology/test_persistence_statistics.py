from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow.errors import MissingValues, UsageError
from cohortflow.topology import persistence_statistics
from cohortflow.topology.vectors.statistics import STATISTICS
from tests.topology.test_matching_algorithms import KINDS, pair


def reference(bars: np.ndarray) -> dict[str, float]:
    if not len(bars):
        return dict.fromkeys(STATISTICS, 0.0)
    lengths = [d - b for b, d in bars]
    named: dict[str, float] = {"bars": len(bars)}
    for of, values in (("birth", bars[:, 0]), ("death", bars[:, 1]), ("persistence", lengths)):
        values = sorted(map(float, values))
        named[f"{of}_mean"] = statistics.fmean(values)
        named[f"{of}_sd"] = statistics.pstdev(values)
        named[f"{of}_min"], named[f"{of}_max"] = values[0], values[-1]
        quartiles = (
            values * 3 if len(values) == 1 else statistics.quantiles(values, method="inclusive")
        )
        for name, value in zip(("q25", "median", "q75"), quartiles, strict=True):
            named[f"{of}_{name}"] = value
    total = math.fsum(lengths)
    named["total_persistence"] = total
    named["entropy"] = -math.fsum(x / total * math.log(x / total) for x in lengths if x > 0)
    return named


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.booleans(), st.integers(0, 2**32))
def test_equal_those_of_the_standard_library(kind, line, seed):
    bars, _ = pair(kind, line, seed)
    found, expected = persistence_statistics(bars), reference(bars)
    assert tuple(found) == STATISTICS
    assert set(expected) == set(STATISTICS)
    for name, value in found.items():
        scale = np.abs(bars).max(initial=0.0) if name.endswith("_sd") else 0.0
        assert value == pytest.approx(expected[name], rel=1e-9, abs=1e-12 * max(scale, 1.0)), name


def test_by_hand():
    found = persistence_statistics([(0, 1), (0, 1), (0, 1), (0, 1)])
    assert found["entropy"] == pytest.approx(math.log(4))
    assert (found["bars"], found["total_persistence"], found["death_sd"]) == (4, 4, 0)
    assert persistence_statistics([(0, 3)])["entropy"] == 0.0
    assert persistence_statistics([(1, 1), (2, 2)])["entropy"] == 0.0
    assert set(persistence_statistics(np.empty((0, 2))).values()) == {0.0}


def test_essential_bars_and_bad_input():
    endless = [(0.0, np.inf), (1.0, 2.0)]
    with pytest.raises(UsageError, match="essential"):
        persistence_statistics(endless)
    assert persistence_statistics(endless, "drop") == persistence_statistics([(1.0, 2.0)])
    with pytest.raises(MissingValues):
        persistence_statistics([(np.nan, 1.0)])
    with pytest.raises(UsageError, match="dies before"):
        persistence_statistics([(2.0, 1.0)])


def test_gudhi_agrees_on_the_entropy():
    from gudhi.representations.vector_methods import Entropy

    for seed in range(10):
        bars = pair("fine", False, seed)[0]
        if len(bars):
            peer = float(Entropy()(bars)[0])
            assert persistence_statistics(bars)["entropy"] == pytest.approx(peer)
