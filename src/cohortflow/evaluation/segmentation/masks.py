"""Two label maps, checked and side by side: what the metrics read."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cohortflow.errors import (
    BadParameter,
    EmptyInput,
    GeometryMismatch,
    ImpossibleGeometry,
    NotFinite,
    NotLabels,
    ShearedGrid,
)
from cohortflow.geometry import Grid
from cohortflow.geometry.agreement import require_agreement

Array = npt.NDArray[Any]
Others = Literal["refuse", "background"]
Unsigned = type[np.uint8] | type[np.uint16]
_LARGEST = 2**16 - 1


@dataclass(frozen=True)
class MaskPair:
    """Reference and prediction as (z, y, x) uint8 or uint16 of one dtype, C-contiguous.

    An image (y, x) is ``flat``: one slice, whose voxels have no neighbours along z. ``sampling``:
    mm between neighbours, 1 in index space (``world`` False). ``places``: value of a voxel → place
    of its label in the table, 0 of the background, -1 of what is in no table.
    """

    reference: Array
    prediction: Array
    sampling: tuple[float, float, float]
    world: bool
    flat: bool
    labels: Mapping[int, str]
    places: npt.NDArray[np.int32]

    @property
    def values(self) -> list[int]:
        return list(self.labels)

    @property
    def diagonal(self) -> float:
        """Of the whole image: what counts for a distance that cannot be measured."""
        shape = self.reference.shape[1:] if self.flat else self.reference.shape
        sampling = self.sampling[1:] if self.flat else self.sampling
        return float(np.linalg.norm(np.multiply(shape, sampling)))

    @property
    def units(self) -> Mapping[str, str]:
        """Of what kind of metric → unit."""
        volume = ("mm²" if self.flat else "ml") if self.world else "voxel"
        return {"distance": "mm" if self.world else "voxel", "volume": volume}

    @property
    def voxel_size(self) -> float:
        """In ``units["volume"]``; of a slice its area."""
        if not self.world:
            return 1.0
        size = float(np.prod(self.sampling[1:] if self.flat else self.sampling))
        return size if self.flat else size / 1000


def mask_pair(
    reference: npt.ArrayLike,
    prediction: npt.ArrayLike,
    labels: Mapping[int, str],
    spacing_mm: Sequence[float] | None = None,
    grids: tuple[Grid | None, Grid | None] = (None, None),
    where: str = "",
) -> MaskPair:
    """Check both; the errors are those of ``evaluate_segmentation``."""
    table = checked_labels(labels)
    first, second = _integers(reference, "reference", where), _integers(prediction, "", where)
    if first.shape != second.shape:
        raise GeometryMismatch(
            "reference and prediction differ in shape",
            where=where,
            expected=str(first.shape),
            found=str(second.shape),
            hint="Resample one to the grid of the other.",
        )
    if first.ndim not in (2, 3):
        raise NotLabels(
            "a label map has 2 or 3 axes",
            where=where,
            expected="(z, y, x) or (y, x)",
            found=str(first.shape),
        )
    if not first.size:
        raise EmptyInput("a label map without voxels", where=where, found=str(first.shape))
    spacing = _spacing(spacing_mm, grids, first.shape, where)
    flat = first.ndim == 2
    a, b = _one_dtype(first, second, where)
    sampling = (1.0, 1.0, 1.0) if spacing is None else spacing
    if flat:
        a, b = a[None], b[None]
    return MaskPair(a, b, sampling, spacing is not None, flat, table, _places(table, a.dtype))


def checked_labels(labels: Mapping[int, str]) -> dict[int, str]:
    """The table: whole numbers above 0, one name each."""
    if not isinstance(labels, Mapping) or not labels:
        raise BadParameter(
            "labels is a table of values and names",
            expected="{1: 'liver', …}",
            found=repr(labels),
        )
    table = {}
    for value, name in labels.items():
        try:
            whole = operator.index(value)
        except TypeError:
            whole = -1
        if not 0 < whole <= _LARGEST:
            raise BadParameter(
                "a label is a whole number above 0, the background",
                expected=f"1 … {_LARGEST}",
                found=repr(value),
            )
        table[whole] = str(name)
    return table


def _integers(array: npt.ArrayLike, role: str, where: str) -> Array:
    what = f"the {role or 'prediction'}"
    if isinstance(array, np.ma.MaskedArray):
        raise NotLabels(
            f"{what} is masked, and a mask says nothing of what lies under it",
            where=where,
            expected="every voxel a label, 0 of the background",
            found="a masked array",
            hint="Say what masked voxels are: array.filled(0).",
        )
    try:
        found = np.asarray(array)
    except ValueError as error:
        raise NotLabels(f"{what} is no array", where=where, found=str(error)) from error
    if found.dtype.kind in "biu":
        return found
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise NotFinite(f"{what} holds NaN or infinity, a label map does not", where=where)
    raise NotLabels(
        f"{what} is no label map",
        where=where,
        expected="whole numbers, or bool",
        found=str(found.dtype),
        hint="Make labels of probabilities first: by a threshold, or the largest of the classes.",
    )


def _spacing(
    spacing_mm: Sequence[float] | None,
    grids: tuple[Grid | None, Grid | None],
    shape: tuple[int, ...],
    where: str,
) -> tuple[float, float, float] | None:
    """(z, y, x) mm, said or of the grids, which must agree; None in index space."""
    first, second = grids
    for grid in (first, second):
        if grid is not None and grid.shape[-len(shape) :] != shape:
            raise GeometryMismatch(
                "a grid is of another shape than its label map",
                where=where,
                expected=str(shape),
                found=str(grid),
            )
    if first is not None and second is not None:
        require_agreement(first, second, "the prediction", where)
    grid = first or second
    known = None
    if grid is not None and grid.index_to_world is not None:
        if grid.is_sheared:
            raise ShearedGrid("distances are along axes at right angles", where=where)
        known = grid.spacing_mm
    if spacing_mm is None:
        if known is not None and (first is None or second is None):
            raise GeometryMismatch(
                "of one of the two maps nobody says where it lies",
                where=where,
                expected="the grids of both",
                found=f"that of the {'reference' if second is None else 'prediction'} only",
                hint="Give both grids; or spacing_mm, which says that both lie on this one.",
            )
        return known
    said = _checked_spacing(spacing_mm, len(shape), where)
    if known is not None and not np.allclose(said, known, rtol=1e-3):
        raise GeometryMismatch(
            "the spacing that is said is not that of the grid",
            where=where,
            expected=str(known),
            found=str(said),
        )
    return said


def _checked_spacing(
    spacing_mm: Sequence[float], axes: int, where: str
) -> tuple[float, float, float]:
    try:
        numbers = np.atleast_1d(np.asarray(spacing_mm, dtype=float))
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (axes,) or not np.isfinite(numbers).all() or not (numbers > 0).all():
        raise ImpossibleGeometry(
            "a spacing that no image can have",
            where=where,
            expected=f"{axes} lengths in mm above 0, in the order of the axes",
            found=str(spacing_mm),
        )
    z, y, x = (1.0, *numbers.tolist()) if axes == 2 else numbers.tolist()
    return z, y, x


def _one_dtype(a: Array, b: Array, where: str) -> tuple[Array, Array]:
    """Both as uint8, or both as uint16; without a copy where they are."""
    kinds = {array.dtype for array in (a, b)}
    if kinds <= {np.dtype(np.uint8), np.dtype(bool), np.dtype(np.int8)}:
        wanted: Unsigned = np.uint8
        for array in (a, b):
            _refuse_outside(array, 255, where)
    else:
        wanted = np.uint16
        for array in (a, b):
            _refuse_outside(array, _LARGEST, where)
        if max(int(a.max()), int(b.max())) < 256:
            wanted = np.uint8
    return _as(a, wanted), _as(b, wanted)


def _as(array: Array, wanted: Unsigned) -> Array:
    if array.dtype.itemsize == np.dtype(wanted).itemsize:
        array = array.view(wanted)
    return np.ascontiguousarray(array, dtype=wanted)


def _refuse_outside(array: Array, highest: int, where: str) -> None:
    if array.dtype.kind != "i" and array.dtype.itemsize <= 2:
        return
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > highest:
        raise NotLabels(
            "a value that no label can have",
            where=where,
            expected=f"whole numbers from 0 to {_LARGEST}",
            found=str(low if low < 0 else high),
            hint="Give it another number in both maps, or 0 where it is to count as background.",
        )


def outside_table(values: Sequence[int], where: str = "") -> NotLabels:
    """The error of labels that the table does not name."""
    return NotLabels(
        "labels that the table does not name",
        where=where,
        found=", ".join(map(str, sorted(values)[:10])),
        hint="Name them in labels, or say others='background'.",
    )


def _places(table: Mapping[int, str], dtype: np.dtype[Any]) -> npt.NDArray[np.int32]:
    places = np.full(np.iinfo(dtype).max + 1, -1, np.int32)
    places[0] = 0
    for place, value in enumerate(table, start=1):
        if value < places.size:
            places[value] = place
    return places
