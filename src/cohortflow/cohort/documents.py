"""JSON documents of the store: one canonical spelling, faults named, numbered and exclusive."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterable
from typing import Any

from cohortflow.cohort.storage import Storage
from cohortflow.errors import AlreadyExists, EntryCorrupt

_SMALL_BYTES = 2**26
_LIKELY_GROWTH = 200


def encode(document: Any) -> bytes:
    """Canonical JSON: same content, same bytes."""
    return json.dumps(
        document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def encode_gzip(document: Any) -> bytes:
    return gzip.compress(encode(document), compresslevel=5, mtime=0)


def digest(document: Any) -> str:
    """sha256 of the canonical JSON, 64 hex digits."""
    return hashlib.sha256(encode(document)).hexdigest()


def decode(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object in ``data``; EntryCorrupt names the file when it is empty or truncated."""
    try:
        if data[:2] == b"\x1f\x8b":
            data = _unzipped(data)
        document = json.loads(data)
    except (ValueError, EOFError, OSError, zlib.error, RecursionError) as error:
        raise EntryCorrupt(
            "a record cannot be read",
            where=where,
            expected="one JSON object",
            found="an empty file" if not data else str(error),
            hint="Run 'cohortflow fsck'; a damaged record can be deleted, its unit runs again.",
        ) from error
    if not isinstance(document, dict):
        raise EntryCorrupt("a record is no JSON object", where=where, found=type(document).__name__)
    return document


def _unzipped(data: bytes) -> bytes:
    limit = max(_SMALL_BYTES, _LIKELY_GROWTH * len(data))
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        plain = file.read(limit + 1)
    if len(plain) > limit:
        raise ValueError(f"more than {limit} bytes in {len(data)}")
    return plain


def read_document(storage: Storage, path: str) -> dict[str, Any]:
    return decode(storage.read(path), f"{storage.url}/{path}")


def numbers(storage: Storage, folder: str) -> list[int]:
    """The numbers of the documents or folders in ``folder`` (``000001…``), ascending."""
    return numbers_in(storage.list(folder))


def numbers_in(names: Iterable[str]) -> list[int]:
    """The numbers among names already listed."""
    found = {name.split(".", 1)[0] for name in names}
    return sorted(int(name) for name in found if len(name) == 6 and name.isdigit())


def create_numbered(
    storage: Storage, folder: str, suffix: str, data: bytes, *, at_least: int = 1
) -> int:
    """Create ``<folder>/<next number><suffix>`` exclusively and return the number."""
    taken = numbers(storage, folder)
    number = max([*taken, at_least - 1]) + 1
    while True:
        try:
            storage.create(f"{folder}/{number:06d}{suffix}", data)
        except AlreadyExists:
            number += 1
        else:
            return number
