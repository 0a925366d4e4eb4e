"""Headers of lines of text: numbers that are numbers, and the file beside that they may name.

No word of a header is quoted in an error: it may be a name. Numbers are.
"""

from __future__ import annotations

import os
import re
import stat

from cohortflow.errors import BadHeader, MissingInput, OutsideSource, TruncatedFile
from cohortflow.sources.images.decoded import Request

MAX_BYTES = 2**20
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_REAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,4})?|[-+]?(nan|inf)", re.I)
_PERSONAL = re.compile(r"0010[|,]?00(10|20)|patient[ _]?(name|id)", re.I)


def lines_of(raw: bytes) -> list[str]:
    """Without their ends; bytes that are no UTF-8 are replaced."""
    return [line.rstrip("\r") for line in raw.decode("utf-8", "replace").split("\n")]


def refuse_endless(raw: bytes, where: str) -> None:
    """Raises for a header of which the first mebibyte has no end."""
    if len(raw) >= MAX_BYTES:
        raise BadHeader(
            "the header does not end", where=where, expected=f"an end within {MAX_BYTES} bytes"
        )
    raise TruncatedFile(
        "the file ends inside its header",
        where=where,
        found=f"{len(raw)} bytes",
        hint="Copy or download it again.",
    )


def whole_numbers(text: str, count: int, name: str, where: str) -> tuple[int, ...]:
    """``count`` of them (any number for 0); raises :class:`BadHeader`."""
    words = text.split()
    if (count and len(words) != count) or not all(map(_WHOLE.fullmatch, words)):
        raise BadHeader(
            f"{name} is not what it should be",
            where=where,
            expected=f"{count or 'some'} whole numbers",
            found=f"{len(words)} words",
        )
    return tuple(int(word) for word in words)


def real_numbers(words: list[str], count: int, name: str, where: str) -> tuple[float, ...]:
    """``count`` of them, NaN and infinity too; raises :class:`BadHeader`."""
    if len(words) != count or not all(_REAL.fullmatch(word) for word in words):
        raise BadHeader(
            f"{name} is not what it should be",
            where=where,
            expected=f"{count} numbers",
            found=f"{len(words)} words",
        )
    return tuple(float(word) for word in words)


def sizes_of(text: str, axes: int, where: str) -> tuple[int, ...]:
    """Of every axis, all at least 1."""
    sizes = whole_numbers(text, axes, "the sizes", where)
    if min(sizes) < 1:
        raise BadHeader(
            "the sizes of the axes cannot be", where=where, expected="at least 1", found=str(sizes)
        )
    return sizes


def persons_of(pairs: dict[str, str]) -> tuple[str, ...]:
    """Names and numbers of patients among the free text that converters from DICOM copy."""
    return tuple(
        value for key, value in pairs.items() if value and _PERSONAL.fullmatch(key.strip())
    )


def beside(name: str, request: Request) -> str:
    """Path of the data file that a header names.

    It is a plain name in the header's folder, and no link out of the source. Raises
    :class:`OutsideSource`, :class:`MissingInput`.
    """
    folder = os.path.dirname(os.path.abspath(request.files[0]))
    path = os.path.join(folder, name)
    within = os.path.realpath(request.root or folder)
    plain = name not in ("", ".", "..") and not set(name) & set("/\\\0")
    if not plain or os.path.commonpath([within, os.path.realpath(path)]) != within:
        raise OutsideSource(
            "the header names a file that is not beside it",
            where=request.where,
            expected="a plain name in the same folder",
            hint="Put the voxels beside their header.",
        )
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as error:
        raise MissingInput(
            "the file with the voxels is not beside its header", where=request.where
        ) from error
    if not stat.S_ISREG(mode):
        raise OutsideSource("the header names something that is no file", where=request.where)
    return path
