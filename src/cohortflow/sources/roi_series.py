"""Series of brain regions from ``.1D``, ``.csv``, ``.tsv`` and ``.npy`` files, gzipped or not."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohortflow.errors import (
    CohortflowError,
    EmptyInput,
    NotANumber,
    SeriesTooShort,
    TruncatedFile,
    UnreadableFile,
)
from cohortflow.sources.files import MAX_BYTES, decode, read_bytes
from cohortflow.sources.number_text import NumberText, parse_numbers, refuse_missing, refuse_wide

SUFFIXES = tuple(
    base + zipped for base in (".1D", ".csv", ".tsv", ".npy") for zipped in ("", ".gz")
)
MIN_SAMPLES = 3


@dataclass(frozen=True)
class RoiSeries:
    """``values`` (roi, time) float64, finite; ``names`` of the regions where the file has them."""

    values: np.ndarray
    names: tuple[str, ...] | None = None

    @property
    def constant(self) -> np.ndarray:
        """(roi,) bool: regions without variance beyond rounding."""
        spread = np.ptp(self.values, axis=1)
        scale = np.abs(self.values).max(axis=1)
        return np.asarray(spread <= 4 * np.finfo(np.float64).eps * scale)


def read_roi_series(
    path: Path | str, *, transpose: bool = False, where: str = "", limit: int = MAX_BYTES
) -> RoiSeries:
    """Read the series of one recording.

    Files are (time, roi), one line per volume, as ABIDE has them; ``transpose`` reads (roi, time).
    A header line (``#1 <tab> #2 …``, or names) gives the region names. ``where`` stands in
    messages in place of the file's name. Nothing is unpickled.

    Raises :class:`MissingValues`, :class:`SeriesTooShort`, :class:`NotANumber`,
    :class:`EmptyInput`, :class:`TruncatedFile`, :class:`UnreadableFile`.
    """
    path = Path(path)
    where = where or path.name
    data = read_bytes(path, where, limit)
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".npy"):
        table = NumberText(_parse_npy(data, where), None, ())
    else:
        text = decode(data, where)
        table = parse_numbers(text, _delimiter(name, text), where)
    return _as_series(table, transpose, where)


def _delimiter(name: str, text: str) -> str | None:
    if name.endswith(".1d"):
        return None
    if name.endswith(".tsv"):
        return "\t"
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=first.count) if any(c in first for c in ",;\t") else ","


def _as_series(table: NumberText, transpose: bool, where: str) -> RoiSeries:
    by_time = table.values.T if transpose else table.values
    samples, regions = by_time.shape
    refuse_wide(regions, where)
    names = table.names if not transpose else None
    lines = table.lines if not transpose else None
    if samples < MIN_SAMPLES:
        raise SeriesTooShort(
            f"the series has {samples} sample{'s' if samples != 1 else ''}",
            where=where,
            expected=f"at least {MIN_SAMPLES} time points of {regions} regions",
            found=str(samples),
            hint="Where the file is (region, time), ingest it with the option transpose.",
        )
    labels = names or tuple(str(i) for i in range(1, regions + 1))
    refuse_missing(by_time, lines or None, labels, where)
    return RoiSeries(np.ascontiguousarray(by_time.T), names)


def _parse_npy(data: bytes, where: str) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = header(stream)
    except (ValueError, KeyError) as error:
        raise UnreadableFile("not a NumPy file", where=where, expected=".npy version 1 or 2") from (
            error
        )
    if dtype.kind not in "iufb":
        raise _not_numbers(dtype, where)
    if len(shape) != 2:
        raise UnreadableFile(
            "the array has the wrong dims", where=where, expected="(time, roi)", found=str(shape)
        )
    # The header may claim any size: nothing is allocated before the bytes were counted.
    claimed, found = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if claimed > found:
        raise TruncatedFile(
            "the array ends too early",
            where=where,
            expected=f"{claimed} bytes",
            found=f"{found} bytes",
            hint="Copy or download it again.",
        )
    if claimed == 0:
        raise EmptyInput("the array is empty", where=where, found=str(shape))
    array = np.load(io.BytesIO(data), allow_pickle=False)
    return np.asarray(array, dtype=np.float64)


def _not_numbers(dtype: np.dtype[np.generic], where: str) -> CohortflowError:
    if dtype.hasobject:
        return UnreadableFile(
            "the array holds pickled objects, which are never read", where=where, found=str(dtype)
        )
    return NotANumber(
        "the array does not hold real numbers", where=where, expected="floats", found=str(dtype)
    )
