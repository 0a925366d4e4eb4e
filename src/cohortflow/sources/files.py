"""Bytes of source files, read with bounds: what is outside is hostile until it has been read."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable
from pathlib import Path

from cohortflow.errors import DecompressionBomb, EmptyInput, TooLarge, TruncatedFile, UnreadableFile

MAX_BYTES = 512 * 2**20
"""Largest table or series that is held in memory, after decompression."""

_CHUNK = 2**20
_SMALL_BYTES = 2**26
_LIKELY_GROWTH = 200


def stem(name: str, suffixes: Iterable[str]) -> str:
    """File name without its extensions: ``a.b.1D.gz`` of the known ``.1D.gz`` becomes ``a.b``."""
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.lower().endswith(suffix.lower()) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return Path(name).stem


def read_bytes(path: Path, where: str, limit: int = MAX_BYTES) -> bytes:
    """Whole file, decompressed where its name ends in ``.gz``.

    Raises :class:`EmptyInput`, :class:`TruncatedFile` (gzip without its end) and
    :class:`UnreadableFile` (no such file, no permission, not gzip, damaged), :class:`TooLarge`
    (above ``limit``) and :class:`DecompressionBomb`.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise UnreadableFile(
            "the file cannot be opened", where=where, found=error.strerror or type(error).__name__
        ) from error
    if not raw:
        raise EmptyInput("the file is empty", where=where, expected="numbers", found="0 bytes")
    data = _gunzip(raw, where, limit) if path.name.lower().endswith(".gz") else raw
    if len(data) > limit:
        raise TooLarge(
            "the file is too large to be a table",
            where=where,
            expected=f"at most {limit // 2**20} MiB after decompression",
            found="more",
        )
    if not data.strip():
        raise EmptyInput("the file holds nothing", where=where, expected="numbers")
    return data


def _gunzip(raw: bytes, where: str, limit: int) -> bytes:
    likely = min(limit, max(_SMALL_BYTES, _LIKELY_GROWTH * len(raw)))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            data = file.read(likely + 1)
    except EOFError as error:
        raise TruncatedFile(
            "the compressed file ends too early",
            where=where,
            expected="a gzip stream with its end",
            found=f"{len(raw)} bytes without one",
            hint="Copy or download it again.",
        ) from error
    except (OSError, zlib.error) as error:
        raise UnreadableFile(
            "the file cannot be decompressed",
            where=where,
            expected="gzip, as its name says",
            found="other or damaged bytes",
            hint="Copy or download it again, or take away the .gz of a plain file's name.",
        ) from error
    if likely < len(data) <= limit:
        raise DecompressionBomb(
            "the compressed file grows beyond what text does",
            where=where,
            expected=f"at most {likely} bytes of {len(raw)}",
            found="more",
        )
    return data


def read_text(path: Path, where: str, limit: int = MAX_BYTES) -> str:
    """Text of a file, UTF-8 with or without a byte-order mark."""
    return decode(read_bytes(path, where, limit), where)


def decode(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            "the file is not text", where=where, expected="UTF-8", found=f"byte {error.start}"
        ) from error
    if "\0" in text:
        raise UnreadableFile("the file is not text", where=where, found="NUL bytes")
    return text


def file_digest(paths: Iterable[Path], where: str) -> str:
    """SHA-256 of a file's bytes; of several, that of their digests in the order given."""
    digests = []
    for path in paths:
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise UnreadableFile(
                "the file cannot be opened",
                where=where,
                found=error.strerror or type(error).__name__,
            ) from error
        digests.append(digest.hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
