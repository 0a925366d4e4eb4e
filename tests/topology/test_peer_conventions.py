"""What docs/topology.md says of other packages, tried on those that are installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohortflow.topology import (
    bottleneck_distance,
    delay_embedding,
    rips_persistence,
    wasserstein_distance,
    wasserstein_matrix,
)

INF = np.inf
EMPTY = np.empty((0, 2))
ONE, LONGER = np.array([(0.0, 9.0)]), np.array([(3.0, 13.0)])
TWO = np.array([(0.0, 6.0), (0.0, 8.0)])
ENDLESS, LATER = np.array([(0.0, INF)]), np.array([(0.5, INF)])


@pytest.fixture
def gudhi() -> Any:
    pytest.importorskip("ot", reason="gudhi.wasserstein needs POT, a peer")
    return pytest.importorskip("gudhi.wasserstein").wasserstein_distance


@pytest.fixture
def hera() -> Any:
    return pytest.importorskip("gudhi.hera")


@pytest.fixture
def persim() -> Any:
    return pytest.importorskip("persim", reason="a peer, not a dependency")


def test_defaults_of_order_norm_and_diagonal(gudhi, hera, persim):
    for ours in (wasserstein_distance, gudhi, hera.wasserstein_distance):
        assert ours(ONE, LONGER) == pytest.approx(4.0), "L∞"
        assert ours(TWO, EMPTY) == pytest.approx(7.0), "order 1; the diagonal is half as far"
    assert persim.wasserstein(ONE, LONGER) == wasserstein_distance(ONE, LONGER, 1.0, "l2") == 5.0
    root = 14.0 / np.sqrt(2.0)
    assert persim.wasserstein(TWO, EMPTY) == pytest.approx(root)
    assert wasserstein_distance(TWO, EMPTY, 1.0, "l2") == pytest.approx(root)
    # Between the infinity norm and the order: the other name for it in each package.
    assert gudhi(TWO, EMPTY, order=2.0) == pytest.approx(wasserstein_distance(TWO, EMPTY, 2.0))
    assert gudhi(ONE, LONGER, internal_p=2.0) == pytest.approx(5.0)


def test_bottleneck_is_exact_where_it_is_asked_for(hera, persim):
    assert bottleneck_distance(ONE, LONGER) == persim.bottleneck(ONE, LONGER) == 4.0
    assert hera.bottleneck_distance(ONE, LONGER, delta=0.0) == 4.0
    assert hera.bottleneck_distance(ONE, LONGER) != 4.0, "within a hundredth by default"
    assert hera.bottleneck_distance(ONE, LONGER) == pytest.approx(4.0, rel=0.01)


def test_essential_bars(gudhi, hera, persim):
    for peer in (gudhi, hera.wasserstein_distance, hera.bottleneck_distance):
        assert peer(ENDLESS, LATER) == 0.5
        assert peer(ENDLESS, EMPTY) == INF
    assert wasserstein_distance(ENDLESS, LATER, essential="match") == 0.5
    assert wasserstein_distance(ENDLESS, EMPTY, essential="match") == INF
    assert gudhi(ENDLESS, LATER, keep_essential_parts=False) == 0.0
    for peer in (persim.wasserstein, persim.bottleneck):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert peer(ENDLESS, LATER) == 0.0
        assert "non-finite" in str(said[0].message)
    assert wasserstein_distance(ENDLESS, LATER, essential="drop") == 0.0


def test_what_is_no_diagram_is_no_error_elsewhere(gudhi, persim):
    broken = np.array([(0.0, np.nan)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert gudhi(broken, np.array([(0.0, 1.0)])) == 0.5
        assert persim.wasserstein(broken, EMPTY) == 0.0
    assert gudhi(np.array([(1.0, 0.0)]), EMPTY) > 0.0
    assert persim.wasserstein(np.array([(1.0, 0.0)]), EMPTY) < 0.0


def test_filtration_value_precision_and_bars_of_no_length():
    from gudhi.sklearn import RipsPersistence

    ripser = pytest.importorskip("ripser", reason="a peer, not a dependency").ripser
    points = np.array([(0.0, 0.0), (0.0, 0.0), (3.0, 4.0)])
    edges = [[0.0, 5.0], [0.0, INF]]
    assert rips_persistence(points, 0)[0].tolist() == edges
    assert RipsPersistence(homology_dimensions=[0]).fit_transform([points])[0][0].tolist() == edges
    assert ripser(points, maxdim=0)["dgms"][0].tolist() == edges
    cloud = np.random.default_rng(0).normal(size=(30, 2))
    loops = rips_persistence(cloud, 1)[1]
    single = ripser(cloud)["dgms"][1]
    single = single[np.lexsort((single[:, 1], single[:, 0]))]
    assert 0.0 < np.abs(loops - single).max() < 1e-6
    np.testing.assert_array_equal(single, single.astype(np.float32))
    cut = ripser(cloud, thresh=float(loops[:, 0].max()) * 1.0001)["dgms"][1]
    assert np.isinf(cut).any(), "a threshold below the enclosing radius leaves essential loops"


def test_real_series_have_the_distances_of_gudhi_and_persim(test_data: Path, gudhi, hera, persim):
    table = np.genfromtxt(test_data / "fmri" / "fmri_timeseries.csv", delimiter=",", skip_header=1)
    series = [row for row in table[:120].T if np.isfinite(row).all() and row.std() > 0][:6]
    clouds = [delay_embedding((row - row.mean()) / row.std()) for row in series]
    persistence = [rips_persistence(cloud) for cloud in clouds]
    for degree in range(3):
        diagrams = [bars[degree][np.isfinite(bars[degree][:, 1])] for bars in persistence]
        for norm, power in (("linf", INF), ("l2", 2.0)):
            for order in (1.0, 2.0):
                ours = wasserstein_matrix(diagrams, order, norm)
                for i, j in ((0, 1), (2, 3), (4, 5)):
                    peer = gudhi(diagrams[i], diagrams[j], order=order, internal_p=power)
                    assert ours[i, j] == pytest.approx(peer, rel=1e-9)
        for i, j in ((0, 1), (2, 3)):
            a, b = diagrams[i], diagrams[j]
            expected = wasserstein_distance(a, b, 1.0, "l2")
            assert persim.wasserstein(a, b) == pytest.approx(expected, abs=1e-5)
            assert bottleneck_distance(a, b) == persim.bottleneck(a, b)
            peer = hera.bottleneck_distance(a, b, delta=0.0)
            assert bottleneck_distance(a, b) == pytest.approx(peer, rel=1e-12)
