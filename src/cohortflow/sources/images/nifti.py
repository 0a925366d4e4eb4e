"""NIfTI-1 and NIfTI-2, plain or gzip: the header checked, then exactly the voxels it announces."""

from __future__ import annotations

import math
import os
from contextlib import closing
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from cohortflow.errors import (
    BadHeader,
    TruncatedFile,
    UnreadableFile,
    UnsupportedData,
)
from cohortflow.geometry import (
    array_from_nifti,
    farthest_apart_mm,
    grid_from_nifti,
    nifti_millimetres,
)
from cohortflow.sources.images.assumed import assumed_place
from cohortflow.sources.images.decoded import Decoded, Request, finished, refuse_size, scaled
from cohortflow.sources.images.streams import FAULTS, broken, fill, refuse_short
from cohortflow.sources.images.times import chosen_time

_HEADER_BYTES = {348: 348, 540: 540}
_MAX_EXTENSIONS = 16 * 2**20


def read_nifti(request: Request) -> list[Decoded]:
    """One image or label map of one file.

    ``sform`` is taken before ``qform``, and a warning says where both are coded and differ. Scale
    and intercept are applied, but for NaN ones, which mean none. Raises the InputError of what is
    wrong.
    """
    path, where = request.files[0], request.where
    size = os.path.getsize(path)
    with closing(_open(path)) as file:
        try:
            header = _header(file, where)
            shape, dtype = _shape(header, where), _dtype(header, where)
            count = math.prod(shape)
            refuse_size(count, request.options, where)
            if path.lower().endswith(".gz"):
                refuse_short(size, count * dtype.itemsize, where)
            stored = np.empty(shape, dtype, order="F")
            fill(file, stored, where)
        except FAULTS as error:
            raise broken(error, where) from error
    decoded = Decoded(request.role, np.empty(0))
    stored = _one_time(stored, request, decoded)
    _place(decoded, header, stored.shape, request)
    decoded.array = _scaled(array_from_nifti(stored), header, where)
    return [finished(decoded, request.options, where)]


def _open(path: str) -> BinaryIO:
    if not path.lower().endswith(".gz"):
        return open(path, "rb")
    from isal import igzip

    return cast(BinaryIO, igzip.open(path, "rb"))  # type: ignore[no-untyped-call]


def _header(file: BinaryIO, where: str) -> Any:
    import nibabel
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    first = _exactly(file, 4, where)
    length = next(
        (n for n in _HEADER_BYTES if n in (_int(first, "little"), _int(first, "big"))), None
    )
    if length is None:
        raise UnreadableFile(
            "the file is no NIfTI",
            where=where,
            expected="a header of 348 or 540 bytes",
            found=f"{_int(first, 'little')}",
            hint="Is its name right?",
        )
    raw = first + _exactly(file, length - 4, where)
    kind = nibabel.Nifti1Header if length == 348 else nibabel.Nifti2Header
    try:
        header = kind(raw, check=False)  # type: ignore[no-untyped-call]
    except (HeaderDataError, WrapStructError, ValueError) as error:
        raise BadHeader("the header cannot be read", where=where, found=str(error)) from error
    if _int(first, "little" if header.endianness == "<" else "big") != length:
        raise BadHeader("the header has two orders of bytes", where=where)
    magic = bytes(header["magic"].item())[:3]
    if magic not in (b"n+1", b"n+2"):
        raise UnsupportedData(
            "the file is no NIfTI with its voxels inside",
            where=where,
            expected="n+1 or n+2 as its magic",
            found=repr(magic.decode("ascii", "replace")),
            hint="A pair of .hdr and .img is not read: convert it to one .nii.gz.",
        )
    offset = float(header["vox_offset"])
    if not (length + 4 <= offset <= length + 4 + _MAX_EXTENSIONS and offset.is_integer()):
        raise BadHeader(
            "the voxels begin where they cannot",
            where=where,
            expected=f"a vox_offset from {length + 4}",
            found=f"{offset:g}",
        )
    _exactly(file, int(offset) - length, where)  # extensions: free text, not looked at
    return header


def _int(raw: bytes, order: Any) -> int:
    return int.from_bytes(raw, order)


def _shape(header: Any, where: str) -> tuple[int, ...]:
    dims = [int(n) for n in header["dim"]]
    axes = dims[0]
    if not 1 <= axes <= 7 or any(n < 1 for n in dims[1 : axes + 1]):
        raise BadHeader(
            "the sizes of the axes cannot be",
            where=where,
            expected="1 to 7 axes of at least 1",
            found=str(dims),
        )
    shape = dims[1 : axes + 1]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) < 3:
        raise UnsupportedData(
            "an image of fewer than three axes", where=where, found=str(tuple(shape))
        )
    return tuple(shape)


def _dtype(header: Any, where: str) -> np.dtype[Any]:
    from nibabel.spatialimages import HeaderDataError

    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        code = int(header["datatype"])
        raise BadHeader("no such type of voxel", where=where, found=f"datatype {code}") from error
    if (dtype.names is None and dtype.kind not in "fiu") or dtype.itemsize == 0:
        raise UnsupportedData("voxels are no real numbers", where=where, found=str(dtype))
    if dtype.itemsize * 8 != int(header["bitpix"]):
        raise BadHeader(
            "bitpix is at odds with the type of voxel",
            where=where,
            expected=f"{dtype.itemsize * 8}",
            found=f"{int(header['bitpix'])}",
        )
    return dtype


def _exactly(file: BinaryIO, count: int, where: str) -> bytes:
    raw = file.read(count)
    if len(raw) < count:
        raise TruncatedFile(
            "the file ends inside its header",
            where=where,
            expected=f"{count} bytes more",
            found=f"{len(raw)}",
            hint="Copy or download it again.",
        )
    return raw


def _one_time(stored: npt.NDArray[Any], request: Request, decoded: Decoded) -> npt.NDArray[Any]:
    if stored.ndim == 3:
        return stored
    times = math.prod(stored.shape[3:])
    chosen = chosen_time(times, stored.shape, request, decoded)
    return stored.reshape((*stored.shape[:3], times), order="F")[..., chosen]


def _place(decoded: Decoded, header: Any, shape: tuple[int, ...], request: Request) -> None:
    where = request.where
    unit = _unit(header, where)
    sform, qform = _affine(header, "sform", where), _affine(header, "qform", where)
    chosen = sform if sform is not None else qform
    if chosen is not None:
        grid = grid_from_nifti(shape, chosen, unit, where)
        decoded.matrix = grid.index_to_world
        if sform is not None and qform is not None:
            other = grid_from_nifti(shape, qform, unit, where)
            apart = farthest_apart_mm(grid, other)
            if apart > 0.01 * min(grid.spacing_mm):
                decoded.warn(
                    "qform-differs",
                    f"sform and qform place voxels up to {apart:.6g} mm apart; sform was taken",
                )
        return
    mm = nifti_millimetres(unit, where)
    spacing = tuple(mm * float(n) for n in header["pixdim"][3:0:-1])
    i, j, k = shape
    decoded.matrix = assumed_place(
        spacing, (k, j, i), decoded, request, "a coded sform or qform; both codes are 0"
    )


def _unit(header: Any, where: str) -> str:
    try:
        return str(header.get_xyzt_units()[0])
    except KeyError as error:
        code = int(header["xyzt_units"])
        raise BadHeader("no such unit of length", where=where, found=f"code {code}") from error


def _affine(header: Any, which: str, where: str) -> npt.NDArray[np.float64] | None:
    from nibabel.spatialimages import HeaderDataError

    try:
        affine = getattr(header, f"get_{which}")(coded=True)[0]
    except (HeaderDataError, ValueError, np.linalg.LinAlgError) as error:
        raise BadHeader(f"the {which} cannot be", where=where, found=str(error)) from error
    return None if affine is None else np.asarray(affine, np.float64)


def _scaled(array: npt.NDArray[Any], header: Any, where: str) -> npt.NDArray[Any]:
    if array.dtype.names is not None:
        colours = [name for name in array.dtype.names if name.upper() in "RGB"]
        return np.stack([array[name] for name in colours])
    slope, intercept = (float(header[name]) for name in ("scl_slope", "scl_inter"))
    if not math.isfinite(slope) or slope == 0.0:
        return array
    if not math.isfinite(intercept):
        raise BadHeader("the intercept is no number", where=where, found=f"{intercept}")
    return scaled(array, slope, intercept)
