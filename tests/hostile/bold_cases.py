"""Series of images, of text and tables beside images, that nobody should believe."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.hostile.cases import Case, cut, file
from tests.hostile.seeds import VOXELS, fields_of, nifti, zeros_zipped, zipped

RNG = np.random.default_rng(0)
SERIES = RNG.integers(1, 900, (4, 5, 6, 8)).astype(np.int16)
WIDE = "\t".join(["1"] * 10**6)


def bold_cases() -> Iterator[Case]:
    """NIfTI where an atlas takes series."""
    places = {**fields_of(1), "extender": 348, "voxels": 352, "last": 351 + SERIES.nbytes}
    for case in cut("bold", "truncated-file", "a.nii", nifti(SERIES), places):
        place = case.name.removeprefix("bold-cut-at-")
        other = (
            "unreadable-file"
            if place not in ("extender", "voxels", "last", "sizeof_hdr")
            else case.code
        )
        yield Case(case.name, other, case.write)
    raw = zipped(nifti(SERIES))
    for end in (2, 9, 40, 400, len(raw) // 2, len(raw) - 30, len(raw) - 9, len(raw) - 1):
        code = "truncated-file" if end > 400 else "unreadable-file"
        yield file(f"bold-gz-cut-at-{end}", code, "a.nii.gz", raw[:end])

    other = bytearray(raw)
    other[-6] ^= 1
    yield file("bold-gz-sum", "unreadable-file", "a.nii.gz", bytes(other))

    def header(case: str, code: str, voxels: np.ndarray = SERIES, **fields: object) -> Case:
        return file(f"bold-{case}", code, "a.nii", nifti(voxels, **fields))

    yield header("three-axes", "unreadable-file", VOXELS)
    yield header("two-volumes", "series-too-short", SERIES[..., :2])
    yield header("negative", "unreadable-file", dim=(4, 4, -5, 6, 8))
    yield header("nothing", "unreadable-file", dim=(4, 4, 0, 6, 8))
    yield header("one-more", "truncated-file", dim=(4, 4, 5, 6, 9))
    yield header("huge", "unreadable-file", dim=(4, 32767, 32767, 32767, 32767))
    yield header("long", "truncated-file", dim=(4, 4, 5, 6, 32767))
    yield header("type", "unreadable-file", datatype=7)
    for number in (math.nan, math.inf):
        yield header(f"place-{number}", "impossible-geometry", srow_x=(1, 0, 0, number))
        yield header(f"axes-{number}", "impossible-geometry", srow_y=(number, 1, 0, 0))
    yield header("flat", "impossible-geometry", srow_z=(0, 0, 0, 0))
    yield from _bombs()


def _bombs() -> Iterator[Case]:
    volumes = nifti(SERIES, dim=(4, 512, 512, 100, 39))[:352]
    yield file("bold-bomb", "decompression-bomb", "a.nii.gz", zipped(volumes) + zeros_zipped(2048))
    yield file("bold-too-short", "truncated-file", "a.nii.gz", zipped(volumes))
    yield file("bold-tar", "unreadable-file", "a.nii", b"ustar" * 999)


def text_series_cases() -> Iterator[Case]:
    """Text of numbers, without an atlas."""
    yield file("text-wide", "too-large", "a.1D", (WIDE + "\n").encode() * 4)
    yield file("text-wide-gz", "too-large", "a.tsv.gz", gzip.compress((WIDE + "\n").encode() * 4))
    yield file("text-wide-names", "too-large", "a.csv", WIDE.replace("\t", ",").encode())
    yield file("text-no-lines", "series-too-short", "a.1D", b"1 " * 60_000)
    head = b"\x93NUMPY\1\0v\0{'descr': '<f8', 'fortran_order': False, 'shape': (3, 100000), }"
    yield file("array-wide", "too-large", "a.npy", head.ljust(127) + b"\n" + bytes(2_400_000))


def table_cases() -> Iterator[Case]:
    """Tables of confounds beside an image that is whole; the name of each is its subject's."""

    def table(case: str, code: str, data: bytes) -> Case:
        def write(folder: Path) -> None:
            folder = folder / "func"
            folder.mkdir()
            (folder / f"{folder.parent.name}_T1w.nii").write_bytes(nifti())
            name = f"{folder.parent.name}_task-rest_desc-confounds_timeseries.tsv"
            (folder / name).write_bytes(data)

        return Case(f"sub-{case}", code, write)

    yield table("wide", "too-large", (WIDE + "\n").encode() * 3)
    yield table("empty", "empty-input", b"")
    yield table("header", "empty-input", b"trans_x\ttrans_y\n")
    yield table("text", "bad-input", b"trans_x\ttrans_y\n1\tMeier\n")
    yield table("ragged", "unreadable-file", b"trans_x\ttrans_y\n1\n")
    yield table("twice", "unreadable-file", b"trans_x\ttrans_x\n1\t1\n")
    yield table("field", "unreadable-file", b"trans_x\n" + b"1" * 200_000 + b"\n")
    yield table("nul", "bad-input", b"trans_x\n\0\n")
