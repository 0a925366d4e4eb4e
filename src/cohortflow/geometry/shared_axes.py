"""Whether two grids have the same axes, so that one becomes the other axis by axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import Floats

TOLERANCE_VOXELS = 1e-4
"""How far off its axis a voxel of the target may lie: a tenth of a unit at an edge of 1000."""


@dataclass(frozen=True)
class SharedAxes:
    """Which axis of the source each axis of the target runs along, and where its voxels lie there.

    ``coordinates``: for each axis of the target (size,), in voxels of the source.
    """

    order: tuple[int, int, int]
    coordinates: tuple[Floats, Floats, Floats]

    @property
    def shrinks_by(self) -> tuple[float, ...]:
        """For each axis of the target: its spacing over that of the source along it."""
        return tuple(
            float(abs(places[-1] - places[0])) / (len(places) - 1) if len(places) > 1 else 1.0
            for places in self.coordinates
        )

    @classmethod
    def of(cls, source: Grid, target: Grid) -> SharedAxes | None:
        """None where an axis of the target crosses one of the source; needs world space."""
        way = np.linalg.inv(source.matrix) @ target.matrix
        reach = np.abs(way[:3, :3]) * (np.asarray(target.shape) - 1)
        order = np.abs(way[:3, :3]).argmax(axis=0).tolist()
        crossing = reach.copy()
        crossing[order, range(3)] = 0.0
        if len(set(order)) < 3 or crossing.sum(axis=1).max() > TOLERANCE_VOXELS:
            return None
        z, y, x = (
            way[axis, 3] + way[axis, column] * np.arange(target.shape[column])
            for column, axis in enumerate(order)
        )
        first, second, third = order
        return cls((first, second, third), (z, y, x))
