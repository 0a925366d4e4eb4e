"""Three planes of a volume as a radiologist sees them, small enough for a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.geometry import Grid, Reorientation

MOST_PIXELS = 192


@dataclass(frozen=True)
class Plane:
    """``image``, ``label``, ``reference``: (row, column) uint8, the last two or None.

    ``pixel_mm`` (row, column). ``sides``: letters at the top, the right, the bottom and the left;
    empty in index space.
    """

    image: npt.NDArray[np.uint8]
    label: npt.NDArray[Any] | None
    pixel_mm: tuple[float, float]
    sides: str
    reference: npt.NDArray[Any] | None = None


def three_planes(
    image: npt.NDArray[Any],
    grid: Grid,
    label: npt.NDArray[Any] | None = None,
    limits: tuple[float, float] | None = None,
    *,
    reference: npt.NDArray[Any] | None = None,
    through: npt.NDArray[Any] | None = None,
) -> dict[str, Plane]:
    """``axial``, ``coronal`` and ``sagittal`` through the middle of the labels, else of the image.

    ``image``, ``label``, ``reference``: (z, y, x) on ``grid``. ``through``: labels or a mask
    through whose middle the planes go instead. The patient's left is on the right, the front and
    the head are on top. ``limits``: the values that are black and white, else the 0.5 and 99.5
    percentiles of the three planes. In index space the axes are taken as they are.
    """
    spacing = (1.0, 1.0, 1.0)
    if grid.index_to_world is not None:
        way = Reorientation.towards(grid, "LPS")
        image, spacing = way.apply(image), way.after.spacing_mm
        label, reference, through = (
            None if one is None else way.apply(one) for one in (label, reference, through)
        )
    z, y, x = _middle(image.shape, label if through is None else through)
    dz, dy, dx = spacing
    placed = grid.index_to_world is not None
    cuts: dict[str, tuple[Any, tuple[float, float], str]] = {
        "axial": ((z,), (dy, dx), "ALPR"),
        "coronal": ((slice(None, None, -1), y), (dz, dx), "SLIR"),
        "sagittal": ((slice(None, None, -1), slice(None), x), (dz, dy), "SPIA"),
    }
    shown = {name: image[cut] for name, (cut, _, _) in cuts.items()}
    low, high = limits or _limits(shown)
    planes = {}
    for name, (cut, pixel_mm, sides) in cuts.items():
        row_step, column_step = (max(1, -(-size // MOST_PIXELS)) for size in shown[name].shape)
        thinned = slice(None, None, row_step), slice(None, None, column_step)
        planes[name] = Plane(
            _grey(shown[name], (row_step, column_step), low, high),
            _thinned(label, cut, thinned),
            (pixel_mm[0] * row_step, pixel_mm[1] * column_step),
            sides if placed else "",
            _thinned(reference, cut, thinned),
        )
    return planes


def _thinned(label: npt.NDArray[Any] | None, cut: Any, kept: Any) -> npt.NDArray[Any] | None:
    return None if label is None else np.ascontiguousarray(label[cut][kept])


def _middle(shape: tuple[int, ...], label: npt.NDArray[Any] | None) -> tuple[int, int, int]:
    middle = [size // 2 for size in shape]
    if label is not None and label.any():
        for axis in range(3):
            others = tuple(a for a in range(3) if a != axis)
            weight = np.cumsum((label > 0).sum(axis=others))
            middle[axis] = int(np.searchsorted(weight, weight[-1] / 2))
    z, y, x = middle
    return z, y, x


def _limits(planes: Mapping[str, npt.NDArray[Any]]) -> tuple[float, float]:
    values = np.concatenate([plane.ravel() for plane in planes.values()])
    low, high = np.percentile(values, [0.5, 99.5]).tolist()
    return low, high if high > low else low + 1.0


def _grey(
    plane: npt.NDArray[Any], steps: tuple[int, int], low: float, high: float
) -> npt.NDArray[np.uint8]:
    """Means of blocks, so that thinning shows no pattern that is not there."""
    rows, columns = (-(-size // step) for size, step in zip(plane.shape, steps, strict=True))
    padding = [
        (0, n * step - size)
        for n, step, size in zip((rows, columns), steps, plane.shape, strict=True)
    ]
    whole = np.pad(plane.astype(np.float32), padding, mode="edge")
    means = whole.reshape(rows, steps[0], columns, steps[1]).mean(axis=(1, 3))
    grey: npt.NDArray[np.uint8] = np.rint(255 * np.clip((means - low) / (high - low), 0, 1)).astype(
        np.uint8
    )
    return grey
