"""From the grey values of mask pictures to labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import MixedSize, NotLabels
from cohortflow.sources.images.decoded import Decoded, Request

MAX_LABELS = 64
"""More grey values than this are a picture of something."""
_NEAR = 32  # as far as JPEG takes a black or a white pixel from its value
_SCALED_BY = {"L;4": 17, "L;2": 85}  # grey of few bits, which Pillow stretches to 0 … 255


def grey_of(pixels: npt.NDArray[Any], raw_mode: str, request: Request) -> npt.NDArray[Any]:
    """(y, x) of (y, x) or (y, x, channel) with equal channels; else raises :class:`NotLabels`."""
    if pixels.ndim == 3:
        if (pixels != pixels[..., :1]).any():
            raise NotLabels(
                "a mask in colours",
                where=request.where,
                expected="grey values or a palette",
                hint="Save it as grey values, a number for each class.",
            )
        pixels = pixels[..., 0]
    return pixels // _SCALED_BY[raw_mode] if raw_mode in _SCALED_BY else pixels


def labels_of(
    grey: npt.NDArray[Any], lossy: bool, decoded: Decoded, request: Request
) -> npt.NDArray[Any]:
    """(y, x): 0 and 1 of a mask that is black and white, else its few grey values as they are.

    White among other greys is refused: a mask of the same set that holds white alone would be read
    as 1.
    """
    if lossy:
        return _thresholded(grey, decoded, request)
    values = np.unique(grey)
    if len(values) > MAX_LABELS:
        raise NotLabels(
            "a picture with many grey values where a mask is expected",
            where=request.where,
            expected=f"at most {MAX_LABELS}",
            found=str(len(values)),
        )
    if set(values.tolist()) <= {0, 255} or set(values.tolist()) <= {0, 65535}:
        return (grey > 0).astype(np.uint8)
    if grey.dtype.kind in "iu" and values[-1] == np.iinfo(grey.dtype).max:
        raise NotLabels(
            "white and other greys in one mask: which label white is, none of them says",
            where=request.where,
            expected="black and white, or the labels' own numbers",
            found=str(values.tolist()[:9]),
            hint="Write the labels as 1, 2, 3.",
        )
    return grey


def united(
    masks: Iterable[npt.NDArray[Any]], decoded: Decoded, request: Request
) -> npt.NDArray[Any]:
    """One label map (y, x): of one mask its labels, of several label 1 where any of them is.

    Facts: ``masks``, and of several ``overlapping_pixels``. Raises :class:`MixedSize`,
    :class:`NotLabels`.
    """
    if len(request.files) == 1:
        (mask,) = masks
        decoded.facts["masks"] = 1
        return mask
    count: npt.NDArray[np.int32] | None = None
    for mask in masks:
        if count is None:
            count = np.zeros(mask.shape, np.int32)
        if mask.shape != count.shape:
            raise MixedSize(
                "masks of one image that differ in size",
                where=request.where,
                expected=str(count.shape),
                found=str(mask.shape),
            )
        if len(np.unique(mask[mask != 0])) > 1:
            raise NotLabels(
                "several masks of one image, one of them with several labels",
                where=request.where,
                expected="black and white ones, or all labels in one file",
            )
        count += mask != 0
    assert count is not None
    overlapping = int((count > 1).sum())
    decoded.facts |= {"masks": len(request.files), "overlapping_pixels": overlapping}
    if overlapping:
        decoded.warn("masks-overlap", f"{overlapping} pixels belong to more than one mask")
    return (count > 0).astype(np.uint8)


def _thresholded(
    grey: npt.NDArray[Any], decoded: Decoded, request: Request
) -> npt.NDArray[np.uint8]:
    between = int(((grey > _NEAR) & (grey < 255 - _NEAR)).sum())
    if between:
        raise NotLabels(
            "a JPEG that is no mask in black and white",
            where=request.where,
            expected=f"values near 0 and 255 (within {_NEAR})",
            found=f"{between} pixels between",
            hint="Save masks as PNG.",
        )
    off = int(((grey != 0) & (grey != 255)).sum())
    decoded.warn(
        "jpeg-mask", f"a mask kept as JPEG, {off} pixels off black and white: halved at 128"
    )
    return (grey >= 128).astype(np.uint8)
