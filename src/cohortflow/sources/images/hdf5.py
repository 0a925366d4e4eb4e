"""HDF5 (.h5, .hdf5, .npy.h5): datasets whose every byte stands in the file itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cohortflow.errors import (
    DecompressionBomb,
    OutsideSource,
    TruncatedFile,
    UnreadableFile,
    UnsupportedData,
)
from cohortflow.sources.images.arrays import Stored, part_names, read_arrays, refuse_array
from cohortflow.sources.images.decoded import Decoded, Request, refuse_size

# deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf: any other would be a plugin.
_FILTERS = {1, 2, 3, 4, 5, 6, 32000}
_FILTER_OVERHEAD = 2**12


def read_hdf5(request: Request) -> list[Decoded]:
    """See :func:`~cohortflow.sources.images.arrays.read_arrays`.

    Links, virtual datasets and external storage are refused, and so are chunks that were never
    written.
    """
    return read_arrays(request, _opened)


@contextmanager
def _opened(path: str, request: Request) -> Iterator[Mapping[str, Stored]]:
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            names = part_names([name for name in file if _may_be_one(file, name)], request)
            yield {part: _stored(file, name, request) for part, name in names.items()}
    except OSError as error:
        if "truncated" in str(error):
            raise TruncatedFile(
                "the file ends too early", where=request.where, hint="Copy or download it again."
            ) from error
        raise UnreadableFile(
            "the file is no HDF5, or damaged",
            where=request.where,
            hint="Copy or download it again.",
        ) from error


def _may_be_one(file: Any, name: str) -> bool:
    """Whether it is a dataset, or a link, which is refused only where its name asks for it."""
    import h5py

    link = file.get(name, getlink=True)
    return not isinstance(link, h5py.HardLink) or file.get(name, getclass=True) is h5py.Dataset


def _stored(file: Any, name: str, request: Request) -> Stored:
    import h5py

    where = request.where
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise OutsideSource("a link where an array is expected", where=where, expected="a dataset")
    dataset = file[name]
    if dataset.is_virtual or dataset.external:
        raise OutsideSource(
            "an array whose values stand in other files",
            where=where,
            expected="one that the file itself holds",
        )
    shape = tuple(int(size) for size in dataset.shape or ())
    refuse_array(shape, dataset.dtype, request)
    _refuse_filters(dataset, where)
    if dataset.chunks is None:
        _refuse_gap(dataset.id.get_storage_size(), dataset.nbytes, "bytes", where)
    else:
        _refuse_chunks(dataset, request)
    return Stored(shape, dataset.dtype, lambda: dataset[()])


def _refuse_filters(dataset: Any, where: str) -> None:
    made = dataset.id.get_create_plist()
    found = {made.get_filter(at)[0] for at in range(made.get_nfilters())}
    if not found <= _FILTERS:
        raise UnsupportedData(
            "an array compressed by a plugin",
            where=where,
            expected="gzip, lzf or none",
            found=f"filter {min(found - _FILTERS)}",
            hint="Write it with gzip.",
        )


def _refuse_chunks(dataset: Any, request: Request) -> None:
    chunk = dataset.chunks
    refuse_size(math.prod(chunk), request.options, request.where)
    whole = math.prod(chunk) * dataset.dtype.itemsize
    sizes: list[int] = []
    dataset.id.chunk_iter(lambda info: sizes.append(info.size))
    if max(sizes, default=0) > whole + whole // 64 + _FILTER_OVERHEAD:
        raise DecompressionBomb(
            "a compressed piece that is longer than what it should become",
            where=request.where,
            expected=f"at most {whole} bytes",
            found=str(max(sizes)),
        )
    needed = math.prod(math.ceil(n / c) for n, c in zip(dataset.shape, chunk, strict=True))
    _refuse_gap(len(sizes), needed, "chunks", request.where)


def _refuse_gap(found: int, needed: int, what: str, where: str) -> None:
    # HDF5 would give its fill value, as if somebody had measured it.
    if found < needed:
        raise TruncatedFile(
            "an array that was never written whole",
            where=where,
            expected=f"{needed} {what}",
            found=str(found),
        )
