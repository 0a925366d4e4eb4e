"""Turning an array towards the axes of the body: flips and transposes, nothing is computed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import GeometryMismatch, UsageError
from cohortflow.geometry.agreement import require_agreement
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import Floats

# The body's axes x, y, z in RAS+: the letter towards which each falls, and rises.
_ENDS = (("L", "R"), ("P", "A"), ("I", "S"))
ORIENTATIONS = tuple(
    "".join(letters)
    for axes in itertools.permutations(_ENDS)
    for letters in itertools.product(*axes)
)
"""All 48, such as ``RAS``, 24 of each handedness."""


def orientation(grid: Grid) -> str:
    """Three letters: the sides of the body towards which x, y and z run, such as ``RAS``.

    In the order x, y, z (the last axis of the array first), as nibabel and ITK write them. An
    oblique axis gets the letter it is nearest to. Raises :class:`NoWorldSpace` in index space.
    """
    return "".join(
        _ENDS[axis][int(sign > 0)] for axis, sign in reversed(_nearest_axes(grid.direction))
    )


def _nearest_axes(direction: Floats) -> list[tuple[int, float]]:
    """For each array axis (z, y, x) the body axis it is nearest to, and the sign.

    The most decided axis chooses first; of a sheared grid the nearest rotation is asked.
    """
    left, _, right = np.linalg.svd(direction)
    cosines = left @ right
    nearest: dict[int, tuple[int, float]] = {}
    free = np.ones(3, dtype=bool)
    # x before y before z among equally decided ones, as nibabel counts.
    for column in sorted((2, 1, 0), key=lambda c: -float(np.abs(cosines[:, c]).max())):
        axis = int(np.argmax(np.where(free, np.abs(cosines[:, column]), -1.0)))
        free[axis] = False
        nearest[column] = (axis, float(cosines[axis, column]))
    return [nearest[column] for column in range(3)]


@dataclass(frozen=True)
class Reorientation:
    """The way from one orientation to another: ``axes`` to take in turn, then which to flip."""

    before: Grid
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    @classmethod
    def towards(cls, grid: Grid, target: str) -> Reorientation:
        """The way from a grid to an orientation such as ``RAS`` or ``LPS`` (x, y, z)."""
        wanted = [_axis_of(letter) for letter in reversed(checked_orientation(target))]
        present = _nearest_axes(grid.direction)
        by_body_axis = {axis: (column, sign) for column, (axis, sign) in enumerate(present)}
        axes, flips = zip(
            *((by_body_axis[axis][0], by_body_axis[axis][1] * sign < 0) for axis, sign in wanted),
            strict=True,
        )
        return cls(grid, axes, flips)

    @classmethod
    def onto(cls, grid: Grid, target: Grid, where: str = "") -> Reorientation:
        """The way to another grid of the same voxels, their axes in any order and direction.

        Raises :class:`GeometryMismatch`, with both matrices, where it is not one of the same
        voxels.
        """
        way = cls.along(grid, target)
        require_agreement(target, grid if way is None else way.after, where=where)
        assert way is not None
        return way

    @classmethod
    def along(cls, grid: Grid, target: Grid) -> Reorientation | None:
        """The way that turns the axes to those of another grid, wherever and however large it is.

        By the axes themselves: letters of two alike differ where an axis lies between two sides.
        None where they run otherwise.
        """
        turn = np.linalg.inv(target.direction) @ grid.direction
        axes = np.abs(turn).argmax(axis=1).tolist()
        if sorted(axes) != [0, 1, 2]:
            return None
        flips = [bool(turn[new, old] < 0) for new, old in enumerate(axes)]
        return cls(grid, (axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]))

    @property
    def after(self) -> Grid:
        """The grid on which the turned array lies: every voxel where it was in the world."""
        turn = np.zeros((4, 4))
        turn[3, 3] = 1.0
        for new, (old, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            turn[old, new] = -1.0 if flip else 1.0
            turn[old, 3] = self.before.shape[old] - 1 if flip else 0.0
        z, y, x = (self.before.shape[axis] for axis in self.axes)
        return Grid((z, y, x), self.before.matrix @ turn)

    def apply(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(…, z, y, x) before → after: a view, no voxel is copied or changed."""
        _check_shape(array, self.before)
        lead = array.ndim - 3
        turned = array.transpose(*range(lead), *(lead + axis for axis in self.axes))
        flipped: npt.NDArray[Any] = turned[self._steps()]
        return flipped

    def undo(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(…, z, y, x) after → before: exactly what ``apply`` was given."""
        _check_shape(array, self.after)
        lead = array.ndim - 3
        back = (lead + int(axis) for axis in np.argsort(self.axes))
        unflipped: npt.NDArray[Any] = array[self._steps()]
        return unflipped.transpose(*range(lead), *back)

    def _steps(self) -> tuple[Any, ...]:
        return (..., *(slice(None, None, -1 if flip else 1) for flip in self.flips))


def _check_shape(array: npt.NDArray[Any], grid: Grid) -> None:
    if array.shape[-3:] != grid.shape:
        raise GeometryMismatch(
            "the array is not on the grid that is turned",
            expected=f"shape (…, z, y, x) ending in {grid.shape}",
            found=str(array.shape),
        )


def to_orientation(
    array: npt.NDArray[Any], index_to_world: npt.ArrayLike, target: str = "RAS"
) -> tuple[npt.NDArray[Any], Floats]:
    """Turn an array (…, z, y, x) so that x, y, z run towards the letters of ``target``.

    Only flips and transposes: the array returned is a view, the matrix says where each voxel still
    is. An oblique image stays as oblique as it was. The way back is the same call with
    :func:`orientation` of the grid before, or :class:`Reorientation`, whose ``undo`` and ``before``
    are exact. Raises :class:`UsageError` for letters that are no orientation.
    """
    z, y, x = array.shape[-3:]
    way = Reorientation.towards(Grid((z, y, x), np.asarray(index_to_world, float)), target)
    return way.apply(array), way.after.matrix


def checked_orientation(target: str) -> str:
    """The letters, in capitals; raises :class:`UsageError` where they are no orientation."""
    if target.upper() not in ORIENTATIONS:
        raise UsageError(
            "no such orientation",
            expected="one of R and L, of A and P, of S and I: the sides towards which x, y, z run",
            found=repr(target),
        )
    return target.upper()


def _axis_of(letter: str) -> tuple[int, float]:
    for axis, (falls, rises) in enumerate(_ENDS):
        if letter in (falls, rises):
            return axis, 1.0 if letter == rises else -1.0
    raise UsageError("no such side of the body", found=repr(letter))
