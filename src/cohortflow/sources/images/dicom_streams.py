"""What compressed frames say of themselves: it must be what the header says, before any is decoded.

Decoders believe the stream. One of another size takes the memory and time that it claims, and one
of other channels becomes an image that nobody took.

Source: ITU-T T.81, B.2.2 (JPEG frame header); T.87, C.2.2 (JPEG-LS); T.800, A.5.1 (JPEG 2000 SIZ).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from cohortflow.errors import BadHeader, TruncatedFile

_JPEG = ("1.2.840.10008.1.2.4.5", "1.2.840.10008.1.2.4.7", "1.2.840.10008.1.2.4.8")
_JPEG_2000 = "1.2.840.10008.1.2.4.9"
_START = b"\xff\x4f\xff\x51"
_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}

Size = tuple[int, int, int]
"""Rows, columns, samples."""


def refuse_other_streams(full: Any, syntax: str, size: Size, frames: int, where: str) -> None:
    """Raises :class:`BadHeader`, :class:`TruncatedFile` for frames that are not of that size."""
    if not syntax.startswith((*_JPEG, _JPEG_2000)):
        return
    read = _of_jpeg_2000 if syntax.startswith(_JPEG_2000) else _of_jpeg
    for stream in _streams(full.PixelData, frames, where):
        found = read(stream)
        if found is None:
            raise TruncatedFile(
                "a compressed frame without its header",
                where=where,
                expected="a frame of the compression that the file names",
            )
        if found != size:
            raise BadHeader(
                "a compressed frame is of another size than the header says",
                where=where,
                expected="{} × {} of {}".format(*size),
                found="{} × {} of {}".format(*found),
            )


def _streams(data: bytes, frames: int, where: str) -> Iterator[bytes]:
    from pydicom.encaps import generate_frames

    try:
        yield from generate_frames(data, number_of_frames=frames)
    except (ValueError, struct.error, EOFError) as error:
        raise TruncatedFile("fragments that are no compressed frames", where=where) from error


def _of_jpeg(stream: bytes) -> Size | None:
    at = 2
    while stream[:2] == b"\xff\xd8" and at + 4 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker in _ALONE or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_HEADERS:
            if at + 10 > len(stream):
                return None
            rows, columns, samples = struct.unpack_from(">HHB", stream, at + 5)
            return rows, columns, samples
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return None


def _codestream(stream: bytes) -> int | None:
    """Where its beginning and the SIZ that must follow stand; some wrap it in the boxes of a JP2.

    A box of no length is walked for ever by the library that decodes.
    """
    at = 0
    while not stream.startswith(_START, at):
        if at + 8 > len(stream):
            return None
        length, kind = struct.unpack_from(">I4s", stream, at)
        if kind != b"jp2c" and length < 8:
            return None
        at += 8 if kind == b"jp2c" else length
    return at


def _of_jpeg_2000(stream: bytes) -> Size | None:
    at = _codestream(stream)
    if at is None or at + 42 > len(stream):
        return None
    x_end, y_end, x_start, y_start = struct.unpack_from(">4I", stream, at + 8)
    (samples,) = struct.unpack_from(">H", stream, at + 40)
    return y_end - y_start, x_end - x_start, samples
