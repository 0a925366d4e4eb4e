"""Looks for planted texts byte for byte, and in what is packed, as it is unpacked."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def found(folders: Iterable[Path], canaries: Mapping[str, str], *, but: str = "") -> list[str]:
    """``file: what`` of every canary in files, their names and what they hold packed.

    ``but``: part of the paths that may hold them (the private source map).
    """
    places = []
    for folder in folders:
        assert folder.exists(), folder
        for path in [folder, *folder.rglob("*")]:
            if but and but in path.as_posix():
                continue
            texts = [path.relative_to(folder).as_posix().encode()]
            if path.is_file():
                texts += list(_contents(path))
            places += [f"{path}: {what}" for what in told(texts, canaries)]
    return places


def told(texts: Iterable[bytes | str], canaries: Mapping[str, str]) -> list[str]:
    """Which canaries stand in one of the texts, in any case, plainly or in two bytes a letter."""
    whole = b"\n".join(t.encode() if isinstance(t, str) else t for t in texts).lower()
    return [
        what
        for what, text in canaries.items()
        if text.lower().encode() in whole or text.lower().encode("utf-16-le") in whole
    ]


def _contents(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    if data[:4] == b"PAR1":
        yield _parquet(path)
    if data[:15] == b"SQLite format 3":
        yield from _rows(path)
    if path.name == "zarr.json" and path.parent.name == "arrays":
        yield _arrays(path.parent)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        yield from _packed_texts(data)


def _parquet(path: Path) -> bytes:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    return (str(table.schema.metadata) + json.dumps(table.to_pydict(), default=str)).encode()


def _rows(path: Path) -> Iterator[bytes]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
        names = [
            row[0] for row in base.execute("select name from sqlite_master where type='table'")
        ]
        for name in names:
            for row in base.execute(f'select * from "{name}"'):
                yield repr(row).encode()


def _arrays(folder: Path) -> bytes:
    import xarray as xr

    with xr.open_zarr(folder, chunks=None) as dataset:
        texts = [str(dataset.attrs), str(dataset)]
        texts += [str(v.attrs) for v in dataset.variables.values()]
        texts += [
            str(v.values.tolist()) for v in dataset.variables.values() if v.dtype.kind in "SU"
        ]
        return "\n".join(texts).encode()


def _packed_texts(data: bytes) -> Iterator[bytes]:
    at = data.find(b"zTXt")
    while at >= 0:
        start = data.index(b"\0", at) + 2
        yield zlib.decompressobj().decompress(data[start:])
        at = data.find(b"zTXt", at + 4)
