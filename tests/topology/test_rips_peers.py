"""Rips persistence beside gudhi, bit for bit, and ripser, to its float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohortflow.topology import delay_embedding, rips_persistence, rips_persistence_many
from tests.topology.rips_reference import euclidean, gudhi_diagrams

KINDS = ("normal", "grid", "doubled", "circle", "wide", "rounded", "walk")


def cloud_of(kind: str, rng: np.random.Generator, most: int = 70) -> np.ndarray:
    n, dimension = int(rng.integers(1, most + 1)), int(rng.integers(1, 5))
    normal = rng.normal(size=(n, dimension))
    if kind == "grid":
        return rng.integers(-2, 3, (n, dimension)).astype(float)
    if kind == "doubled":
        return np.repeat(normal, 2, axis=0)[:n]
    if kind == "circle":
        # Nothing collapses here.
        angle = 2.0 * np.pi * np.arange(min(n, 24)) / min(n, 24)
        return np.column_stack([np.cos(angle), np.sin(angle)])
    if kind == "wide":
        return normal * 10.0 ** rng.integers(-8, 8, (n, 1))
    if kind == "rounded":
        return np.round(normal, 1)
    return np.cumsum(normal, axis=0) if kind == "walk" else normal


def compare(rounds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for turn in range(rounds):
        kind, degree = KINDS[turn % len(KINDS)], int(rng.integers(1, 3))
        cloud = cloud_of(kind, rng, 70 if turn % 4 == 0 else 30)
        threshold = float(rng.choice([np.inf, 0.3, 1.0, 2.0]))
        found = rips_persistence(cloud, degree, threshold=threshold)
        expected = gudhi_diagrams(euclidean(cloud), degree, threshold)
        for k, (got, wanted) in enumerate(zip(found, expected, strict=True)):
            np.testing.assert_array_equal(got, wanted, f"{kind} {cloud.shape} {threshold} H{k}")
        alone = rips_persistence(cloud, 0, threshold=threshold)[0]
        np.testing.assert_array_equal(alone, found[0])


def test_bitwise_gudhi_on_random_and_adversarial_clouds():
    compare(1500, seed=0)


@pytest.mark.slow
def test_bitwise_gudhi_on_very_many():
    compare(30_000, seed=1)


@pytest.mark.parametrize("points", [200, 363])
def test_bitwise_gudhi_on_larger_clouds(points: int):
    # 363 points have more pairs than ranks of 2 bytes can tell apart.
    rng = np.random.default_rng(points)
    for cloud in (rng.normal(size=(points, 3)), rng.integers(-3, 4, (points, 3)).astype(float)):
        found = rips_persistence(cloud, 1)
        for got, expected in zip(found, gudhi_diagrams(euclidean(cloud), 1), strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("degree", [3, 4])
def test_bitwise_gudhi_in_high_degrees(degree: int):
    rng = np.random.default_rng(degree)
    for kind in KINDS:
        cloud = cloud_of(kind, rng, 16)
        found = rips_persistence(cloud, degree)
        for got, expected in zip(found, gudhi_diagrams(euclidean(cloud), degree), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_what_does_not_collapse_goes_to_gudhi(monkeypatch: pytest.MonkeyPatch):
    from cohortflow.topology.rips import dense

    cloud = cloud_of("circle", np.random.default_rng(70))
    plain = rips_persistence(cloud)
    calls = []
    original = dense.graph_persistence
    monkeypatch.setattr(
        dense, "graph_persistence", lambda *args: calls.append(1) or original(*args)
    )
    monkeypatch.setattr(dense, "PER_EDGE", 0)
    for few in (0, 10, 300, 2100):
        monkeypatch.setattr(dense, "FEW", few)
        for got, expected in zip(rips_persistence(cloud), plain, strict=True):
            np.testing.assert_array_equal(got, expected)
    assert calls == [1, 1, 1, 1]


def region_clouds(test_data: Path, samples: int) -> list[np.ndarray]:
    table = np.genfromtxt(test_data / "fmri" / "fmri_timeseries.csv", delimiter=",", skip_header=1)
    series = (table - table.mean(axis=0)) / table.std(axis=0)
    return [delay_embedding(column[:samples]) for column in series.T]


def test_bitwise_gudhi_on_real_regions(test_data: Path):
    clouds = region_clouds(test_data, 140)[:16]
    for cloud, found in zip(clouds, rips_persistence_many(clouds), strict=True):
        for got, expected in zip(found, gudhi_diagrams(euclidean(cloud), 2), strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.slow
def test_bitwise_gudhi_on_long_real_regions(test_data: Path):
    clouds = region_clouds(test_data, 250)
    for cloud, found in zip(clouds, rips_persistence_many(clouds), strict=True):
        for got, expected in zip(found, gudhi_diagrams(euclidean(cloud), 2), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_ripser_agrees_to_its_float32(test_data: Path):
    ripser = pytest.importorskip("ripser").ripser
    for cloud in region_clouds(test_data, 100)[::10]:
        peers = ripser(cloud, maxdim=2)["dgms"]
        for got, theirs in zip(rips_persistence(cloud), peers, strict=True):
            long = got[got[:, 1] - got[:, 0] > 1e-5]
            other = theirs[theirs[:, 1] - theirs[:, 0] > 1e-5].astype(np.float64)
            other = other[np.lexsort((other[:, 1], other[:, 0]))]
            assert len(long) == len(other)
            np.testing.assert_allclose(np.sort(long[:, 1]), np.sort(other[:, 1]), atol=1e-6)
            np.testing.assert_allclose(long[:, 0], other[:, 0], atol=1e-6)
