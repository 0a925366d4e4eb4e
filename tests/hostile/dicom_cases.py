"""DICOM that nobody should believe: single files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)

from tests.hostile.cases import Case, cut, file
from tests.hostile.seeds import dicom, dicom_bytes, encapsulated, in_syntax, picture, run_length

LONG_FORM = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"UC", b"UR", b"OL", b"OV")


def dicom_cases() -> Iterator[Case]:
    yield from _cut()
    yield from _beginnings()
    yield from _fields()
    yield from _texts()
    yield from _deflated()
    yield from _compressed()
    yield from _nested()


def elements(raw: bytes) -> dict[str, int]:
    """Where every element of an explicit file begins, by its tag; and where its value does."""
    places: dict[str, int] = {}
    at = 132
    while at < len(raw):
        group, element = struct.unpack_from("<HH", raw, at)
        long = raw[at + 4 : at + 6] in LONG_FORM
        head = 12 if long else 8
        (length,) = struct.unpack_from("<I" if long else "<H", raw, at + head - (4 if long else 2))
        places[f"{group:04x}{element:04x}"] = at
        places[f"{group:04x}{element:04x}-vr"] = at + 5
        places[f"{group:04x}{element:04x}-value"] = at + head
        if length == 0xFFFFFFFF:
            break
        at += head + length
    return places


def _cut() -> Iterator[Case]:
    raw = dicom_bytes()
    places = {"0": 0, "preamble": 64, "mark": 130, **elements(raw), "last-byte": len(raw) - 1}
    others = {"preamble": "unreadable-file", "mark": "unreadable-file"}
    others |= {"00280011-value": "bad-header", "00280030": "unknown-spacing"}
    others |= {"00280030-vr": "unknown-spacing", "00280030-value": "unknown-spacing"}
    for case in cut("dicom", "truncated-file", "a.dcm", raw, places):
        place = case.name.removeprefix("dicom-cut-at-")
        yield replace(case, code=others.get(place, case.code))


def changed(case: str, code: str, **tags: Any) -> Case:
    """Tags with another value, of any length and letters: written without a look at it."""
    dataset = dicom()
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return file(f"dicom-{case}", code, "a.dcm", dicom_bytes(dataset))


def raw_value(case: str, code: str, keyword: str, value: bytes) -> Case:
    """The bytes of one value put in place of those that stand there; lengths follow."""
    raw = bytearray(dicom_bytes())
    tag = Tag(keyword)
    places = elements(bytes(raw))
    at = places[f"{tag.group:04x}{tag.element:04x}-value"]
    (length,) = struct.unpack_from("<H", raw, at - 2)
    raw[at : at + length] = value
    struct.pack_into("<H", raw, at - 2, len(value))
    return file(f"dicom-{case}", code, "a.dcm", bytes(raw))


def _beginnings() -> Iterator[Case]:
    raw = dicom_bytes()
    yield file("dicom-text", "unreadable-file", "a.dcm", b"no image at all\n" * 40)
    yield file("dicom-other-mark", "unreadable-file", "a.dcm", raw[:128] + b"DICN" + raw[132:])
    yield file("dicom-mark-alone", "truncated-file", "a.dcm", raw[:132])
    yield file("dicom-meta-huge", "truncated-file", "a.dcm", raw[:140] + b"\xff" * 4 + raw[144:])
    yield _syntax("none", "unsupported-data", b"")
    yield _syntax("unknown", "unsupported-data", b"1.2.3.4\0")
    yield _syntax("text", "unsupported-data", b"JPEG")
    yield _syntax("big-endian-not", "truncated-file", ExplicitVRBigEndian.encode() + b"\0")


def _with_meta(raw: bytes, old: bytes, new: bytes) -> bytes:
    at = raw.index(b"\x02\x00\x10\x00UI")
    (length,) = struct.unpack_from("<H", raw, at + 6)
    assert raw[at + 8 : at + 8 + length] == old
    meta = struct.unpack_from("<I", raw, 140)[0] + len(new) - len(old)
    body = raw[:at] + b"\x02\x00\x10\x00UI" + struct.pack("<H", len(new)) + new
    body += raw[at + 8 + length :]
    return body[:140] + struct.pack("<I", meta) + body[144:]


def _syntax(case: str, code: str, uid: bytes) -> Case:
    raw = _with_meta(dicom_bytes(), ExplicitVRLittleEndian.encode() + b"\0", uid)
    return file(f"dicom-syntax-{case}", code, "a.dcm", raw)


def _fields() -> Iterator[Case]:
    yield changed("rows-zero", "bad-header", Rows=0)
    yield changed("no-rows", "truncated-file", Rows=None)
    yield changed("no-columns", "truncated-file", Columns=None)
    yield changed("no-pixels", "truncated-file", PixelData=None)
    yield changed("rows-one-more", "truncated-file", Rows=7)
    yield changed("huge", "too-large", Rows=65535, Columns=65535)
    yield changed("no-pixels-said", "truncated-file", PixelData=b"")
    for bits in (0, 7, 12, 255, 65535):
        yield changed(f"bits-{bits}", "bad-header", BitsAllocated=bits)
    yield changed("bits-stored-more", "bad-header", BitsStored=17)
    yield changed("sign-of-seven", "bad-header", PixelRepresentation=7)
    for samples in (0, 2, 4, 65535):
        yield changed(f"samples-{samples}", "bad-header", SamplesPerPixel=samples)
    yield changed("photometric-none", "bad-header", PhotometricInterpretation=None)
    yield changed("palette", "unsupported-data", PhotometricInterpretation="PALETTE COLOR")
    for frames, code in (
        ("-1", "bad-header"),
        ("2", "duplicate-slice"),
        ("999999999999", "too-large"),
    ):
        yield changed(f"frames-{frames}", code, NumberOfFrames=frames)
    narrow = dicom(np.zeros((1, 1), np.uint8), NumberOfFrames="500000000")
    yield file("dicom-frames-of-a-pixel", "too-large", "a.dcm", dicom_bytes(narrow))
    yield changed("no-spacing", "unknown-spacing", PixelSpacing=None)
    yield changed("no-place", "unknown-spacing", ImagePositionPatient=None)
    yield changed("spacing-zero", "impossible-geometry", PixelSpacing=[0, 0])
    yield changed("spacing-negative", "impossible-geometry", PixelSpacing=["-1", "-1"])
    yield changed("cosines-long", "impossible-geometry", ImageOrientationPatient=[2, 0, 0, 0, 1, 0])
    yield changed("cosines-alike", "impossible-geometry", ImageOrientationPatient=[1, 0, 0] * 2)
    yield changed("cosines-zero", "impossible-geometry", ImageOrientationPatient=[0] * 6)
    yield changed("cosines-five", "bad-header", ImageOrientationPatient=[1, 0, 0, 0, 1])
    yield changed("far", "impossible-geometry", ImagePositionPatient=["1e30", 0, 0])
    yield changed("no-thickness", "unknown-spacing", SliceThickness=None)
    yield changed("thickness-negative", "unknown-spacing", SliceThickness="-3")


def _texts() -> Iterator[Case]:
    for value in (b"nan\\nan ", b"inf\\1 ", b"-inf\\1", b"one\\two ", b"1e999\\1 ", b"1", b"\\",
                  b"1\\2\\3 ", b"0x1p3\\1"):  # fmt: skip
        name = value.decode().strip().replace("\\", "_") or "none"
        yield raw_value(f"spacing-{name}", "bad-header", "PixelSpacing", value)
    yield raw_value("place-nan", "bad-header", "ImagePositionPatient", b"nan\\0\\0 ")
    yield raw_value("place-of-letters", "bad-header", "ImagePositionPatient", b"left\\0\\0")
    yield raw_value("place-of-bytes", "bad-header", "ImagePositionPatient", b"\xff\xfe\\0\\0 ")
    yield raw_value("cosines-nan", "bad-header", "ImageOrientationPatient", b"nan\\0\\0\\0\\1\\0 ")
    yield raw_value("rows-of-three-bytes", "unreadable-file", "Rows", b"abc")
    yield raw_value("rows-of-two-numbers", "bad-header", "Rows", b"zzzz")
    yield raw_value("rows-empty", "bad-header", "Rows", b"")
    yield raw_value("number-of-letters", "bad-header", "InstanceNumber", b"first ")
    yield raw_value("series-of-letters", "bad-header", "SeriesNumber", b"first ")
    yield raw_value("series-huge", "bad-header", "SeriesNumber", b"9" * 400)
    dataset = dicom(RescaleSlope="1", RescaleIntercept="0")
    for name, slope, code in (
        ("nan", "nan", "bad-header"),
        ("infinite", "inf", "bad-header"),
        ("text", "steep", "bad-header"),
        ("huge", "1e300", "not-finite"),
    ):
        element = dataset["RescaleSlope"]
        element._value = pydicom.valuerep.DSfloat("1", auto_format=False)
        raw = dicom_bytes(dataset)
        at = raw.index(b"\x28\x00\x53\x10DS")
        padded = slope.encode() + b" " * (len(slope) % 2)
        (length,) = struct.unpack_from("<H", raw, at + 6)
        raw = (
            raw[:at]
            + b"\x28\x00\x53\x10DS"
            + struct.pack("<H", len(padded))
            + padded
            + (raw[at + 8 + length :])
        )
        yield file(f"dicom-slope-{name}", code, "a.dcm", raw)


def _deflated() -> Iterator[Case]:
    raw = dicom_bytes(in_syntax(DeflatedExplicitVRLittleEndian))
    start = 144 + struct.unpack_from("<I", raw, 140)[0]
    for name, end in {"at-start": start, "early": start + 5, "late": len(raw) - 3}.items():
        yield file(f"dicom-deflated-cut-{name}", "truncated-file", "a.dcm", raw[:end])
    yield file("dicom-deflated-rubbish", "unreadable-file", "a.dcm", raw[:start] + b"\xff" * 400)
    bomb = in_syntax(DeflatedExplicitVRLittleEndian)
    bomb.add_new(0x00420011, "OB", bytes(96 * 2**20))
    yield file("dicom-deflated-bomb", "decompression-bomb", "a.dcm", dicom_bytes(bomb))


def _compressed() -> Iterator[Case]:
    def with_fragments(case: str, code: str, dataset: Dataset, *parts: bytes) -> Case:
        dataset.PixelData = encapsulate(list(parts))
        return file(f"dicom-{case}", code, "a.dcm", dicom_bytes(dataset))

    unread = "unsupported-data"
    for name, codec in (("jpeg", "JPEG"), ("j2k", "JPEG2000")):
        whole = next(
            pydicom.encaps.generate_frames(encapsulated(codec).PixelData, number_of_frames=1)
        )
        for part in (2, 20, len(whole) // 2):
            code = "truncated-file" if part <= 20 else unread
            yield with_fragments(f"{name}-cut-{part}", code, encapsulated(codec), whole[:part])
        yield with_fragments(f"{name}-zeros", "truncated-file", encapsulated(codec), bytes(64))
        larger = picture(np.zeros((640, 640), np.uint8), codec)
        yield with_fragments(f"{name}-of-other-size", "bad-header", encapsulated(codec), larger)
        colour = picture(np.zeros((16, 16, 3), np.uint8), codec)
        yield with_fragments(f"{name}-in-colour", "bad-header", encapsulated(codec), colour)
    whole = picture(np.zeros((16, 16), np.uint8), "JPEG")
    at = whole.index(b"\xff\xc0") + 5
    lying = whole[:at] + struct.pack(">HH", 65500, 65500) + whole[at + 4 :]
    yield with_fragments("jpeg-says-huge", "bad-header", encapsulated(), lying)
    j2k = bytearray(picture(np.zeros((16, 16), np.uint8), "JPEG2000", no_jp2=True))
    at = j2k.index(b"\xff\x51") + 6
    j2k[at : at + 8] = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    yield with_fragments("j2k-says-huge", "bad-header", encapsulated("JPEG2000"), bytes(j2k))
    boxed = bytearray(picture(np.zeros((16, 16), np.uint8), "JPEG2000"))
    at = boxed.index(b"jp2h") - 4
    boxed[at : at + 4] = bytes(4)
    yield with_fragments(
        "j2k-box-of-nothing", "truncated-file", encapsulated("JPEG2000"), bytes(boxed)
    )
    yield from _run_lengths()
    yield from _fragments()


def _run_lengths() -> Iterator[Case]:
    def run(case: str, fragment: bytes) -> Case:
        dataset = run_length()
        dataset.PixelData = encapsulate([fragment])
        return file(f"dicom-rle-{case}", "unsupported-data", "a.dcm", dicom_bytes(dataset))

    def head(*numbers: int) -> bytes:
        return struct.pack("<16I", *numbers, *[0] * (16 - len(numbers)))

    yield run("of-nothing", b"\0\0")
    yield run("half-head", head(2, 64, 70)[:30])
    yield run("many-segments", head(2**32 - 1, 64))
    yield run("one-segment", head(1, 64) + b"\x81\0" * 20)
    yield run("outside", head(2, 64, 2**31) + b"\x81\0" * 20)
    yield run("backwards", head(2, 80, 64) + b"\x81\0" * 20)
    yield run("cut", head(2, 64, 66) + b"\x05\0")


def _fragments() -> Iterator[Case]:
    raw = dicom_bytes(run_length())
    at = raw.index(b"\xe0\x7f\x10\x00")
    head, items = raw[: at + 12], raw[at + 12 :]
    unread = "unsupported-data"

    def made(case: str, code: str, body: bytes) -> Case:
        return file(f"dicom-fragments-{case}", code, "a.dcm", head + body)

    item, end = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
    yield made("none", "truncated-file", b"")
    yield made("no-end", "truncated-file", items[:-8])
    yield made("table-alone", unread, item + struct.pack("<I", 0) + end)
    yield made("table-lies", unread, item + struct.pack("<II", 4, 2**31) + items[8:])
    yield made("table-odd", unread, item + struct.pack("<I", 3) + b"abc" + items[8:])
    yield made("length-lies", unread, items[:12] + struct.pack("<I", 2**32 - 2) + items[16:])
    yield made("length-undefined", unread, items[:12] + b"\xff" * 4 + items[16:])
    yield made("no-item", "truncated-file", b"rubbish!" * 4)


def _nested() -> Iterator[Case]:
    raw = dicom_bytes()
    at = elements(raw)["00280002"]

    def before_rows(case: str, code: str, middle: bytes) -> Case:
        return file(f"dicom-{case}", code, "a.dcm", raw[:at] + middle + raw[at:])

    opened = b"\x21\x00\x01\x00SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    yield before_rows("nested-10000", "unreadable-file", opened * 10_000 + closed * 10_000)
    yield before_rows("nested-100000-open", "unreadable-file", opened * 100_000)
    groups = b"\x00\x52\x29\x92SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
    yield file("dicom-nested-groups", "unreadable-file", "a.dcm",
               raw[: elements(raw)["7fe00010"]] + groups * 10_000)  # fmt: skip
    yield before_rows("undefined-text", "truncated-file", b"\x20\x00\x00\x40UT\0\0" + b"\xff" * 4)
    yield before_rows(
        "value-beyond", "truncated-file", b"\x20\x00\x00\x40UT\0\0" + b"\xfe\xff\xff\xff"
    )
    yield before_rows("no-such-vr", "truncated-file", b"\x20\x00\x00\x40ZZ\xff\xff")
