"""Where the bits of a box of voxels lie, and the steps from one to its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

STEPS = 500  # about as many neighbours are looked at before a tree takes over


@dataclass(frozen=True)
class Layout:
    """Bits of the ``box`` (first and last z, y, x) with ``room`` on every side.

    ``steps`` (step, 4) to another address and along z, y, x, sorted by ``lengths``; every voxel
    that is not farther away than the last of them is among them.
    """

    box: npt.NDArray[np.int64]
    room: npt.NDArray[np.int64]
    rows: int
    words: int
    planes: int
    steps: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.float64]

    @property
    def layout(self) -> npt.NDArray[np.int64]:
        return np.array([self.rows, self.words])

    @property
    def corner(self) -> npt.NDArray[np.int64]:
        """Index of the volume (z, y, x) at address 0."""
        corner: npt.NDArray[np.int64] = self.box[::2] - self.room
        return corner

    @property
    def address_type(self) -> type[np.unsignedinteger[Any]] | type[np.int64]:
        return np.uint32 if self.planes * self.rows * self.words * 64 < 2**32 else np.int64

    def empty(self) -> npt.NDArray[np.uint64]:
        return np.zeros(self.planes * self.rows * self.words, np.uint64)


def layout_of(
    box: npt.NDArray[np.int64], sampling: tuple[float, float, float], steps: int = STEPS
) -> Layout:
    """The layout of a box; the steps fill a ball of about as many voxels as asked for."""
    size = box[1::2] - box[::2] + 1
    spacing = np.asarray(sampling)
    reach = _reach(size, spacing, steps)
    room = np.minimum(reach // spacing, size - 1).astype(np.int64)
    ball = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in room), indexing="ij"), axis=-1)
    ball = ball.reshape(-1, 3)
    lengths = lengths_of(ball, sampling)
    near = np.flatnonzero(lengths <= reach)
    near = near[np.argsort(lengths[near], kind="stable")]
    planes, rows = (size + 2 * room)[:2].tolist()
    words = -(-int(size[2] + 2 * room[2]) // 64)
    addresses = (ball[near, 0] * rows + ball[near, 1]) * words * 64 + ball[near, 2]
    moves = np.column_stack([addresses, ball[near]])
    return Layout(box, room, rows, words, planes, moves, lengths[near])


def lengths_of(
    offsets: npt.NDArray[np.int64], sampling: tuple[float, float, float]
) -> npt.NDArray[np.float64]:
    """(n, 3) steps along z, y, x → lengths; one formula, so that equal steps give equal bits."""
    z, y, x = (offsets[:, axis] * sampling[axis] for axis in range(3))
    length: npt.NDArray[np.float64] = np.sqrt(z * z + y * y + x * x)
    return length


def _reach(size: npt.NDArray[np.int64], spacing: npt.NDArray[np.float64], steps: int) -> float:
    """Radius of the ball of so many voxels, in the axes that have more than one."""
    axes = size > 1
    cell = float(np.prod(spacing[axes]))
    ball = {0: 1.0, 1: 2.0, 2: np.pi, 3: 4 * np.pi / 3}[int(axes.sum())]
    return float((steps * cell / ball) ** (1 / max(int(axes.sum()), 1)))
