"""Persistent homology of images under the cubical filtration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.errors import EmptyInput, MissingValues, UsageError
from cohortflow.topology.bars import Floats
from cohortflow.topology.rips.by_gudhi import canonical


def cubical_persistence(
    image: npt.ArrayLike, max_degree: int | None = None, superlevel: bool = False
) -> list[Floats]:
    """Persistence diagrams H0 … H``max_degree`` of a 2-D or 3-D image, exact in float64, over Z/2.

    ``image`` (y, x) or (z, y, x): pixels and voxels are the top cells; each enters at its value,
    its faces with it, so neighbours meet across corners too. → One (bar, 2) float64 array of
    (birth, death) per degree, also where it is empty, sorted by birth, then death; up to degree 1
    of an image in the plane and 2 of a volume unless ``max_degree`` says otherwise. Essential bars
    have death = inf, bars of zero length are not returned. A cell at inf never enters: so a region
    is left out.

    ``superlevel``: cells enter from the highest value down. The diagrams are those of ``-image``: a
    bar (birth, death) is there between the values -birth and -death.

    Raises MissingValues (NaN, or a cell that was there from the beginning of time), EmptyInput and
    UsageError. Computed by gudhi (MIT modules). Source: Wagner, Chen and Vuçini 2012.
    """
    values = np.asarray(image, dtype=np.float64)
    if values.ndim not in (2, 3):
        raise UsageError(
            "an image has 2 or 3 axes", expected="(y, x) or (z, y, x)", found=str(values.shape)
        )
    highest = values.ndim - 1 if max_degree is None else max_degree
    if highest < 0:
        raise UsageError("max_degree is a homology degree", expected="≥ 0", found=str(max_degree))
    if not values.size:
        raise EmptyInput("an image without pixels has no homology", found=str(values.shape))
    values = -values if superlevel else values
    unusable = np.isnan(values) | np.isneginf(values)
    if unusable.any():
        place = tuple(np.argwhere(unusable)[0].tolist())
        raise MissingValues(
            "an image with NaN or a value before all others has no homology",
            found=f"{np.asarray(image)[place]} at {place}",
        )
    from gudhi.sklearn import CubicalPersistence

    degrees = list(range(highest + 1))
    cubical = CubicalPersistence(homology_dimensions=degrees, homology_coeff_field=2)
    return [canonical(bars) for bars in cubical.fit_transform([values])[0]]
