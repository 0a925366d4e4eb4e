"""Pictures: exactly the pixels that Pillow was given, masks as labels, and what is neither."""

from __future__ import annotations

import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from cohortflow import errors
from cohortflow.sources.images.decoded import Decoded
from tests.sources.images.reading import one, ramp, refused

GREY = ramp((4, 6), "u1") * 10
COLOURS = ramp((4, 6, 3), "u1") * 3
DEEP = (ramp((4, 6), "i4") * 2700).astype("u2")
MASK = (GREY > 100).astype("u1") * 255
LOSSLESS = ["png", "tif", "bmp"]


def saved(path: Path, pixels: np.ndarray, mode: str | None = None, **options: Any) -> Path:
    picture = Image.fromarray(pixels)
    if mode:
        picture = picture.convert(mode)
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_pixels_come_back(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    decoded = one("picture", saved(path, GREY))
    np.testing.assert_array_equal(decoded.array, GREY[None])
    assert (decoded.flat, decoded.matrix, decoded.array.dtype) == (True, None, np.uint8)
    decoded = one("picture", saved(path, COLOURS), spacing_mm=(1.0, 1.0, 1.0))
    np.testing.assert_array_equal(decoded.array, np.moveaxis(COLOURS, -1, 0))
    assert decoded.matrix is None  # a picture has no place in the body
    decoded = one("picture", saved(path, MASK, "1"))
    np.testing.assert_array_equal(decoded.array, MASK[None])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits(suffix: str, tmp_path: Path) -> None:
    decoded = one("picture", saved(tmp_path / f"a.{suffix}", DEEP))
    np.testing.assert_array_equal(decoded.array, DEEP[None])
    assert decoded.array.dtype == np.uint16


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_ways_to_compress_tiff(compression: str, tmp_path: Path) -> None:
    for pixels in (GREY, DEEP, COLOURS):
        path = saved(tmp_path / "a.tiff", pixels, compression=compression)
        expected = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        np.testing.assert_array_equal(one("picture", path).array, expected)


def test_jpeg_as_pillow_decodes_it(tmp_path: Path) -> None:
    for pixels in (GREY, COLOURS):
        path = saved(tmp_path / "a.jpg", pixels, quality=95)
        plain = np.atleast_3d(np.asarray(Image.open(path)))
        np.testing.assert_array_equal(one("picture", path).array, np.moveaxis(plain, -1, 0))


def test_floats_are_kept(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 24, dtype="f4").reshape(4, 6)
    decoded = one("picture", saved(tmp_path / "a.tif", values))
    np.testing.assert_array_equal(decoded.array, values[None])
    values[0, 0] = np.nan
    refused(errors.NotFinite, "picture", saved(tmp_path / "a.tif", values))


def test_whole_numbers_of_32_bits(tmp_path: Path) -> None:
    values = np.array([[-5, 100000], [7, 0]], "i4")
    np.testing.assert_array_equal(one("picture", saved(tmp_path / "a.tif", values)).array, [values])


def test_palettes(tmp_path: Path) -> None:
    indices = (ramp((4, 6)) % 3).astype("u1")
    picture = Image.fromarray(indices, "P")
    colours = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0]], "u1")
    picture.putpalette(colours.tobytes())
    for suffix in LOSSLESS:
        path = tmp_path / f"a.{suffix}"
        picture.save(path)
        expected = np.moveaxis(colours[indices], -1, 0)
        np.testing.assert_array_equal(one("picture", path).array, expected)
        # Of a mask the numbers count, not the colours that they are shown in.
        np.testing.assert_array_equal(one("picture", path, "label").array, indices)
    picture.putpalette(bytes([0, 0, 0, 200, 200, 200, 7, 7, 7]))
    picture.save(tmp_path / "grey.png")
    grey = np.array([0, 200, 7])[indices]
    np.testing.assert_array_equal(one("picture", tmp_path / "grey.png", "label").array, grey)


def test_alpha(tmp_path: Path) -> None:
    opaque = np.dstack([COLOURS, np.full((4, 6), 255, "u1")])
    decoded = one("picture", saved(tmp_path / "a.png", opaque))
    np.testing.assert_array_equal(decoded.array, np.moveaxis(COLOURS, -1, 0))
    grey = np.dstack([GREY, np.full((4, 6), 255, "u1")])
    np.testing.assert_array_equal(one("picture", saved(tmp_path / "a.png", grey)).array, [GREY])
    for pixels in (opaque, grey):
        pixels[0, 0, -1] = 254
        refused(errors.UnsupportedData, "picture", saved(tmp_path / "a.png", pixels))
    path = saved(tmp_path / "b.png", GREY, transparency=10)
    refused(errors.UnsupportedData, "picture", path)
    path = saved(tmp_path / "b.png", GREY, transparency=11)  # a grey that no pixel has
    np.testing.assert_array_equal(one("picture", path).array, [GREY])


@pytest.mark.parametrize("role", ["image", "label"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_the_orientation_of_a_camera(suffix: str, role: Any, tmp_path: Path) -> None:
    pixels = np.zeros((16, 32), "u1")
    pixels[:8, :8] = 255
    corners = {
        1: (0, 0),
        2: (0, -1),
        3: (-1, -1),
        4: (-1, 0),
        5: (0, 0),
        6: (0, -1),
        7: (-1, -1),
        8: (-1, 0),
    }
    for orientation, corner in corners.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = saved(tmp_path / f"a.{suffix}", pixels, exif=exif)
        decoded = one("picture", path, role)
        turned = decoded.array.reshape(decoded.array.shape[-2:])
        assert turned.shape == ((16, 32) if orientation < 5 else (32, 16))
        assert turned[corner] > 0, orientation
        assert (turned > 128 if role == "image" else turned).sum() == 64
        codes = [warning["code"] for warning in decoded.warnings]
        assert ("exif-orientation" in codes) == (orientation != 1)


def test_kinds_of_pixel_that_are_refused(tmp_path: Path) -> None:
    for mode in ("CMYK", "LAB"):
        picture = Image.new(mode, (6, 4))
        picture.save(tmp_path / "a.tif")
        refused(errors.UnsupportedData, "picture", tmp_path / "a.tif")
    Image.new("CMYK", (6, 4)).save(tmp_path / "a.jpg")
    refused(errors.UnsupportedData, "picture", tmp_path / "a.jpg")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    pixels: bytes,
    width: int = 6,
    height: int = 4,
    depth: int = 8,
    colour: int = 0,
    extra: bytes = b"",
) -> bytes:
    """By hand: rows as they are, a filter byte of 0 before each."""
    row = len(pixels) // height
    lines = b"".join(b"\0" + pixels[at * row : (at + 1) * row] for at in range(height))
    about = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", about)
        + extra
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_deep_colours_are_not_cut_to_eight_bits(colour: int, channels: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(bytes(range(24)) * 2 * channels, depth=16, colour=colour))
    refused(errors.UnsupportedData, "picture", path)


def test_deep_colours_in_tiff(tmp_path: Path) -> None:
    entries = [
        (256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 140), (277, 3, 1, 3), (278, 3, 1, 2), (279, 4, 1, 24), (284, 3, 1, 1),
    ]  # fmt: skip
    body = b"II*\0" + struct.pack("<IH", 8, len(entries))
    body += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    path = tmp_path / "a.tif"
    path.write_bytes(body + struct.pack("<3H", 16, 16, 16) + bytes(24))
    assert len(body) == 134
    refused(errors.UnsupportedData, "picture", path)


def test_labels_of_few_bits_are_not_stretched(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(bytes([0x01, 0x23, 0x45] * 4), depth=4))
    np.testing.assert_array_equal(one("picture", path, "label").array, [[0, 1, 2, 3, 4, 5]] * 4)
    path.write_bytes(png(bytes([0b00011011, 0b00010000] * 4), depth=2))
    np.testing.assert_array_equal(one("picture", path, "label").array, [[0, 1, 2, 3, 0, 1]] * 4)


def test_white_as_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    saved(path, GREY, tiffinfo={262: 0})
    assert Image.open(path).tag_v2[262] == 0
    np.testing.assert_array_equal(one("picture", path).array, np.asarray(Image.open(path))[None])
    saved(path, DEEP, tiffinfo={262: 0})
    if Image.open(path).tag_v2[262] == 0:
        refused(errors.UnsupportedData, "picture", path)


def test_pages(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY + at) for at in range(3)]
    for suffix in ("tif", "png"):
        path = tmp_path / f"a.{suffix}"
        pages[0].save(path, save_all=True, append_images=pages[1:])
        refused(errors.SeveralTimes, "picture", path)
        refused(errors.SeveralTimes, "picture", path, time=3)
        decoded = one("picture", path, time=2)
        np.testing.assert_array_equal(decoded.array, [GREY + 2])
        assert (decoded.facts["times"], decoded.used) == (3, {"time": 2})
    large = Image.fromarray(np.zeros((50, 60), "u1"))
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=[large])
    refused(errors.TooLarge, "picture", tmp_path / "b.tif", time=1, max_voxels=1000)


def test_several_pictures_are_no_image(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{at}.png", GREY) for at in range(2)]
    refused(errors.SeveralTimes, "picture", paths)


# --- masks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize(
    "values", [(0, 255), (0, 1), (255,), (0,), (1,), (0, 1, 2, 7), (0, 85, 170)]
)
def test_values_of_masks(values: tuple[int, ...], suffix: str, tmp_path: Path) -> None:
    pixels = np.array(list(itertools.islice(itertools.cycle(values), 24)), "u1").reshape(4, 6)
    expected = (pixels > 0).astype("u1") if 255 in values else pixels
    for stored in (pixels, np.dstack([pixels] * 3)):
        decoded = one("picture", saved(tmp_path / f"a.{suffix}", stored), "label")
        np.testing.assert_array_equal(decoded.array, expected)
        assert decoded.array.dtype == np.uint8
        assert decoded.facts == {"masks": 1}
        assert decoded.warnings == []
    if suffix != "bmp":
        deep = pixels.astype("u2") * (257 if 255 in values else 1)
        decoded = one("picture", saved(tmp_path / f"a.{suffix}", deep), "label")
        np.testing.assert_array_equal(decoded.array, expected)


def test_a_mask_of_one_bit(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", MASK, "1")
    np.testing.assert_array_equal(one("picture", path, "label").array, MASK // 255)


def test_several_masks_become_one(tmp_path: Path) -> None:
    left, right = np.zeros((4, 6), "u1"), np.zeros((4, 6), "u1")
    left[:, :3], right[:, 2:4] = 255, 1
    paths = [saved(tmp_path / "l.png", left, "1"), saved(tmp_path / "r.png", right)]
    decoded = one("picture", paths, "label")
    np.testing.assert_array_equal(decoded.array, ((left > 0) | (right > 0)).astype("u1"))
    assert decoded.facts == {"masks": 2, "overlapping_pixels": 4}
    assert [warning["code"] for warning in decoded.warnings] == ["masks-overlap"]
    right[:, 2] = 0
    saved(tmp_path / "r.png", right)
    decoded = one("picture", paths, "label")
    assert decoded.facts == {"masks": 2, "overlapping_pixels": 0}
    assert decoded.warnings == []


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    first = saved(tmp_path / "a.png", MASK)
    refused(errors.MixedSize, "picture", [first, saved(tmp_path / "b.png", MASK[:3])], "label")
    several = saved(tmp_path / "c.png", GREY % 3)
    refused(errors.NotLabels, "picture", [first, several], "label")


def test_what_is_no_mask(tmp_path: Path) -> None:
    refused(errors.NotLabels, "picture", saved(tmp_path / "a.png", COLOURS), "label")
    many = np.arange(256, dtype="u1").reshape(16, 16)
    refused(errors.NotLabels, "picture", saved(tmp_path / "a.png", many), "label")
    halves = np.full((4, 6), 0.5, "f4")
    refused(errors.NotLabels, "picture", saved(tmp_path / "a.tif", halves), "label")
    clear = np.dstack([MASK, MASK])
    refused(errors.UnsupportedData, "picture", saved(tmp_path / "a.png", clear), "label")


def test_masks_kept_as_jpeg(tmp_path: Path) -> None:
    disc = np.hypot(*np.mgrid[-32:32, -32:32]) < 20
    path = saved(tmp_path / "a.jpg", disc.astype("u1") * 255, quality=95)
    decoded = one("picture", path, "label")
    np.testing.assert_array_equal(decoded.array, disc.astype("u1"))
    assert [warning["code"] for warning in decoded.warnings] == ["jpeg-mask"]
    refused(errors.NotLabels, "picture", saved(path, disc.astype("u1") * 100), "label")


# --- hostile ------------------------------------------------------------------------------------


def test_sizes_that_are_only_announced(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    about = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", about)
    path.write_bytes(start + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b""))
    refused_either(path, errors.TooLarge, errors.DecompressionBomb)
    about = struct.pack(">IIBBBBB", 10000, 8000, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", about)
    path.write_bytes(start + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b""))
    refused(errors.TruncatedFile, "picture", path)
    refused(errors.TooLarge, "picture", saved(path, GREY), max_voxels=23)
    refused(errors.TooLarge, "picture", saved(path, COLOURS), max_voxels=71)
    assert one("picture", path, max_voxels=72).array.size == 72


def refused_either(path: Path, *kinds: type[errors.CohortflowError]) -> None:
    with pytest.raises(errors.InputError) as caught:
        one("picture", path)
    assert type(caught.value) in kinds


def test_a_text_that_would_grow(tmp_path: Path) -> None:
    about = PngImagePlugin.PngInfo()
    about.add_text("comment", "a" * 4 * 2**20, zip=True)
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path, pnginfo=about)
    refused(errors.DecompressionBomb, "picture", path)


def test_other_formats_are_not_even_tried(tmp_path: Path) -> None:
    for name in ("gif", "webp", "ppm", "eps", "ico"):
        path = tmp_path / "a.png"
        Image.fromarray(COLOURS).save(path, format=name)
        refused(errors.UnreadableFile, "picture", path)
    path.write_bytes(b"")
    refused(errors.EmptyInput, "picture", path)


@pytest.mark.filterwarnings("ignore")  # of Pillow; the child is silent
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
def test_damage(suffix: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype("u1")
    path = tmp_path / f"a.{suffix}"
    whole = saved(path, pixels).read_bytes()
    expected = one("picture", path).array
    for length in range(1, len(whole), 23):
        path.write_bytes(whole[:length])
        decoded = whole_or_refused(path)
        if decoded is not None:
            np.testing.assert_array_equal(decoded.array, expected)
    rng = np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(whole)
        broken[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        whole_or_refused(path)


def whole_or_refused(path: Path) -> Decoded | None:
    """None where the file was refused by name; any other exception fails the test."""
    try:
        return one("picture", path)
    except errors.InputError:
        return None


def test_colour_profiles_are_not_looked_at(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path / "a.png", COLOURS, icc_profile=profile)
    np.testing.assert_array_equal(one("picture", path).array, np.moveaxis(COLOURS, -1, 0))
