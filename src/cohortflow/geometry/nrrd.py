"""NRRD: the space that the header names, an origin and a vector for every axis, x fastest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cohortflow.errors import ImpossibleGeometry
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.itk import grid_from_itk
from cohortflow.geometry.matrices import numbers

# Of the world's axes: the factors that turn them to LPS.
_TO_LPS = {
    "left-posterior-superior": (1.0, 1.0, 1.0),
    "right-anterior-superior": (-1.0, -1.0, 1.0),
    "left-anterior-superior": (1.0, -1.0, 1.0),
}
_TO_LPS |= {"lps": (1.0, 1.0, 1.0), "ras": (-1.0, -1.0, 1.0), "las": (1.0, -1.0, 1.0)}
_MM = {"mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "": 1.0, "???": 1.0, "none": 1.0}
_MM |= {"m": 1e3, "cm": 10.0, "um": 1e-3, "µm": 1e-3, "micron": 1e-3, "microns": 1e-3}


def names_body_axes(space: str) -> bool:
    """Whether a ``space`` says towards which sides of the body its axes run."""
    return space.lower() in _TO_LPS


def millimetres(unit: str, where: str = "") -> float:
    """Millimetres of one ``unit`` of length; none counts as mm. Raises ImpossibleGeometry."""
    if unit.lower() not in _MM:
        raise ImpossibleGeometry(
            "no unit of length", where=where, expected=", ".join(filter(None, _MM))
        )
    return _MM[unit.lower()]


def grid_from_nrrd(
    sizes: Sequence[int],
    space: str,
    origin: Sequence[float],
    directions: npt.ArrayLike,
    where: str = "",
) -> Grid:
    """Grid of the array (z, y, x) of an NRRD file whose three axes in space are x, y, z.

    ``space``: one of which :func:`names_body_axes` is true. ``origin``: (3,) mm in it.
    ``directions``: (3, 3), a row for each of x, y, z: the step to the next voxel. Raises
    :class:`ImpossibleGeometry`.
    """
    signs = np.array(_TO_LPS[space.lower()])
    steps = numbers(directions, (3, 3), "the space directions", where) * signs
    first = numbers(origin, (3,), "the space origin", where) * signs
    spacing = np.linalg.norm(steps, axis=1)
    if not (spacing > 0).all():
        raise ImpossibleGeometry("an axis without a step", where=where, found=str(steps.tolist()))
    return grid_from_itk(sizes, first.tolist(), spacing.tolist(), steps.T / spacing, where)
