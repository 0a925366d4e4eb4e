"""Where the voxels of a target lie along one axis of a source, and what they take from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
AxisRule = Literal["linear", "bspline", "nearest"]

_SNAP = 1e-6


@dataclass(frozen=True)
class Axis:
    """One axis of a source of ``size`` voxels and where the target's voxels lie along it.

    ``coordinates``: (target,) in voxels of the source, 0 the centre of the first; evenly spaced.
    What is a millionth of a voxel off a whole or a half one is taken as that: rounded matrices must
    not decide ties. ``rule``: how values are found between centres; ``blur``: standard deviation,
    in voxels of the source, of the Gaussian that smooths along this axis first.
    """

    size: int
    coordinates: Floats
    rule: AxisRule = "linear"
    blur: float = 0.0

    def __post_init__(self) -> None:
        halves = np.round(np.asarray(self.coordinates, float) * 2.0) / 2.0
        near = np.abs(self.coordinates - halves) < _SNAP
        object.__setattr__(self, "coordinates", np.where(near, halves, self.coordinates))

    @property
    def inside(self) -> slice:
        """The part of the target inside the image: -½ ≤ coordinate < size - ½, as ITK has it."""
        within = np.flatnonzero((self.coordinates >= -0.5) & (self.coordinates < self.size - 0.5))
        return slice(int(within[0]), int(within[-1]) + 1) if len(within) else slice(0, 0)

    @property
    def is_dense(self) -> bool:
        """Whether more than two voxels of the source go into one of the target."""
        return self.blur > 0 or self.rule == "bspline"

    def nearest(self) -> Indices:
        """(inside,): the voxel in which each place lies; of two, the later one."""
        places = np.floor(self.coordinates[self.inside] + 0.5).astype(np.int64)
        return np.clip(places, 0, self.size - 1)

    def taps(self) -> tuple[Indices, Indices, Floats]:
        """(inside,) each: the two voxels beside each place and the weight of the second.

        Beyond the outermost centres the outermost voxel alone; on a centre that voxel alone.
        """
        if self.rule == "nearest":
            nearest = self.nearest()
            return nearest, nearest, np.zeros(len(nearest))
        places = np.clip(self.coordinates[self.inside], 0.0, self.size - 1.0)
        lower = np.floor(places).astype(np.int64)
        weight = places - lower
        return lower, lower + (weight > 0), weight
