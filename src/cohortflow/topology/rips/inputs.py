"""What may be asked of Rips persistence: checked clouds, distance matrices, options."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from cohortflow.errors import EmptyInput, MissingValues, UsageError
from cohortflow.topology.bars import Floats, known

Metric = Literal["euclidean", "precomputed"]
LARGEST = 2.0**1020


def checked_options(max_degree: int, threshold: float | None, metric: str) -> float:
    """The threshold as a number; UsageError where an option has no meaning."""
    known("metric", metric, get_args(Metric))
    if isinstance(max_degree, bool) or not isinstance(max_degree, int | np.integer):
        raise UsageError(
            "max_degree is a homology degree", expected="an integer", found=repr(max_degree)
        )
    if max_degree < 0:
        raise UsageError("max_degree is a homology degree", expected="≥ 0", found=str(max_degree))
    longest = np.inf if threshold is None else float(threshold)
    if not longest >= 0.0:
        raise UsageError("the threshold is a length", expected="≥ 0", found=str(threshold))
    return float(min(longest, np.finfo(np.float64).max))


def checked_cloud(cloud: npt.ArrayLike) -> Floats:
    """Points (point, coordinate) as float64."""
    points = np.ascontiguousarray(cloud, dtype=np.float64)
    if points.ndim != 2:
        raise UsageError(
            "a cloud is a table of points", expected="(point, coordinate)", found=str(points.shape)
        )
    if not points.size:
        raise EmptyInput("a cloud without points has no homology", found=str(points.shape))
    if not np.isfinite(points).all():
        row, column = np.argwhere(~np.isfinite(points))[0].tolist()
        raise MissingValues(
            "a cloud with NaN or infinity has no homology",
            found=f"{points[row, column]} at point {row}, coordinate {column}",
        )
    return points


def unit_scale(points: Floats) -> float:
    """A power of two by which the squares of these points neither overflow nor vanish.

    1 for all ordinary points. Such a factor is exact, so lengths come back as they were.
    """
    largest = float(np.abs(points).max())
    if largest > LARGEST:
        raise UsageError(
            "the lengths between points this far out exceed float64",
            expected=f"coordinates up to {LARGEST:.3g}",
            found=f"{largest:.3g}",
        )
    if largest == 0.0 or 1e-100 < largest < 1e150:
        return 1.0
    return float(2.0 ** min(-int(np.frexp(largest)[1]), 1000))


def checked_matrix(matrix: npt.ArrayLike) -> Floats:
    """Lengths (point, point): square, symmetric, zero on the diagonal, ≥ 0; inf means no edge."""
    lengths = np.ascontiguousarray(matrix, dtype=np.float64)
    if lengths.ndim != 2 or lengths.shape[0] != lengths.shape[1]:
        raise UsageError(
            "a distance matrix is square", expected="(point, point)", found=str(lengths.shape)
        )
    if not lengths.size:
        raise EmptyInput("a cloud without points has no homology", found=str(lengths.shape))
    if np.isnan(lengths).any():
        raise MissingValues("a distance matrix with NaN", found=_cell(lengths, np.isnan(lengths)))
    for message, wrong in (
        ("a distance is not negative", lengths < 0.0),
        ("a point has distance 0 to itself", np.diag(np.diag(lengths) != 0.0)),
        ("a distance matrix is symmetric", lengths != lengths.T),
    ):
        if wrong.any():
            raise UsageError(message, found=_cell(lengths, wrong))
    # Lengths are compared by their bits, and those of -0.0 are another number's.
    return lengths + 0.0 if np.signbit(lengths).any() else lengths


def _cell(lengths: Floats, wrong: npt.NDArray[np.bool_]) -> str:
    i, j = np.argwhere(wrong)[0].tolist()
    return f"{lengths[i, j]!s} at [{i}, {j}], {lengths[j, i]!s} at [{j}, {i}]"
