"""HDF5, npz and pictures that nobody should believe."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import PIL.Image

from tests.hostile.cases import Case, cut, file
from tests.hostile.seeds import GREY, LABELS, VOXELS, hdf5_bytes, npy_in_zip, npz, picture

FLOATS = VOXELS.astype(np.float32)


def array_cases() -> Iterator[Case]:
    yield from _hdf5()
    yield from _npz()
    yield from _pictures()


def _hdf5() -> Iterator[Case]:
    raw = hdf5_bytes()
    # Its superblock: signature, versions, sizes, base address, end of file (HDF5 format, II.A).
    places = {str(at): at for at in (0, 8, 16, 24, 48, 96, len(raw) // 2, len(raw) - 1)}
    for case in cut("hdf5", "truncated-file", "a.h5", raw, places):
        early = case.name.removeprefix("hdf5-cut-at-") in ("8", "16", "24")
        yield Case(case.name, "unreadable-file" if early else case.code, case.write)
    yield file("hdf5-text", "unreadable-file", "a.h5", b"nothing like it\n" * 40)

    def made(case: str, code: str, write) -> Case:  # type: ignore[no-untyped-def]
        def whole(folder: Path) -> None:
            with h5py.File(folder / "a.h5", "w") as target:
                write(target)

        return Case(f"hdf5-{case}", code, whole)

    def arrays(case: str, code: str, **values: object) -> Case:
        return file(f"hdf5-{case}", code, "a.h5", hdf5_bytes(**values))

    yield arrays("nan", "not-finite", image=FLOATS * np.nan)
    yield arrays("of-strings", "unsupported-data", image=np.array([b"John"] * 4))
    yield arrays("complex", "unsupported-data", image=VOXELS.astype(complex))
    yield arrays("five-axes", "unsupported-data", image=np.zeros((1, 1, 1, 2, 2)))
    yield arrays("empty", "empty-input", image=np.zeros((0, 4, 4)))
    yield arrays("of-two-sizes", "geometry-mismatch", image=VOXELS, label=LABELS[1:])
    yield arrays("label-of-thirds", "not-labels", image=VOXELS, label=VOXELS / 3)
    yield arrays("of-no-name", "bad-header", first=VOXELS, second=VOXELS)
    yield arrays("one-thing-twice", "bad-header", label=LABELS, mask=LABELS)
    yield made(
        "huge",
        "too-large",
        lambda f: f.create_dataset("image", (99999, 99999, 99), "f8", chunks=(1, 64, 64)),
    )
    yield made(
        "unwritten",
        "truncated-file",
        lambda f: f.create_dataset("image", (9, 9, 9), chunks=(1, 9, 9)),
    )
    yield made(
        "link-out",
        "outside-source",
        lambda f: f.update({"image": h5py.ExternalLink("/etc/passwd", "/")}),
    )
    yield made(
        "link-around", "outside-source", lambda f: f.update({"image": h5py.SoftLink("/image")})
    )
    yield made(
        "external",
        "outside-source",
        lambda f: f.create_dataset("image", (4, 4), "u1", external=[("/etc/passwd", 0, 16)]),
    )

    def virtual(target: h5py.File) -> None:
        layout = h5py.VirtualLayout((4, 4), "u1")
        layout[:] = h5py.VirtualSource("/etc/passwd", "image", (4, 4))
        target.create_virtual_dataset("image", layout)

    yield made("virtual", "outside-source", virtual)
    big = np.zeros((1024, 1024, 512), np.uint8)

    def bomb(target: h5py.File) -> None:
        target.create_dataset("image", data=big[:, :, :1], shape=(2**20,), compression="gzip")

    yield made("one-axis", "unsupported-data", bomb)

    def slices(folder: Path) -> None:
        for number in (1, 2, 4):
            (folder / f"case1_slice_{number}.h5").write_bytes(hdf5_bytes(image=VOXELS[0]))

    yield Case("hdf5-slice-missing", "missing-slice", slices)

    def sizes(folder: Path) -> None:
        (folder / "case1_slice_1.h5").write_bytes(hdf5_bytes(image=VOXELS[0]))
        (folder / "case1_slice_2.h5").write_bytes(hdf5_bytes(image=VOXELS[0, 1:]))

    yield Case("hdf5-slice-smaller", "mixed-size", sizes)

    def types(folder: Path) -> None:
        (folder / "case1_slice_1.h5").write_bytes(hdf5_bytes(image=VOXELS[0]))
        (folder / "case1_slice_2.h5").write_bytes(hdf5_bytes(image=FLOATS[0]))

    yield Case("hdf5-slice-of-other-type", "mixed-pixels", types)


def _npz() -> Iterator[Case]:
    raw = npz()
    # Of a zip: local header, name, data, central directory, its end.
    centre, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    places = {str(at): at for at in (0, 30, 39, 60, centre, centre + 46, end, len(raw) - 1)}
    yield from cut("npz", "truncated-file", "a.npz", raw, places)
    yield file("npz-cut-at-2", "unreadable-file", "a.npz", raw[:2])
    yield file("npz-text", "unreadable-file", "a.npz", b"nothing like it\n" * 9)
    target = io.BytesIO()
    np.savez(target, image=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    yield file("npz-pickled", "unsupported-data", "a.npz", target.getvalue())

    def said(case: str, code: str, header: str, body: bytes = bytes(64)) -> Case:
        return file(f"npz-{case}", code, "a.npz", npy_in_zip(header, body))

    plain = "{'descr': '<i2', 'fortran_order': False, 'shape': (4, 4)}"
    yield said("header-of-text", "bad-header", "not a dictionary")
    yield said("header-runs-code", "bad-header", "__import__('os').system('true')")
    yield said("header-nested", "unreadable-file", "[" * 100)
    yield said("huge", "too-large", plain.replace("(4, 4)", "(99999, 99999)"))
    yield said("negative", "empty-input", plain.replace("(4, 4)", "(-4, -4)"))
    yield said("too-short", "truncated-file", plain.replace("(4, 4)", "(64, 64)"), bytes(900))
    yield said("type-unknown", "bad-header", plain.replace("<i2", "<q9"))
    yield said("strings", "unsupported-data", plain.replace("<i2", "<U9"), bytes(4000))
    yield said("bomb-behind", "decompression-bomb", plain, bytes(64 * 2**20))
    yield file("npz-nan", "not-finite", "a.npz", npz(image=FLOATS * np.nan))
    flipped = bytearray(raw)
    flipped[70] ^= 0xFF
    yield file("npz-damaged", "unreadable-file", "a.npz", bytes(flipped))
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("image.npy", b"")
        archive.writestr("image", b"")
    yield file("npz-two-of-a-name", "bad-header", "a.npz", twice.getvalue())
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("image.npy", b"\x93NUMPY")
    yield file("npz-bzip2", "unsupported-data", "a.npz", other.getvalue())
    away = io.BytesIO()
    with zipfile.ZipFile(away, "w") as archive:
        archive.writestr("../../../image.npy", b"")
    yield file("npz-paths", "bad-header", "a.npz", away.getvalue())


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, body: bytes, depth: int = 8, colour: int = 0) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(body)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _pictures() -> Iterator[Case]:
    for name, format_, ending in (
        ("png", "PNG", "png"),
        ("jpeg", "JPEG", "jpg"),
        ("bmp", "BMP", "bmp"),
    ):
        raw = picture(GREY, format_)
        yield file(f"{name}-empty", "empty-input", f"a.{ending}", b"")
        begun = "truncated-file" if name == "jpeg" else "unreadable-file"
        yield file(f"{name}-mark", begun, f"a.{ending}", raw[:6])
        for before in (len(raw) // 3, 20, 12, *([] if name == "bmp" else [2])):  # of padding
            cut_off = raw[: len(raw) - before]
            yield file(f"{name}-cut-{before}-early", "truncated-file", f"a.{ending}", cut_off)
        yield file(f"{name}-text", "unreadable-file", f"a.{ending}", b"nothing like it\n" * 9)
    raw = picture(GREY, "TIFF")
    yield file("tiff-cut", "truncated-file", "a.tif", raw[: len(raw) - 60])
    yield file("tiff-text", "unreadable-file", "a.tif", b"II*\0" + b"\xff" * 90)
    yield file("png-says-huge", "too-large", "a.png", png(2**31 - 1, 2**31 - 1, b""))
    yield file("png-of-nothing", "truncated-file", "a.png", png(20_000, 20_000, bytes(99)))
    yield file("png-zero", "unreadable-file", "a.png", png(0, 4, b""))
    short = png(30, 24, bytes(100))
    yield file("png-rows-missing", "truncated-file", "a.png", short)
    wrong = bytearray(picture(GREY, "PNG"))
    wrong[20] ^= 1
    yield file("png-wrong-sum", "unreadable-file", "a.png", bytes(wrong))
    text = _chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(64 * 2**20)))
    whole = picture(GREY, "PNG")
    yield file("png-text-bomb", "decompression-bomb", "a.png", whole[:33] + text + whole[33:])
    yield file("gif-named-png", "unreadable-file", "a.png", picture(GREY, "GIF"))
    yield file("svg-named-png", "unreadable-file", "a.png", b"<svg onload='alert(1)'/>")
    clear = np.dstack([GREY, GREY, GREY, GREY])
    yield file("png-transparent", "unsupported-data", "a.png", picture(clear, "PNG"))
    printed = io.BytesIO()
    PIL.Image.fromarray(GREY).convert("CMYK").save(printed, "JPEG")
    yield file("jpeg-for-print", "unsupported-data", "a.jpg", printed.getvalue())
    frames = io.BytesIO()
    one = PIL.Image.fromarray(GREY)
    one.save(frames, "TIFF", save_all=True, append_images=[one, one])
    yield file("tiff-three-frames", "several-times", "a.tif", frames.getvalue())
    nan = picture(np.full((9, 9), np.nan, np.float32), "TIFF")
    yield file("tiff-nan", "not-finite", "a.tif", nan)

    def masked(case: str, code: str, name: str, mask: bytes) -> Case:
        return file(f"mask-{case}", code, "a.png", whole, **{name: mask})

    yield masked("smaller", "geometry-mismatch", "a_mask.png", picture(GREY[1:] // 40, "PNG"))
    yield masked(
        "in-colour", "not-labels", "a_mask.png", picture(np.dstack([GREY, GREY // 2, GREY]), "PNG")
    )
    rich = np.arange(GREY.size, dtype=np.uint16).reshape(GREY.shape)
    yield masked("of-many-greys", "not-labels", "a_mask.png", picture(rich, "PNG"))
    yield masked("jpeg-grey", "not-labels", "a_mask.jpg", picture(GREY * 4, "JPEG"))
