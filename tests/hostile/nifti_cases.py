"""NIfTI that nobody should believe."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator

import numpy as np

from tests.hostile.cases import Case, cut, file
from tests.hostile.seeds import (
    LABELS,
    VOXELS,
    fields_of,
    nifti,
    zeros_zipped,
    zipped,
)

NAN, INF = math.nan, math.inf
FLOATS = VOXELS.astype(np.float32)


def nifti_cases() -> Iterator[Case]:
    yield from _cut()
    yield from _sizes()
    yield from _types()
    yield from _places()
    yield from _streams()
    yield from _voxels()
    yield from _labels()


def _cut() -> Iterator[Case]:
    for version, length in ((1, 348), (2, 540)):
        places = {**fields_of(version), "extender": length, "voxels": length + 4}
        places |= {"second-voxel": length + 6, "last-byte": length + 4 + VOXELS.nbytes - 1}
        yield from cut(f"nifti{version}", "truncated-file", "a.nii", nifti(version=version), places)
    data = zipped(nifti())
    ends = (2, 3, 4, 8, 9, 10, 40, len(data) // 2, len(data) - 8, len(data) - 4, len(data) - 1)
    yield from cut(
        "nifti-gz", "truncated-file", "a.nii.gz", data, {str(end): end for end in (0, *ends)}
    )


def _sizes() -> Iterator[Case]:
    def dims(case: str, code: str, *dim: int, version: int = 1) -> Case:
        return file(f"nifti-dim-{case}", code, "a.nii", nifti(version=version, dim=dim))

    yield dims("none", "bad-header", 0, 4, 5, 6)
    yield dims("eight", "bad-header", 8, 4, 5, 6, 1, 1, 1, 1)
    yield dims("negative-count", "bad-header", -3, 4, 5, 6)
    yield dims("swapped", "bad-header", 0x0300, 4, 5, 6)
    yield dims("zero", "bad-header", 3, 4, 0, 6)
    yield dims("negative", "bad-header", 3, 4, -5, 6)
    yield dims("two", "unsupported-data", 2, 4, 30)
    yield dims("one-more", "truncated-file", 3, 4, 5, 7)
    yield dims("huge", "too-large", 3, 32767, 32767, 32767)
    yield dims("seven-huge", "too-large", 7, *[32767] * 7)
    yield dims("wraps-to-zero", "too-large", 3, 2**32, 2**32, 2**32, version=2)
    yield dims("wraps-to-small", "too-large", 3, 2**62, 5, 6, version=2)
    yield dims("above-memory", "too-large", 3, 2**20, 2**20, 1, version=2)
    yield dims("many-times", "several-times", 4, 4, 5, 2, 3)
    yield dims("five-axes", "several-times", 5, 4, 5, 2, 1, 3)


def _types() -> Iterator[Case]:
    for code, refused in {
        0: "unsupported-data",
        1: "unsupported-data",
        7: "bad-header",
        9999: "bad-header",
        -2: "bad-header",
        32: "unsupported-data",
        1792: "unsupported-data",
    }.items():
        yield file(f"nifti-datatype-{code}", refused, "a.nii", nifti(datatype=code))
    for bits in (0, 1, 8, 32, -16):
        yield file(f"nifti-bitpix-{bits}", "bad-header", "a.nii", nifti(bitpix=bits))
    offsets = {"zero": 0, "before": 351, "half": 352.5, "nan": NAN, "infinite": INF,
               "negative": -352, "far": 1e30, "beyond": 2**26}  # fmt: skip
    for name, offset in offsets.items():
        yield file(f"nifti-offset-{name}", "bad-header", "a.nii", nifti(vox_offset=offset))
    yield file("nifti-offset-past-end", "truncated-file", "a.nii", nifti(vox_offset=4096))
    for name, magic in {"pair": b"ni1", "none": b"", "text": b"GIF8"}.items():
        yield file(f"nifti-magic-{name}", "unsupported-data", "a.nii", nifti(magic=magic.ljust(4)))
    for name, length in {"zero": 0, "analyze": 347, "huge": 2**31 - 1}.items():
        yield file(f"nifti-header-of-{name}", "unreadable-file", "a.nii", nifti(sizeof_hdr=length))
    swapped = bytearray(nifti())
    swapped[:4] = swapped[3::-1]
    yield file("nifti-header-of-other-endian", "bad-header", "a.nii", bytes(swapped))
    wide = nifti(version=2)
    yield file(
        "nifti-1-header-says-2", "unsupported-data", "a.nii", wide[:4] + nifti()[4:] + bytes(400)
    )


def _places() -> Iterator[Case]:
    def rows(case: str, code: str, first: object, **more: object) -> Case:
        return file(f"nifti-sform-{case}", code, "a.nii", nifti(srow_x=first, **more))

    wrong = "impossible-geometry"
    yield rows("nan", wrong, [NAN, 0, 0, 0])
    yield rows("infinite", wrong, [INF, 0, 0, 0])
    yield rows("far", wrong, [-2, 0, 0, 1e30])
    yield rows("flat", wrong, [0, 0, 0, 0])
    yield rows("two-alike", wrong, [0, 1.5, 0, 0])
    yield rows("tiny", wrong, [1e-30, 0, 0, 0])
    yield rows("kilometres", wrong, [1e9, 0, 0, 0])
    only_q = {"sform_code": 0, "qform_code": 1}
    yield file("nifti-qform-nan", wrong, "a.nii", nifti(quatern_b=NAN, **only_q))
    yield file("nifti-qform-long", "bad-header", "a.nii", nifti(quatern_b=7.0, **only_q))
    yield file("nifti-qform-no-spacing", wrong, "a.nii", nifti(pixdim=[1, 0, 0, 0], **only_q))
    yield file("nifti-qform-nan-spacing", wrong, "a.nii", nifti(pixdim=[1, NAN, 1, 1], **only_q))
    unplaced = {"sform_code": 0, "qform_code": 0}
    yield file("nifti-unplaced", "unknown-orientation", "a.nii", nifti(**unplaced))
    yield file("nifti-unit-unknown", "bad-header", "a.nii", nifti(xyzt_units=7))


def _streams() -> Iterator[Case]:
    page = b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20
    yield file("nifti-page", "unreadable-file", "a.nii", page)
    yield file("nifti-page-gz", "unreadable-file", "a.nii.gz", page)
    yield file("nifti-pointer", "unreadable-file", "a.nii.gz",
               b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")  # fmt: skip
    yield file("nifti-gz-unzipped", "unreadable-file", "a.nii.gz", nifti())
    yield file("nifti-zipped-by-mistake", "unreadable-file", "a.nii", zipped(nifti()))
    yield file("nifti-zipped-twice", "unreadable-file", "a.nii.gz", zipped(zipped(nifti())))
    flipped = bytearray(zipped(nifti()))
    flipped[-6] ^= 0xFF
    yield file("nifti-gz-wrong-sum", "unreadable-file", "a.nii.gz", bytes(flipped))
    damaged = bytearray(zipped(nifti(np.random.default_rng(0).integers(0, 999, (9, 9, 9)))))
    damaged[400:440] = bytes(40)
    yield file("nifti-gz-damaged", "unreadable-file", "a.nii.gz", bytes(damaged))
    yield file(
        "nifti-gz-rubbish-behind", "unreadable-file", "a.nii.gz", zipped(nifti()) + b"rubbish" * 9
    )
    yield file(
        "nifti-bomb-behind", "decompression-bomb", "a.nii.gz", zipped(nifti()) + zeros_zipped(2048)
    )
    long = nifti(np.zeros((1, 1, 1), np.uint8), dim=[3, 1024, 1024, 400], bitpix=64, datatype=64)
    yield file("nifti-bomb-of-voxels", "decompression-bomb", "a.nii.gz",
               zipped(long[:352]) + zeros_zipped(3200))  # fmt: skip
    yield file("nifti-gz-too-short", "truncated-file", "a.nii.gz", zipped(long))
    behind = gzip.compress(nifti(), mtime=0) + b"\x1f\x8b\x08"
    yield file("nifti-gz-second-stream-cut", "truncated-file", "a.nii.gz", behind)


def _voxels() -> Iterator[Case]:
    for name, value in {"nan": NAN, "infinite": INF, "minus-infinite": -INF}.items():
        one = FLOATS.copy()
        one[1, 2, 3] = value
        yield file(f"nifti-voxel-{name}", "not-finite", "a.nii", nifti(one))
    yield file("nifti-voxels-all-nan", "not-finite", "a.nii", nifti(np.full_like(FLOATS, NAN)))
    yield file("nifti-both-infinities", "not-finite", "a.nii",
               nifti(np.where(FLOATS > 9, INF, -INF).astype(np.float32)))  # fmt: skip
    yield file("nifti-slope-overflows", "not-finite", "a.nii", nifti(FLOATS, scl_slope=3e38))
    yield file("nifti-slope-whole-overflows", "not-finite", "a.nii", nifti(scl_slope=3e38))
    yield file("nifti-intercept-nan", "bad-header", "a.nii", nifti(scl_slope=2.0, scl_inter=NAN))
    yield file("nifti-intercept-infinite", "bad-header", "a.nii", nifti(scl_slope=1, scl_inter=INF))


def _labels() -> Iterator[Case]:
    def pair(case: str, code: str, label: bytes) -> Case:
        def write(folder):  # type: ignore[no-untyped-def]
            (folder / "a.nii").write_bytes(nifti())
            (folder / "a_label.nii").write_bytes(label)

        return Case(f"label-{case}", code, write)

    moved = np.diag([-2.0, 1.5, 3.0, 1.0])
    moved[0, 3] = 40
    yield pair("of-halves", "not-labels", nifti(FLOATS / 2))
    yield pair("of-nan", "not-finite", nifti(np.full_like(FLOATS, NAN)))
    yield pair("beyond-32-bits", "not-labels", nifti(np.full(VOXELS.shape, 2**40)))
    yield pair("elsewhere", "geometry-mismatch", nifti(LABELS, moved))
    yield pair("smaller", "geometry-mismatch", nifti(LABELS[:-1]))
    yield pair("mirrored", "geometry-mismatch", nifti(LABELS, np.diag([2.0, 1.5, 3.0, 1.0])))
    yield pair("cut", "truncated-file", nifti(LABELS)[:-9])
