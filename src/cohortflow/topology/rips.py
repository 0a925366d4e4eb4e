"""Persistent homology of a point cloud under the Vietoris–Rips filtration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.errors import EmptyInput, MissingValues, UsageError

Diagram = npt.NDArray[np.float64]


def rips_persistence(cloud: npt.ArrayLike, max_degree: int = 2) -> list[Diagram]:
    """Persistence diagrams H0 … H``max_degree`` of a cloud, exact in float64, over Z/2.

    ``cloud`` (point, coordinate), Euclidean metric → one (bar, 2) float64 array of (birth, death)
    per degree, also where it is empty, sorted by birth, then death. The filtration value is the
    edge length; the essential bar of H0 has death = inf; bars of zero length are not returned.

    Raises MissingValues: gudhi answers NaN with nonsense instead of an error.
    Source: Aithal et al. 2024, equation 3; edge collapse of Glisse and Pritam 2022, cohomology of
    Bauer 2021, both as in gudhi's MIT modules.
    """
    points = _checked(cloud, max_degree)
    from gudhi.sklearn import RipsPersistence

    # No threshold: below the enclosing radius it would leave infinite bars in H1 and H2, and at
    # that radius gudhi stops by itself.
    rips = RipsPersistence(
        homology_dimensions=list(range(max_degree + 1)),
        num_collapses="auto",
        homology_coeff_field=2,
    )
    return [_canonical(bars) for bars in rips.fit_transform([points])[0]]


def _checked(cloud: npt.ArrayLike, max_degree: int) -> npt.NDArray[np.float64]:
    points = np.ascontiguousarray(cloud, dtype=np.float64)
    if points.ndim != 2:
        raise UsageError(
            "a cloud is a table of points", expected="(point, coordinate)", found=str(points.shape)
        )
    if max_degree < 0:
        raise UsageError("max_degree is a homology degree", expected="≥ 0", found=str(max_degree))
    if not points.size:
        raise EmptyInput("a cloud without points has no homology", found=str(points.shape))
    if not np.isfinite(points).all():
        raise MissingValues("a cloud with NaN or infinity has no homology")
    return points


def _canonical(bars: npt.ArrayLike) -> Diagram:
    diagram = np.asarray(bars, dtype=np.float64).reshape(-1, 2)
    diagram = diagram[diagram[:, 1] > diagram[:, 0]]
    return np.ascontiguousarray(diagram[np.lexsort((diagram[:, 1], diagram[:, 0]))])
