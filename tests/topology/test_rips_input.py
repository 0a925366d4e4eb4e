"""What is no cloud and no distance matrix: a named error or the exact answer."""

from __future__ import annotations

import numpy as np
import pytest

from cohortflow.errors import EmptyInput, MissingValues, UsageError
from cohortflow.topology import rips_persistence, rips_persistence_many

POINT = np.array([[0.0, np.inf]])


def test_nan_and_infinity_are_refused_where_gudhi_would_answer():
    for value in (np.nan, np.inf, -np.inf):
        cloud = np.random.default_rng(0).normal(size=(20, 3))
        cloud[3, 1] = value
        with pytest.raises(MissingValues, match="point 3, coordinate 1"):
            rips_persistence(cloud)


def test_shapes_and_options_that_are_no_cloud():
    with pytest.raises(EmptyInput):
        rips_persistence(np.empty((0, 3)))
    with pytest.raises(EmptyInput):
        rips_persistence(np.empty((3, 0)))
    with pytest.raises(UsageError, match="table of points"):
        rips_persistence(np.ones(3))
    with pytest.raises(UsageError, match="degree"):
        rips_persistence(np.ones((3, 2)), max_degree=-1)
    for threshold in (-1.0, np.nan):
        with pytest.raises(UsageError, match="threshold"):
            rips_persistence(np.ones((3, 2)), threshold=threshold)
    with pytest.raises(UsageError, match="metric"):
        rips_persistence(np.ones((3, 2)), metric="manhattan")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="far out"):
        rips_persistence([[1.7e308], [-1.7e308]])


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("points", [1, 2, 3])
def test_a_handful_of_points(points: int, degree: int):
    h0, *others = rips_persistence(np.arange(points)[:, None], degree)
    np.testing.assert_array_equal(h0, [*[[0.0, 1.0]] * (points - 1), [0.0, np.inf]])
    assert [diagram.shape for diagram in others] == [(0, 2)] * degree


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("points", [2, 5, 362, 363, 3000])
def test_all_points_equal(points: int, degree: int):
    h0, *others = rips_persistence(np.full((points, 3), 0.1), degree)
    np.testing.assert_array_equal(h0, POINT)
    assert [diagram.shape for diagram in others] == [(0, 2)] * degree


def test_a_million_copies_of_a_few_points():
    square = np.array([[0.0, -0.0], [1.0, 0.0], [1.0, 1.0], [-0.0, 1.0]])
    cloud = np.tile(square, (250_000, 1))
    for got, expected in zip(rips_persistence(cloud), rips_persistence(square), strict=True):
        np.testing.assert_array_equal(got, expected)


def matrix(size: int = 5) -> np.ndarray:
    return np.abs(np.subtract.outer(np.arange(float(size)), np.arange(float(size))))


@pytest.mark.parametrize(
    ("cell", "value", "error", "message"),
    [
        ((1, 3), 7.0, UsageError, r"symmetric.*7\.0 at \[1, 3\], 2\.0 at \[3, 1\]"),
        ((2, 2), 1.0, UsageError, r"itself.*\[2, 2\]"),
        ((2, 4), -1.0, UsageError, r"negative.*-1\.0 at \[2, 4\]"),
        ((0, 1), np.nan, MissingValues, r"nan at \[0, 1\]"),
    ],
)
def test_what_is_no_distance_matrix(cell, value, error, message):
    lengths = matrix()
    lengths[cell] = value
    with pytest.raises(error, match=message):
        rips_persistence(lengths, metric="precomputed")


def test_shapes_that_are_no_distance_matrix():
    for shape in ((3,), (3, 4), (2, 2, 2)):
        with pytest.raises(UsageError, match="square"):
            rips_persistence(np.zeros(shape), metric="precomputed")
    with pytest.raises(EmptyInput):
        rips_persistence(np.empty((0, 0)), metric="precomputed")


def test_no_edge_at_all_is_a_cloud_of_parts():
    lengths = np.full((4, 4), np.inf)
    np.fill_diagonal(lengths, 0.0)
    for degree in (0, 2):
        h0, *others = rips_persistence(lengths, degree, metric="precomputed")
        np.testing.assert_array_equal(h0, np.repeat(POINT, 4, axis=0))
        assert sum(map(len, others)) == 0


def test_many_are_each_as_one_alone_in_their_order():
    rng = np.random.default_rng(2)
    clouds = [rng.normal(size=(size, 3)) for size in (1, 30, 2, 64, 65)]
    for cloud, diagrams in zip(clouds, rips_persistence_many(clouds), strict=True):
        for got, expected in zip(diagrams, rips_persistence(cloud), strict=True):
            np.testing.assert_array_equal(got, expected)
    assert rips_persistence_many([]) == []


def test_what_is_given_is_not_written_to():
    cloud, lengths = np.random.default_rng(3).normal(size=(20, 3)), matrix(20)
    before = cloud.copy()
    for degree in (0, 2):
        rips_persistence(cloud, degree)
        rips_persistence(lengths, degree, metric="precomputed")
    np.testing.assert_array_equal(cloud, before)
    np.testing.assert_array_equal(lengths, matrix(20))
