"""What a reader makes of files: an array with its grid, and what must be known about both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cohortflow.errors import NotFinite, NotLabels, TooLarge, UnsupportedData
from cohortflow.geometry.grid import Grid

Role = Literal["image", "label", "table", "series"]
MAX_VOXELS = 2**29
"""Of one file, channels counted: 512 × 512 × 2048."""


@dataclass(frozen=True)
class ReadOptions:
    """How images are read; what was used of it is recorded in the entry.

    ``spacing_mm``: (z, y, x), where a file does not say it. ``orientation``: of axes that a file
    does not place. ``time``: the time point that is taken of several. ``fill_not_finite``: what NaN
    and infinity become. ``accept``: codes of errors that are resolved instead of refused.
    ``series``: the Series Number that is taken of several.
    """

    spacing_mm: tuple[float, float, float] | None = None
    orientation: str = "LPS"
    time: int | None = None
    fill_not_finite: float | None = None
    accept: frozenset[str] = frozenset()
    series: int | None = None
    max_voxels: int = MAX_VOXELS


@dataclass(frozen=True)
class SeriesOptions:
    """How series are read. ``transpose``: files are (region, time). ``repetition_time``: wanted.

    ``labels``, ``xyz_mm``: of the regions of an atlas, whose means are taken of an image.
    """

    transpose: bool = False
    labels: tuple[str, ...] = ()
    xyz_mm: tuple[tuple[float, ...], ...] = ()
    repetition_time: bool = False


@dataclass(frozen=True)
class Request:
    """Files that are read together, and what they are taken for.

    ``id``: the study id, where it must not be the name or number of the patient in a header.
    """

    format: str
    files: tuple[str, ...]
    role: Role
    where: str
    options: ReadOptions = ReadOptions()
    root: str = ""
    id: str = ""
    series: SeriesOptions | None = None


@dataclass
class Decoded:
    """What one request has read: an image, a label map, a series or a table.

    ``array``: (channel?, z, y, x), of pictures (channel, y, x) or (y, x), of series (roi, time), of
    tables (row, column).

    ``matrix``: index (z, y, x, 1) → world, None in index space. ``part``: which of several in one
    file. ``facts``: what may be told of it. ``used``: options that were needed. ``persons``: names
    and numbers of the patient as the header has them, private. ``sparse``: a label map that covers
    only the part of its image where labels are.
    """

    role: Role
    array: npt.NDArray[Any]
    matrix: npt.NDArray[np.float64] | None = None
    part: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[dict[str, str]] = field(default_factory=list)
    used: dict[str, Any] = field(default_factory=dict)
    label_names: dict[str, str] = field(default_factory=dict)
    persons: tuple[str, ...] = ()
    flat: bool = False
    sparse: bool = False

    @property
    def grid(self) -> Grid:
        """Of the last three axes."""
        z, y, x = self.array.shape[-3:]
        return Grid((z, y, x), self.matrix)

    def warn(self, code: str, message: str) -> None:
        self.warnings.append({"code": code, "message": message})


def refuse_size(count: int, options: ReadOptions, where: str) -> None:
    """Raises :class:`TooLarge` before anything of that size is made."""
    if count > options.max_voxels:
        raise TooLarge(
            "the file announces more voxels than are read",
            where=where,
            expected=f"at most {options.max_voxels:,}",
            found=f"{count:,}",
            hint="Crop it, or raise --max-voxels.",
        )


def finished(decoded: Decoded, options: ReadOptions, where: str) -> Decoded:
    """The same with every voxel a number that its kind can hold.

    Raises :class:`NotFinite`, :class:`NotLabels`, :class:`UnsupportedData`.
    """
    array = decoded.array
    if decoded.role == "label" and array.ndim == (3 if decoded.flat else 4):
        raise NotLabels(
            "a label map with channels",
            where=where,
            expected="one number a voxel",
            found=f"{array.shape[0]} channels",
        )
    if array.dtype.kind not in "fiub":
        raise UnsupportedData(
            "voxels are no real numbers",
            where=where,
            found=str(array.dtype),
            expected="whole numbers or floating point",
        )
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype == np.float16 or array.dtype.itemsize > 8:
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    if array.dtype.kind == "f":
        array = _finite(array, decoded, options, where)
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    decoded.array = as_labels(array, where) if decoded.role == "label" else array
    return decoded


def _finite(
    array: npt.NDArray[Any], decoded: Decoded, options: ReadOptions, where: str
) -> npt.NDArray[Any]:
    # The sum is finite only where every term is, but for overflow, which the mask then clears up.
    if np.isfinite(np.sum(array, dtype=np.float64)):
        return array
    bad = ~np.isfinite(array)
    if not bad.any():
        return array
    nan, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    if options.fill_not_finite is None:
        raise NotFinite(
            "voxels without a value",
            where=where,
            expected="finite numbers",
            found=f"{nan} NaN and {infinite} infinite of {array.size}",
            hint="Mend the file, or say what they become: --fill-not-finite 0.",
        )
    filled = np.where(bad, array.dtype.type(options.fill_not_finite), array)
    decoded.used["fill_not_finite"] = options.fill_not_finite
    decoded.facts |= {"nan_voxels": nan, "infinite_voxels": infinite}
    decoded.warn(
        "not-finite", f"{nan} NaN and {infinite} infinite voxels became {options.fill_not_finite:g}"
    )
    return filled


def as_labels(array: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    """The same numbers in the smallest integer type that holds them; NotLabels for others."""
    low, high = (array.min().item(), array.max().item()) if array.size else (0, 0)
    if array.dtype.kind == "f" and not (np.floor(array) == array).all():
        raise NotLabels(
            "a label map with values that are no whole numbers",
            where=where,
            found=f"{np.unique(array[np.floor(array) != array])[:3].tolist()}",
            hint="Probabilities are an image; a resampled label map lost its labels.",
        )
    for dtype in (np.uint8, np.int16, np.uint16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return array.astype(dtype)
    raise NotLabels("labels beyond 32 bits", where=where, found=f"{low:g} to {high:g}")


def whole_if_whole(array: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Scaled values as the smallest whole-number type that holds them all, else float32."""
    if array.size and np.isfinite(array).all() and (np.floor(array) == array).all():
        low, high = array.min(), array.max()
        for dtype in (np.int16, np.uint16, np.int32):
            if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
                return array.astype(dtype)
    return array.astype(np.float32)


def scaled(stored: npt.NDArray[Any], slope: float, intercept: float) -> npt.NDArray[Any]:
    """``slope * stored + intercept``: whole numbers stay whole where both factors are."""
    if slope == 1.0 and intercept == 0.0:
        return stored
    if stored.dtype.kind in "iu" and stored.size and slope.is_integer() and intercept.is_integer():
        ends = [slope * float(stored.min()) + intercept, slope * float(stored.max()) + intercept]
        for dtype in (np.int16, np.uint16, np.int32, np.int64):
            if np.iinfo(dtype).min <= min(ends) and max(ends) < np.iinfo(dtype).max + 1:
                wide = stored.astype(np.int64) if dtype != np.int16 else stored.astype(np.int32)
                wide *= int(slope)
                wide += int(intercept)
                return wide.astype(dtype)
    wide_float = np.float64 if stored.dtype == np.float64 else np.float32
    result: npt.NDArray[Any] = np.multiply(stored, slope, dtype=wide_float)
    np.add(result, intercept, out=result)
    return result


def image_facts(decoded: Decoded) -> Mapping[str, Any]:
    """What planning, tables and checks across subjects look at."""
    from cohortflow.geometry.orientation import orientation

    array = decoded.array
    facts: dict[str, Any] = {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "space": "index" if decoded.matrix is None else "world",
    }
    if decoded.matrix is not None:
        grid = decoded.grid
        facts["spacing_mm"] = [round(float(step), 6) for step in grid.spacing_mm]
        facts["orientation"] = orientation(grid)
        facts["oblique"] = grid.is_oblique
    if decoded.role == "label":
        values = np.unique(array)
        facts["labels"] = values[values != 0][:1024].tolist()
    elif array.size:
        facts["range"] = [float(array.min()), float(array.max())]
    return {**facts, **decoded.facts}
