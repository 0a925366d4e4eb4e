"""A volume that tells where left is: the letters L, R, P, A, I, S stand on their sides of the body.

Everything is defined in world space, so that the same body can be drawn on any grid, and what any
reader makes of a file can be compared with what stands at that place.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohortflow.errors import UsageError
from cohortflow.geometry.grid import Grid

Floats = npt.NDArray[np.float64]

LETTERS = {"L": 1, "R": 2, "P": 3, "A": 4, "I": 5, "S": 6}
"""The label value of each letter; 0 elsewhere."""

_GLYPHS = {
    "L": ("#....", "#....", "#....", "#....", "#####"),
    "R": ("####.", "#...#", "####.", "#..#.", "#...#"),
    "P": ("####.", "#...#", "####.", "#....", "#...."),
    "A": ("..#..", ".#.#.", "#...#", "#####", "#...#"),
    "I": ("#####", "..#..", "..#..", "..#..", "#####"),
    "S": (".####", "#....", ".###.", "....#", "####."),
}
_CELLS = 7  # across the body: five of a letter, and a margin on either side
# World axis x, y, z and its side on which a letter stands, and the axis that is up on that side.
_SIDES = {
    "L": (0, -1, 2),
    "R": (0, 1, 2),
    "P": (1, -1, 2),
    "A": (1, 1, 2),
    "I": (2, -1, 1),
    "S": (2, 1, 1),
}
# No two of them related by a sign or a swap of axes.
_SLOPES_PER_MM = (1.0, 2.3, 5.1)


@dataclass(frozen=True)
class Canary:
    """A box along the world's axes (x, y, z), RAS+ mm, with a letter inside each of its faces.

    A letter reads upright from outside: up is superior, on I and S anterior.
    """

    centre_mm: tuple[float, float, float]
    half_mm: tuple[float, float, float]

    @classmethod
    def within(cls, grid: Grid) -> Canary:
        """The largest such box, in the proportions of the image, that lies inside the image."""
        half_index = np.asarray(grid.shape) / 2
        axes = grid.matrix[:3, :3]
        half = np.abs(axes) @ half_index
        scale = (half_index / (np.abs(np.linalg.inv(axes)) @ half)).min()
        return cls(tuple(grid.centre_mm.tolist()), tuple((scale * half).tolist()))

    def label_at(self, world_mm: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """(…, 3) world (x, y, z), RAS+ mm → (…) the label value there."""
        offset = np.asarray(world_mm, float) - self.centre_mm
        cell = 2.0 * np.asarray(self.half_mm) / _CELLS
        labels = np.zeros(offset.shape[:-1], dtype=np.uint8)
        for letter, (axis, side, up) in _SIDES.items():
            depth = self.half_mm[axis] - side * offset[..., axis]
            outwards, upwards = side * np.eye(3)[axis], np.eye(3)[up]
            rightwards = np.cross(upwards, outwards)
            right = int(np.argmax(np.abs(rightwards)))
            column = np.floor(rightwards[right] * offset[..., right] / cell[right] + 2.5)
            row = np.floor(2.5 - offset[..., up] / cell[up])
            face = (depth >= 0) & (depth < cell[axis])
            face &= (column >= 0) & (column < 5) & (row >= 0) & (row < 5)
            ink = np.array([list(line) for line in _GLYPHS[letter]]) == "#"
            at = np.nonzero(face)
            drawn = ink[row[at].astype(int), column[at].astype(int)]
            labels[tuple(index[drawn] for index in at)] = LETTERS[letter]
        return labels

    def intensity_at(self, world_mm: npt.ArrayLike) -> Floats:
        """(…, 3) world (x, y, z), RAS+ mm → (…) x + 2.3 y + 5.1 z from the centre.

        Linear interpolation returns it exactly, so it tells where a resampler has put a voxel.
        """
        ramp: Floats = (np.asarray(world_mm, float) - self.centre_mm) @ np.array(_SLOPES_PER_MM)
        return ramp

    def labels(self, grid: Grid) -> npt.NDArray[np.uint8]:
        """(z, y, x) label map; raises :class:`UsageError` where the grid is too coarse for a
        letter.

        Nine voxels along every axis are enough for a grid along the body's axes.
        """
        labels = self.label_at(grid.positions_mm())
        lost = [name for name, value in LETTERS.items() if not (labels == value).any()]
        if lost:
            raise UsageError(
                "the grid is too coarse for letters", found=str(grid), expected=", ".join(lost)
            )
        return labels

    def image(self, grid: Grid) -> npt.NDArray[np.float32]:
        """(z, y, x) intensity image."""
        return self.intensity_at(grid.positions_mm()).astype(np.float32)


def oriented_grid(
    code: str,
    shape: Sequence[int] = (18, 16, 20),
    spacing_mm: Sequence[float] = (2.5, 3.0, 2.0),
    degrees: Sequence[float] = (0.0, 0.0, 0.0),
    centre_mm: Sequence[float] = (-31.0, 47.0, 112.5),
) -> Grid:
    """A grid whose x, y, z run towards the letters of ``code`` (``RAS``), then turned.

    ``shape``, ``spacing_mm``: (z, y, x). ``degrees``: turned about world x, then y, then z.
    """
    towards = {"R": (1, 0, 0), "A": (0, 1, 0), "S": (0, 0, 1)}
    towards |= {"L": (-1, 0, 0), "P": (0, -1, 0), "I": (0, 0, -1)}
    axes = np.array([towards[letter] for letter in reversed(code)], float).T
    matrix = np.eye(4)
    matrix[:3, :3] = _rotation(degrees) @ axes * np.asarray(spacing_mm, float)
    matrix[:3, 3] = centre_mm - matrix[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    z, y, x = shape
    return Grid((z, y, x), matrix)


def canary_grids() -> Iterator[tuple[str, Grid]]:
    """96 grids by name: each orientation, straight and oblique; anisotropic, off-centre."""
    for axes in itertools.permutations(("RL", "AP", "SI")):
        for letters in itertools.product(*axes):
            code = "".join(letters)
            yield code, oriented_grid(code)
            yield f"{code}-oblique", oriented_grid(code, degrees=(17.0, -11.0, 23.0))


def _rotation(degrees: Sequence[float]) -> Floats:
    turned = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(np.asarray(degrees, float))):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        about = np.eye(3)
        about[first, first] = about[second, second] = np.cos(angle)
        about[second, first], about[first, second] = np.sin(angle), -np.sin(angle)
        turned = about @ turned
    return turned
