"""NRRD and MetaImage that nobody should believe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.hostile.cases import Case, cut, file
from tests.hostile.seeds import LABELS, VOXELS, metaimage, nrrd, zeros_zipped, zipped

FLOATS = VOXELS.astype("<f4")


def text_cases() -> Iterator[Case]:
    yield from _nrrd()
    yield from _metaimage()


def _lines(raw: bytes, end: bytes) -> dict[str, int]:
    """Where each line of the header begins, and its middle."""
    places, at = {}, 0
    for number, line in enumerate(raw[: raw.index(end)].splitlines(keepends=True)):
        places |= {f"line-{number}": at, f"within-{number}": at + len(line) // 2}
        at += len(line)
    return places


def _nrrd() -> Iterator[Case]:
    raw = nrrd()
    places = _lines(raw, b"\n\n") | {"voxels": len(raw) - 240, "last-byte": len(raw) - 1}
    others = {"line-0": "empty-input", "within-0": "unreadable-file"}
    for case in cut("nrrd", "truncated-file", "a.nrrd", raw, places):
        place = case.name.removeprefix("nrrd-cut-at-")
        yield Case(case.name, others.get(place, case.code), case.write)

    def said(case: str, code: str, data: bytes | None = None, **fields: str) -> Case:
        return file(f"nrrd-{case}", code, "a.nrrd", nrrd(data=data, **fields))

    yield file("nrrd-text", "unreadable-file", "a.nrrd", b"nothing like it\n\n" + bytes(99))
    yield file("nrrd-version-9", "unreadable-file", "a.nrrd", raw.replace(b"0004", b"0009", 1))
    yield file("nrrd-endless", "bad-header", "a.nrrd", raw[:9] + b"a: b\n" * 300_000)
    yield file("nrrd-no-colon", "bad-header", "a.nrrd", raw.replace(b"type:", b"type", 1))
    yield file("nrrd-twice", "bad-header", "a.nrrd", raw.replace(b"type:", b"type: int8\ntype:", 1))
    for field in ("type", "dimension", "sizes", "encoding", "endian"):
        yield said(f"no-{field}", "bad-header", **{field: ""})
    yield said("type-block", "unsupported-data", type="block")
    yield said("encoding-unknown", "unsupported-data", encoding="zstd")
    yield said("dimension-99", "unsupported-data", dimension="99")
    yield said("dimension-of-text", "bad-header", dimension="three")
    for name, sizes, code in (("two", "4 5", "bad-header"), ("zero", "4 0 6", "bad-header"),
                              ("negative", "4 -5 6", "bad-header"), ("text", "4 x 6", "bad-header"),
                              ("huge", "99999 99999 99999", "too-large"),
                              ("endless", "4 5 " + "9" * 400, "bad-header"),
                              ("more", "4 5 7", "truncated-file")):  # fmt: skip
        yield said(f"sizes-{name}", code, sizes=sizes)
    for name, ways in {
        "nan": "(nan,0,0) (0,1,0) (0,0,1)",
        "infinite": "(inf,0,0) (0,1,0) (0,0,1)",
        "flat": "(1,0,0) (1,0,0) (0,0,1)",
        "far": "(1e30,0,0) (0,1,0) (0,0,1)",
    }.items():
        yield said(f"directions-{name}", "impossible-geometry", space_directions=ways)
    yield said("directions-zero", "unsupported-data", space_directions="(0,0,0) (0,1,0) (0,0,1)")
    yield said("directions-text", "bad-header", space_directions="(a,b,c) (0,1,0) (0,0,1)")
    yield said("directions-two", "bad-header", space_directions="(1,0,0) (0,1,0)")
    yield said("origin-nan", "impossible-geometry", space_origin="(nan,0,0)")
    yield said("nowhere", "unknown-orientation", space="", space_directions="", space_origin="",
               spacings="2 1.5 3")  # fmt: skip
    yield said("voxels-nan", "not-finite", (FLOATS * np.nan).tobytes(), type="float")
    for name, path in {"up": "../../../etc/passwd", "absolute": "/etc/passwd",
                       "dots": "..", "list": "LIST"}.items():  # fmt: skip
        code = "unsupported-data" if name == "list" else "outside-source"
        yield file(f"nhdr-{name}", code, "a.nhdr", nrrd(data=b"", data_file=path))
    yield file("nhdr-missing", "missing-input", "a.nhdr", nrrd(data=b"", data_file="a.raw"))
    packed = nrrd("gzip")
    yield file("nrrd-gz-cut", "truncated-file", "a.nrrd", packed[:-12])
    yield file(
        "nrrd-gz-not", "unreadable-file", "a.nrrd", raw.replace(b"encoding: raw", b"encoding: gzip")
    )
    yield file("nrrd-gz-bomb-behind", "decompression-bomb", "a.nrrd", packed + zeros_zipped(1024))
    head = nrrd(data=b"", encoding="raw", sizes="1024 1024 512").replace(b"raw", b"gzip")
    yield file("nrrd-gz-of-nothing", "truncated-file", "a.nrrd", head + zipped(bytes(512)))
    text = nrrd(data=b"1 2 three " * 40, encoding="ascii")
    yield file("nrrd-ascii-words", "bad-header", "a.nrrd", text)
    yield file(
        "nrrd-ascii-huge", "bad-header", "a.nrrd", nrrd(data=b"99999 " * 120, encoding="ascii")
    )

    def pair(folder: Path) -> None:
        (folder / "a.nrrd").write_bytes(nrrd())
        label = nrrd(data=(LABELS / 3).astype("<f4").tobytes(order="F"), type="float")
        (folder / "a_label.nrrd").write_bytes(label)

    yield Case("nrrd-label-of-thirds", "not-labels", pair)


def _metaimage() -> Iterator[Case]:
    raw = metaimage()
    end = b"LOCAL\n"
    places = _lines(raw, end) | {"voxels": len(raw) - 240, "last-byte": len(raw) - 1}
    others = {"line-0": "empty-input", "within-0": "unreadable-file", "line-1": "truncated-file"}
    for case in cut("mha", "truncated-file", "a.mha", raw, places):
        place = case.name.removeprefix("mha-cut-at-")
        yield Case(case.name, others.get(place, case.code), case.write)

    def said(case: str, code: str, data: bytes | None = None, **fields: str) -> Case:
        return file(f"mha-{case}", code, "a.mha", metaimage(data, **fields))

    yield file("mha-text", "unreadable-file", "a.mha", b"nothing like it\n" + bytes(99))
    for field in ("NDims", "DimSize", "ElementType"):
        yield said(f"no-{field}", "bad-header", **{field: ""})
    yield said("object-tube", "unsupported-data", ObjectType="Tube")
    yield said("dims-eleven", "unsupported-data", NDims="11")
    yield said("type-unknown", "unsupported-data", ElementType="MET_STRING")
    for name, sizes, code in (
        ("two", "4 5", "bad-header"),
        ("zero", "4 0 6", "bad-header"),
        ("huge", "99999 99999 99999", "too-large"),
        ("more", "4 5 7", "truncated-file"),
    ):
        yield said(f"size-{name}", code, DimSize=sizes)
    yield said("channels-zero", "bad-header", ElementNumberOfChannels="0")
    yield said("channels-huge", "too-large", ElementNumberOfChannels="999999999")
    yield said("spacing-zero", "impossible-geometry", ElementSpacing="0 1 1")
    yield said("spacing-nan", "impossible-geometry", ElementSpacing="nan 1 1")
    yield said("spacing-text", "bad-header", ElementSpacing="thin 1 1")
    yield said("matrix-flat", "impossible-geometry", TransformMatrix="1 0 0 1 0 0 0 0 1")
    yield said("matrix-eight", "bad-header", TransformMatrix="1 0 0 0 1 0 0 0")
    yield said("offset-infinite", "impossible-geometry", Offset="inf 0 0")
    yield said("no-place", "unknown-orientation", TransformMatrix="", Offset="")
    yield said("truth-maybe", "bad-header", CompressedData="Perhaps")
    yield said("compressed-not", "unreadable-file", CompressedData="True")
    yield said(
        "voxels-infinite", "not-finite", (FLOATS + np.inf).tobytes(), ElementType="MET_FLOAT"
    )
    for name, path in {"up": "../other.raw", "absolute": "/etc/passwd"}.items():
        yield file(f"mhd-{name}", "outside-source", "a.mhd", metaimage(b"", ElementDataFile=path))
    yield file("mhd-missing", "missing-input", "a.mhd", metaimage(b"", ElementDataFile="a.raw"))
    yield file(
        "mhd-many", "unsupported-data", "a.mhd", metaimage(b"", ElementDataFile="a%03d.raw 1 6 1")
    )
