"""Series of a 4-D BOLD image: the mean of each volume over a sphere around every coordinate."""

from __future__ import annotations

import gzip
import itertools
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from cohortflow.errors import (
    EmptyInput,
    MissingValues,
    SeriesTooShort,
    TruncatedFile,
    UnreadableFile,
    UsageError,
)
from cohortflow.geometry import Grid, grid_from_nifti, require_agreement
from cohortflow.sources.atlases import Atlas
from cohortflow.sources.images.streams import (
    FAULTS,
    broken,
    fill_next,
    refuse_rest,
    refuse_short,
)
from cohortflow.sources.roi_series import MIN_SAMPLES, RoiSeries

RADIUS_MM = 5.0
# Headers hold affines in single precision: a voxel on the radius must not hang on its last bit.
_ON_RADIUS_MM = 1e-4
MAX_VOLUME_BYTES = 2 * 2**30
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}


def read_sphere_means(
    path: Path | str,
    atlas: Atlas,
    *,
    mask: Path | None = None,
    radius_mm: float = RADIUS_MM,
    where: str = "",
) -> RoiSeries:
    """Mean series over spheres of an image in the space of the atlas (MNI, RAS+ mm).

    A voxel belongs to a sphere when its centre lies within ``radius_mm`` of the coordinate and,
    where there is a mask, inside it; voxels that are NaN in every volume count as outside. A sphere
    without a voxel gives a series of zeros, and so an invalid region. One volume is held at a time.

    Raises :class:`UnreadableFile`, :class:`TruncatedFile`, :class:`SeriesTooShort`,
    :class:`MissingValues`, :class:`GeometryMismatch` (mask on another grid).
    """
    path = Path(path)
    where = where or path.name
    if atlas.xyz_mm is None:
        raise UsageError("sphere means need an atlas with coordinates", where=atlas.name)
    image = load_image(path, where)
    if len(image.shape) != 4:
        raise UnreadableFile(
            "the image is no series of volumes",
            where=where,
            expected="4 dims (x, y, z, time)",
            found=str(image.shape),
        )
    if image.shape[3] < MIN_SAMPLES:
        raise SeriesTooShort(
            f"the series has {image.shape[3]} volumes",
            where=where,
            expected=f"at least {MIN_SAMPLES}",
            found=str(image.shape[3]),
        )
    affine = np.asarray(image.affine, dtype=np.float64)
    allowed = None if mask is None else _read_mask(mask, image, where)
    spheres = [
        sphere_voxels(centre, affine, image.shape[:3], radius_mm, allowed)
        for centre in atlas.xyz_mm
    ]
    return RoiSeries(_means(path, image, _Spheres.of(spheres), atlas.labels, where), atlas.labels)


def load_image(path: Path, where: str) -> Any:
    """A NIfTI image whose voxels are read only where asked."""
    import nibabel

    if path.is_file() and path.stat().st_size == 0:
        raise EmptyInput("the file is empty", where=where)
    try:
        image: Any = nibabel.load(path, keep_file_open=True)
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(error, where) from error
    except (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        ValueError,
    ) as error:
        raise UnreadableFile("not a NIfTI image", where=where) from error
    if not isinstance(image, nibabel.Nifti1Image):
        raise UnreadableFile("not a NIfTI image", where=where, found=type(image).__name__)
    volume = math.prod(image.shape[:3]) * 8
    if volume > MAX_VOLUME_BYTES or min(image.shape) < 1:
        raise UnreadableFile("impossible dims", where=where, found=str(image.shape))
    _refuse_size(path, image, where)
    _grid(image, where)
    return image


def _refuse_size(path: Path, image: Any, where: str) -> None:
    """Before anything is read: a file that is too short for what it announces, or bomb."""
    size, needed = path.stat().st_size, math.prod(image.shape) * image.get_data_dtype().itemsize
    if path.name.lower().endswith(".gz"):
        refuse_short(size, needed, where)
    elif size < needed:
        raise _broken(EOFError(), where)


def _grid(image: Any, where: str) -> Grid:
    return grid_from_nifti(image.shape, image.affine, where=where)


def header_repetition_time(image: Any) -> float:
    """Seconds between volumes by the header, NaN where it has none."""
    zooms = image.header.get_zooms()
    try:
        unit = image.header.get_xyzt_units()[1]
    except KeyError:  # a code that the format does not know
        return math.nan
    seconds = float(zooms[3]) * _SECONDS.get(unit, 0.0) if len(zooms) > 3 else 0.0
    return seconds if seconds > 0 else math.nan


def sphere_voxels(
    centre_mm: np.ndarray,
    affine: np.ndarray,
    shape: tuple[int, ...],
    radius_mm: float,
    allowed: Any = None,
) -> np.ndarray:
    """Flat (C-order) indices of the voxels whose centres lie within the radius, in world mm."""
    inverse = np.linalg.inv(affine)
    middle = inverse[:3, :3] @ centre_mm + inverse[:3, 3]
    reach = radius_mm * np.linalg.norm(inverse[:3, :3], axis=1)
    low = np.maximum(np.floor(middle - reach).astype(int), 0)
    high = np.minimum(np.ceil(middle + reach).astype(int) + 1, shape)
    if (low >= high).any():
        return np.empty(0, dtype=np.int64)
    box = np.array(list(itertools.product(*(range(a, b) for a, b in zip(low, high, strict=True)))))
    world = box @ affine[:3, :3].T + affine[:3, 3]
    inside = np.linalg.norm(world - centre_mm, axis=1) <= radius_mm + _ON_RADIUS_MM
    flat = np.asarray(np.ravel_multi_index(tuple(box[inside].T), shape), dtype=np.int64)
    return flat if allowed is None else flat[allowed[flat]]


@dataclass(frozen=True)
class _Spheres:
    """``voxels``: all that are needed; members of sphere r: ``member[offset[r]:offset[r + 1]]``."""

    voxels: np.ndarray
    member: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(cls, spheres: list[np.ndarray]) -> _Spheres:
        voxels, member = np.unique(np.concatenate(spheres), return_inverse=True)
        return cls(voxels, member, np.cumsum([0, *(len(sphere) for sphere in spheres)]))


def _means(
    path: Path, image: Any, spheres: _Spheres, labels: tuple[str, ...], where: str
) -> np.ndarray:
    samples = np.empty((image.shape[3], len(spheres.voxels)))
    for time, volume in enumerate(_volumes(path, image, where)):
        samples[time] = volume.reshape(-1)[spheres.voxels]
    finite = np.isfinite(samples)
    outside = np.logical_not(finite.any(axis=0))
    means = np.zeros((len(labels), image.shape[3]))
    for region, label in enumerate(labels):
        columns = spheres.member[spheres.offset[region] : spheres.offset[region + 1]]
        columns = columns[~np.take(outside, columns)]
        if not len(columns):
            continue
        if not finite[:, columns].all():
            time = int(np.argwhere(~finite[:, columns])[0, 0])
            raise MissingValues(
                f"NaN or infinity in region {label!r} at time point {time}",
                where=where,
                expected="finite voxels",
            )
        means[region] = samples[:, columns].mean(axis=1)
    return means


def _volumes(path: Path, image: Any, where: str) -> Iterator[np.ndarray]:
    """Each volume (x, y, z) float64 in turn; then the file must end as well, and its sum fit."""
    from isal import igzip
    from nibabel.volumeutils import apply_read_scaling

    voxels = image.dataobj
    stored = np.empty(image.shape[:3], voxels.dtype, order="F")
    opened: Any = igzip.open if path.name.lower().endswith(".gz") else open
    try:
        with cast(BinaryIO, opened(path, "rb")) as file:
            fill_next(file, np.empty(int(voxels.offset), np.uint8), where)
            for _ in range(image.shape[3]):
                fill_next(file, stored, where)
                scaled = apply_read_scaling(stored, voxels.slope, voxels.inter)
                yield np.asarray(scaled, dtype=np.float64)
            refuse_rest(file, where)
    except FAULTS as error:
        raise broken(error, where) from error


def _broken(error: Exception, where: str) -> TruncatedFile | UnreadableFile:
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return UnreadableFile("the file cannot be opened", where=where, found=str(error.strerror))
    if isinstance(error, gzip.BadGzipFile | zlib.error):
        return UnreadableFile("the file cannot be decompressed", where=where)
    return TruncatedFile(
        "the image ends too early",
        where=where,
        expected="as many voxels as its header says",
        hint="Copy or download it again.",
    )


def _read_mask(path: Path, image: Any, where: str) -> np.ndarray:
    mask = load_image(path, where)
    require_agreement(_grid(image, where), _grid(mask, where), "the brain mask", where)
    try:
        return np.asarray(np.asarray(mask.dataobj).reshape(-1) > 0)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _broken(error, where) from error
