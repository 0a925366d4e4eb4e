"""Datasets as Zarr v3 groups: explicit codecs, deterministic bytes, plain xarray opens them."""

from __future__ import annotations

import functools
import json
import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from cohortflow.cohort.slabs import CODEC, LEVEL, Slabs
from cohortflow.cohort.storage import Storage
from cohortflow.errors import EntryCorrupt

CHUNK_BYTES = 16 * 2**20
MAX_CHUNK = 2**30
"""Numbers in a chunk that is opened; what compresses them takes at most 2 GiB."""
LARGE_BYTES = 2**20
"""Arrays from here on are packed by us; what is smaller is no work."""
GROUP = "zarr.json"
"""The file of a group that names all its arrays and how to read them."""

OME = "ome"


def encode_arrays(dataset: xr.Dataset, kind: str = "") -> dict[str, bytes]:
    """The files of a Zarr v3 group: name → bytes, the same bytes for the same dataset.

    A group of the kind ``volume`` is an OME-Zarr 0.5 image as well: its attribute ``ome`` says so.

    Blosc zstd 3 with bit shuffle, then a CRC-32C, so that a flipped bit is an error and not a
    voxel. Chunks are those of ``encoding["chunks"]``, else the whole array up to 16 MiB.
    """
    plain = dataset.map(_fixed_width) if _has_text(dataset) else dataset
    plain = plain.assign_coords({name: _fixed_width(plain[name]) for name in plain.coords})
    plain.attrs = dict(dataset.attrs) | _ome(dataset, kind)
    chunks = {str(name): _chunks(dataset[name]) for name in dataset.variables}
    slabs = _slabs(plain, chunks)
    if not slabs:
        return _by_zarr(plain, chunks)
    thin = plain.isel({dim: slice(1) for name in slabs for dim in plain[name].dims})
    files = _by_zarr(thin, chunks | {name: (1,) * plain[name].ndim for name in slabs})
    group, alone = json.loads(files[GROUP]), f"/{GROUP}"
    kept = {n: data for n, data in files.items() if n.split("/")[0] not in slabs}
    for name, layout in slabs.items():
        about = group["consolidated_metadata"]["metadata"][name]
        about["shape"] = list(layout.shape)
        about["chunk_grid"]["configuration"]["chunk_shape"] = list(layout.chunk)
        own = {key: about[key] for key in json.loads(files[name + alone])}
        packed = layout.pack(plain[name].to_numpy(), about["fill_value"])
        kept |= {f"{name}/{key}": data for key, data in packed.items()}
        kept[name + alone] = _as_zarr_writes(own)
    kept[GROUP] = _as_zarr_writes(group)
    return dict(sorted(kept.items()))


def _slabs(dataset: xr.Dataset, chunks: Mapping[str, tuple[int, ...]]) -> Mapping[str, Slabs]:
    """What is large and all that shares a dim with it; nothing where some of that is no slabs."""
    of = {
        str(name): Slabs.of(array.shape, array.dtype, chunks[str(name)])
        for name, array in dataset.variables.items()
    }
    dims = {
        dim
        for name, slabs in of.items()
        if slabs is not None and slabs.nbytes >= LARGE_BYTES
        for dim in dataset[name].dims
    }
    beside = {name: of[name] for name in of if dims & set(dataset[name].dims)}
    found = {name: slabs for name, slabs in beside.items() if slabs is not None}
    return found if len(found) == len(beside) else {}


def _as_zarr_writes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode()


def _by_zarr(plain: xr.Dataset, chunks: Mapping[str, tuple[int, ...]]) -> dict[str, bytes]:
    """The same, all of it by zarr: the reference of what is written faster."""
    from zarr.storage import MemoryStore

    plain = plain.copy()
    for name in plain.variables:
        plain[name].encoding = {}
    store = MemoryStore()
    _silence()
    plain.to_zarr(
        store,
        mode="w-",
        zarr_format=3,
        consolidated=True,
        encoding={name: {"chunks": own, "compressors": _codecs()} for name, own in chunks.items()},
        write_empty_chunks=True,
    )
    return {name: store._store_dict[name].to_bytes() for name in sorted(store._store_dict)}


@functools.cache
def _silence() -> None:
    """Once for the process: what catches warnings for a while does so for other threads as well."""
    # Fixed-length text and consolidated metadata are outside the letter of the v3 specification;
    # both open in zarr-python 3 and xarray.
    warnings.filterwarnings("ignore", message=".*Consolidated metadata")
    warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")


def open_arrays(storage: Storage, path: str) -> xr.Dataset:
    """The group as lazily read numpy arrays (no Dask graph)."""
    from cohortflow.cohort.stored_arrays import open_group

    dataset: xr.Dataset = xr.open_dataset(open_group(storage, path), chunks=None)
    dataset.attrs.pop(OME, None)  # of the group, not of what a stage makes of it
    return dataset


def _ome(dataset: xr.Dataset, kind: str) -> dict[str, Any]:
    if kind != "volume":
        return {}
    from cohortflow.geometry import Grid, ome_multiscales

    image = dataset["image"]
    grid = Grid.from_attributes(image.shape, dataset.attrs)
    return {OME: ome_multiscales(grid, [str(dim) for dim in image.dims], {"image": (1, 1, 1)})}


def refuse_absurd(group: bytes, files: int, where: str) -> None:
    """Raises :class:`EntryCorrupt` for arrays of more chunks than files, or of giant ones."""
    try:
        arrays = json.loads(group)["consolidated_metadata"]["metadata"].values()
        for array in arrays:
            if array["node_type"] != "array":
                continue
            chunk = array["chunk_grid"]["configuration"]["chunk_shape"]
            count = math.prod(-(-n // c) for n, c in zip(array["shape"], chunk, strict=True))
            if count > files or math.prod(chunk) > MAX_CHUNK or min(array["shape"], default=0) < 0:
                raise ValueError(f"{count} chunks of {chunk} in {files} files")
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise EntryCorrupt(
            "what describes the arrays cannot be", where=where, found=str(error)[:200]
        ) from error


def default_chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The whole array, halved along its leading axes until a chunk is at most 16 MiB."""
    chunks = [max(1, n) for n in shape]
    axis = 0
    while axis < len(chunks) and int(np.prod(chunks)) * itemsize > CHUNK_BYTES:
        if chunks[axis] == 1:
            axis += 1
        else:
            chunks[axis] = -(-chunks[axis] // 2)
    return tuple(chunks)


def _chunks(array: xr.DataArray) -> tuple[int, ...]:
    given = array.encoding.get("chunks")
    itemsize = array.dtype.itemsize if array.dtype.kind != "O" else 64
    return tuple(given) if given else default_chunks(array.shape, itemsize)


def _codecs() -> tuple[Any, ...]:
    from zarr.codecs import BloscCodec, Crc32cCodec

    return (BloscCodec(cname=CODEC, clevel=LEVEL, shuffle="bitshuffle"), Crc32cCodec())


def _has_text(dataset: xr.Dataset) -> bool:
    return any(dataset[name].dtype.kind in "OT" for name in dataset.data_vars)


def _fixed_width(array: xr.DataArray) -> xr.DataArray:
    if array.dtype.kind not in "OT":
        return array
    return array.astype(str)
