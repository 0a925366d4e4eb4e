"""Pictures (PNG, JPEG, TIFF, BMP): images (channel, y, x), masks (y, x), in index space."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import (
    BadHeader,
    CohortflowError,
    DecompressionBomb,
    SeveralTimes,
    TruncatedFile,
    UnreadableFile,
    UnsupportedData,
)
from cohortflow.sources.images.decoded import Decoded, Request, finished, refuse_size
from cohortflow.sources.images.masks import grey_of, labels_of, united
from cohortflow.sources.images.streams import refuse_short
from cohortflow.sources.images.times import chosen_time

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_ORIENTATION = 0x0112
_PNG_END = b"IEND\xae\x42\x60\x82"
_TAIL_BYTES = 2**16
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
_UNSUPPORTED = {
    "CMYK": "printing colours (CMYK)",
    "LAB": "colours in CIELAB",
    "YCbCr": "colours in YCbCr",
    "HSV": "colours in HSV",
}


def read_pictures(request: Request) -> list[Decoded]:
    """An image (channel, y, x), or the masks of one image as one label map (y, x).

    Palettes become colours, opaque alpha is dropped, the orientation of a camera is applied.
    Several masks are united to label 1. Raises the InputError of what is wrong.
    """
    decoded = Decoded(request.role, np.empty(0), flat=True)
    if request.role == "image":
        if len(request.files) > 1:
            raise SeveralTimes(
                "several pictures where one image is expected",
                where=request.where,
                found=str(len(request.files)),
            )
        with _opened(request.files[0], request) as picture:
            decoded.array = _image(_upright(picture, request, decoded), request)
    else:
        decoded.array = united(_masks(request, decoded), decoded, request)
    return [finished(decoded, request.options, request.where)]


def _masks(request: Request, decoded: Decoded) -> Iterator[npt.NDArray[Any]]:
    for path in request.files:
        with _opened(path, request) as picture:
            lossy, raw = picture.format in ("JPEG", "MPO"), _raw_mode(picture)
            upright = _upright(picture, request, decoded)
            grey = grey_of(_pixels(upright, request, as_label=True), raw, request)
            yield labels_of(grey, lossy, decoded, request)


@contextlib.contextmanager
def _opened(path: str, request: Request) -> Iterator[Any]:
    """A picture whose size was checked; what Pillow says of damage gets its name."""
    import PIL.Image

    where = request.where
    try:
        # Not by its path: Pillow would then map plain TIFF, and scramble what a camera has turned.
        with open(path, "rb") as file, PIL.Image.open(file, formats=FORMATS) as picture:
            _refuse_size(picture, path, request)
            yield picture
    except PIL.UnidentifiedImageError as error:
        raise UnreadableFile(
            "the file is no picture that is read",
            where=where,
            expected=", ".join(FORMATS),
            hint="Is it whole, and its name right?",
        ) from error
    except PIL.Image.DecompressionBombError as error:
        raise DecompressionBomb("a picture of too many pixels", where=where) from error
    except CohortflowError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise _named(error, where) from error


def _named(error: Exception, where: str) -> UnreadableFile | TruncatedFile | DecompressionBomb:
    said = str(error).lower()
    if "truncated" in said or ("image file" in said and "end" in said) or "not enough" in said:
        return TruncatedFile(
            "the picture ends before its last pixel", where=where, hint="Copy or download it again."
        )
    if "too large" in said or "max_text" in said:
        return DecompressionBomb("a compressed text that would grow without bound", where=where)
    return UnreadableFile(
        "the picture is damaged",
        where=where,
        found=type(error).__name__,
        hint="Copy or download it again.",
    )


def _refuse_size(picture: Any, path: str, request: Request) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise BadHeader(
            "a picture without pixels", where=request.where, found=f"{width} × {height}"
        )
    bands = len(picture.getbands())
    refuse_size(width * height * bands, request.options, request.where)
    if picture.format == "PNG":
        _refuse_endless(path, request.where)
        # One bit a pixel at the least.
        refuse_short(os.path.getsize(path), width * height // 8, request.where)


def _refuse_endless(path: str, where: str) -> None:
    # Pillow takes a PNG without its end for whole where its last row was decoded.
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _TAIL_BYTES))
        if _PNG_END not in file.read():
            raise TruncatedFile(
                "the picture has no end", where=where, hint="Copy or download it again."
            )


def _upright(picture: Any, request: Request, decoded: Decoded) -> Any:
    """The frame asked for, decoded, turned as the camera said."""
    import PIL.ImageOps

    if getattr(picture, "is_animated", False):
        times = int(picture.n_frames)
        size = (times, picture.height, picture.width)
        picture.seek(chosen_time(times, size, request, decoded))
        _refuse_size(picture, request.files[0], request)
    depth = _raw_mode(picture)
    if ";16" in depth and not picture.mode.startswith("I"):
        raise UnsupportedData(
            "colours or alpha of 16 bits, of which only 8 would be read",
            where=request.where,
            expected="16 bits of grey, or 8 bits a channel",
        )
    photometric = getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC)
    if photometric == _WHITE_IS_ZERO and picture.mode not in ("1", "L"):
        raise UnsupportedData("a deep picture in which 0 is white", where=request.where)
    turned = picture.getexif().get(_ORIENTATION, 1) not in (0, 1)
    picture.load()
    upright = PIL.ImageOps.exif_transpose(picture)
    if turned:
        decoded.warn("exif-orientation", "the picture was turned as its camera noted")
    return upright


def _raw_mode(picture: Any) -> str:
    """How a pixel is stored, in Pillow's words, such as ``RGB;16B``; known before decoding."""
    arguments = picture.tile[0][3] if picture.tile else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _image(picture: Any, request: Request) -> npt.NDArray[Any]:
    pixels = _pixels(picture, request)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def _pixels(picture: Any, request: Request, as_label: bool = False) -> npt.NDArray[Any]:
    """(y, x) or (y, x, channel) without palette and alpha; of a label map the indices."""
    mode = str(picture.mode)
    if mode in _UNSUPPORTED:
        raise UnsupportedData(
            f"a picture in {_UNSUPPORTED[mode]}",
            where=request.where,
            expected="grey or RGB",
            hint="Convert it.",
        )
    if mode == "P" and as_label and not _grey_palette(picture):
        return np.asarray(picture)
    if mode in ("P", "PA", "RGB", "L") and ("transparency" in picture.info or mode == "PA"):
        picture = picture.convert("LA" if mode == "L" else "RGBA")
    elif mode == "P":
        picture = picture.convert("RGB")
    elif mode == "1":
        picture = picture.convert("L")
    elif mode not in ("L", "LA", "RGB", "RGBA", "I", "F") and not mode.startswith("I;16"):
        raise UnsupportedData("a kind of pixel that is not read", where=request.where, found=mode)
    pixels = np.asarray(picture)
    if picture.mode in ("LA", "RGBA"):
        pixels = _opaque(pixels, request.where)
    if mode == "I" and pixels.min() >= 0 and pixels.max() < 2**16:
        pixels = pixels.astype(np.uint16)
    return pixels


def _grey_palette(picture: Any) -> bool:
    colours = np.reshape(picture.getpalette("RGB"), (-1, 3))
    return bool((colours == colours[:, :1]).all())


def _opaque(pixels: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    if pixels[..., -1].min() < 255:
        raise UnsupportedData(
            "a picture that is transparent in places",
            where=where,
            expected="opaque pixels",
            hint="Lay it on a ground, and save it without alpha.",
        )
    return pixels[..., 0] if pixels.shape[-1] == 2 else pixels[..., :3]
