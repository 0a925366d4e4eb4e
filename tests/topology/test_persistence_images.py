from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow.errors import MissingValues, UsageError
from cohortflow.topology import persistence_image
from tests.topology.test_matching_algorithms import pair

EMPTY = np.empty((0, 2))
BIRTHS, PERSISTENCES = np.linspace(0.0, 2.0, 5), np.linspace(0.0, 3.0, 7)


def below(z: float) -> float:
    return math.erfc(-z / math.sqrt(2.0)) / 2.0


def reference(bars: np.ndarray, sigma: float, power: float) -> np.ndarray:
    image = np.zeros((len(BIRTHS) - 1, len(PERSISTENCES) - 1))
    for birth, death in bars:
        length = death - birth
        if length == 0.0:
            continue
        for i, j in np.ndindex(image.shape):
            across = below((BIRTHS[i + 1] - birth) / sigma) - below((BIRTHS[i] - birth) / sigma)
            along = [below((edge - length) / sigma) for edge in PERSISTENCES[j : j + 2]]
            image[i, j] += length**power * across * (along[1] - along[0])
    return image


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["fine", "coarse", "heavy", "diagonal"]),
    st.integers(0, 2**32),
    st.sampled_from([0.05, 0.5, 4.0]),
    st.sampled_from([0.0, 1.0, 2.0]),
)
def test_one_bar_and_pixel_at_a_time(kind, seed, sigma, power):
    bars, _ = pair(kind, False, seed)
    found = persistence_image(bars, BIRTHS, PERSISTENCES, sigma, power)
    expected = reference(bars, sigma, power)
    scale = expected.max(initial=0.0) + 1.0
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14 * scale * (len(bars) + 1))


def test_by_hand():
    wide = [-1e3, 1e3]
    assert persistence_image([(0, 2), (1, 4)], wide, wide, 0.1)[0, 0] == pytest.approx(5.0)
    halves = persistence_image([(0, 2)], [-9.0, 0.0, 9.0], [-9.0, 2.0, 9.0], 0.1, power=0.0)
    np.testing.assert_allclose(halves, 0.25)
    far = persistence_image([(0, 1)], [20.0, 21.0], [0.0, 2.0], 1.0)
    tail = math.erfc(20.0 / math.sqrt(2.0)) / 2.0 * math.erf(math.sqrt(0.5))
    assert far[0, 0] == pytest.approx(tail, rel=1e-8, abs=0.0)


def test_pixels_of_a_finer_grid_add_up():
    bars, _ = pair("fine", False, 3)
    fine = persistence_image(bars, np.linspace(0, 1, 9), np.linspace(0, 1, 5), 0.2)
    coarse = persistence_image(bars, np.linspace(0, 1, 5), np.linspace(0, 1, 3), 0.2)
    np.testing.assert_allclose(fine.reshape(4, 2, 2, 2).sum(axis=(1, 3)), coarse, rtol=1e-12)


def test_essential_bars_and_empty_diagrams():
    assert not persistence_image(EMPTY, BIRTHS, PERSISTENCES, 1.0).any()
    assert not persistence_image([(1, 1)], BIRTHS, PERSISTENCES, 1.0, power=0.0).any()
    with pytest.raises(UsageError, match="essential"):
        persistence_image([(0, np.inf)], BIRTHS, PERSISTENCES, 1.0)
    dropped = persistence_image([(0, np.inf)], BIRTHS, PERSISTENCES, 1.0, essential="drop")
    assert dropped.shape == (4, 6)
    assert not dropped.any()


def test_bad_input():
    with pytest.raises(MissingValues):
        persistence_image([(0, np.nan)], BIRTHS, PERSISTENCES, 1.0)
    for sigma in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(UsageError, match="width"):
            persistence_image(EMPTY, BIRTHS, PERSISTENCES, sigma)
    for edges in ([0.0], [1.0, 0.0], [0.0, np.nan], [0.0, np.inf], [[0.0, 1.0]]):
        with pytest.raises(UsageError, match="edges"):
            persistence_image(EMPTY, edges, PERSISTENCES, 1.0)
    with pytest.raises(UsageError, match="power"):
        persistence_image([(0, 1)], BIRTHS, PERSISTENCES, 1.0, power=-1.0)


def test_persim_agrees_with_a_variance_where_we_have_a_standard_deviation():
    persim = pytest.importorskip("persim", reason="a peer, not a dependency")
    imager = persim.PersistenceImager(
        birth_range=(0.0, 2.0),
        pers_range=(0.0, 3.0),
        pixel_size=0.5,
        kernel_params={"sigma": [[0.09, 0.0], [0.0, 0.09]]},
    )
    for seed in range(10):
        bars = pair("fine", False, seed)[0]
        found = persistence_image(bars, BIRTHS, PERSISTENCES, 0.3)
        np.testing.assert_allclose(found, imager.transform(bars), atol=1e-13)


def test_gudhi_has_the_density_where_we_have_the_mass():
    from gudhi.representations.vector_methods import PersistenceImage

    side = 1e-3
    centres = np.linspace(0.2, 0.8, 4)
    edges = (centres[:, None] + [-side / 2, side / 2]).ravel()
    for seed in range(5):
        bars = pair("fine", False, seed)[0]
        peer = PersistenceImage(
            bandwidth=0.2,
            weight=lambda bar: bar[1],
            resolution=[4, 4],
            im_range=[0.2, 0.8, 0.2, 0.8],
        )(bars)
        found = persistence_image(bars, edges, edges, 0.2)[::2, ::2]
        # Its rows are persistences.
        np.testing.assert_allclose(found / side**2, peer.reshape(4, 4).T, rtol=1e-4)
