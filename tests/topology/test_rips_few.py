"""The first clouds of a process go to gudhi, and nobody can tell from the bars."""

from __future__ import annotations

import numpy as np
import pytest

from cohortflow.topology import RipsCost, rips_persistence
from cohortflow.topology.rips import few
from tests.topology.test_rips_peers import KINDS, cloud_of


def test_both_ways_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    for turn in range(210):
        cloud, degree = cloud_of(KINDS[turn % len(KINDS)], rng, 30), int(rng.integers(0, 3))
        threshold = float(rng.choice([np.inf, 0.3, 1.0, 2.0]))
        monkeypatch.setattr(few, "COMPILING_S", 0.0)
        compiled = rips_persistence(cloud, degree, threshold=threshold)
        monkeypatch.setattr(few, "COMPILING_S", np.inf)
        first = rips_persistence(cloud, degree, threshold=threshold)
        for found, expected in zip(first, compiled, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_what_gudhi_took_is_added_up_until_it_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few._Spent, "seconds", 0.0)
    monkeypatch.setattr(few, "COMPILING_S", 1e-9)
    assert few.few_so_far(100, 2, few.LIMIT)
    rips_persistence(np.random.default_rng(0).normal(size=(20, 2)))
    assert few._Spent.seconds > 0.0
    assert not few.few_so_far(100, 2, few.LIMIT)


def test_what_the_compiled_way_may_refuse_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few, "COMPILING_S", np.inf)
    assert few.few_so_far(362, 2, few.LIMIT)
    assert not few.few_so_far(363, 2, few.LIMIT)
    assert not few.few_so_far(362, 3, few.LIMIT)
    assert not few.few_so_far(362, 2, RipsCost(1.0, 1e12))
