"""Three planes side by side as inline SVG: to scale, with outlines of labels and sides named."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import xarray as xr

PLANES = ("axial", "coronal", "sagittal")
CONTOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
"""Okabe and Ito 2008: told apart by the colour-blind."""
PREDICTION, REFERENCE = "#E69F00", "#56B4E9"
_DASHES = "4 2.5"
_GAP = 10
_LEGEND = 24
_LETTERS_FIT = 30
_LARGE = 280


def planes_svg(dataset: xr.Dataset, alt: str, height: int = 230) -> str:
    """The planes of a ``preview`` at one scale, pixels as wide as they are in the patient.

    Labels have an outline each in a colour of their own. Where there is a reference beside them,
    the reference is drawn whole and the prediction dashed, a colour each, with a legend.
    """
    found = planes(dataset)
    scale = height / max(_size_mm(dataset, plane)[0] for plane in found)
    parts, left = [], 0.0
    for plane in found:
        high, wide = (scale * size for size in _size_mm(dataset, plane))
        parts.append(_panel(dataset, plane, left, wide, high, (height - high) / 2))
        left += wide + _GAP
    total, below = left - _GAP, _LEGEND if _compared(dataset) else 0
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:.1f} {height + below}" '
        f'width="{total:.0f}" height="{height + below}" role="img" aria-label="{html.escape(alt)}">'
        + "".join(parts)
        + (_legend(height) if below else "")
        + "</svg>"
    )


def planes(dataset: xr.Dataset) -> list[str]:
    """Names of the planes that a preview holds."""
    return [name for name in PLANES if name in dataset]


def labels_shown(dataset: xr.Dataset) -> list[int]:
    """Labels of which an outline is drawn, of prediction and reference together."""
    found: set[int] = set()
    for plane in planes(dataset):
        for suffix in ("label", "reference"):
            found.update(np.unique(_outlined(dataset, plane, suffix)).tolist())
    return sorted(value for value in found if value)


def contours(
    label: npt.NDArray[Any], shape: tuple[int, ...], colour: str = "", dashes: str = ""
) -> str:
    """The outline of every label, in pixels of the picture; each in its own colour unless told."""
    if label.shape != shape:
        return ""
    from contourpy import contour_generator

    paths = []
    for value in np.unique(label):
        if value == 0:
            continue
        inside = np.pad((label == value).astype(np.float32), 1)
        lines = contour_generator(z=inside).lines(0.5)
        drawn = "".join(
            "M" + "L".join(f"{x - 0.5:.1f} {y - 0.5:.1f}" for x, y in np.asarray(line))
            for line in lines
        )
        ink = colour or CONTOURS[(int(value) - 1) % len(CONTOURS)]
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        paths.append(
            f'<path d="{drawn}" fill="none" stroke="{ink}" stroke-width="1.3"{dashed} '
            'vector-effect="non-scaling-stroke"/>'
        )
    return "".join(paths)


def _compared(dataset: xr.Dataset) -> bool:
    return any(f"{plane}_reference" in dataset for plane in planes(dataset))


def _outlined(dataset: xr.Dataset, plane: str, suffix: str) -> npt.NDArray[Any]:
    name = f"{plane}_{suffix}"
    return dataset[name].values if name in dataset else np.zeros((1, 1), np.uint8)


def _outlines(dataset: xr.Dataset, plane: str, shape: tuple[int, ...]) -> str:
    label = _outlined(dataset, plane, "label")
    if not _compared(dataset):
        return contours(label, shape)
    reference = _outlined(dataset, plane, "reference")
    return contours(reference, shape, REFERENCE) + contours(label, shape, PREDICTION, _DASHES)


def _size_mm(dataset: xr.Dataset, plane: str) -> tuple[float, float]:
    rows, columns = dataset[plane].shape
    row_mm, column_mm = dataset[plane].attrs["pixel_mm"]
    return rows * row_mm, columns * column_mm


def _panel(
    dataset: xr.Dataset, plane: str, left: float, width: float, height: float, top: float
) -> str:
    pixels = dataset[plane].values
    rows, columns = pixels.shape
    inside = (
        f'<image href="{_png(pixels)}" width="{columns}" height="{rows}" '
        'preserveAspectRatio="none"/>' + _outlines(dataset, plane, pixels.shape)
    )
    size = 9 if height < _LARGE else 13
    drawn = (
        f'<g transform="translate({left:.2f} {top:.2f}) '
        f'scale({width / columns:.4f} {height / rows:.4f})">{inside}</g>'
    )
    sides = dataset[plane].attrs.get("sides") or ""
    places: tuple[tuple[float, float], ...] = (
        (left + width / 2, top + size + 2),
        (left + width - 7, top + height / 2),
        (left + width / 2, top + height - 4),
        (left + 7, top + height / 2),
    )
    if height < _LETTERS_FIT:  # of a thin slab the upper letter would stand on the lower
        places, sides = places[1::2], sides[1::2]
    letters = "".join(
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{size}" fill="#fff" '
        f'stroke="#000" stroke-width="1.6" paint-order="stroke">{side}</text>'
        for side, (x, y) in zip(sides, places, strict=False)
    )
    return drawn + letters


def _legend(height: float) -> str:
    parts = []
    for left, name, ink, dashes in (
        (0, "reference", REFERENCE, ""),
        (130, "prediction", PREDICTION, _DASHES),
    ):
        y = height + _LEGEND - 6
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(
            f'<path d="M{left} {y - 3}h26" stroke="{ink}" stroke-width="2.2"{dashed}/>'
            f'<text x="{left + 32}" y="{y}" font-size="13" fill="currentColor">{name}</text>'
        )
    return "".join(parts)


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(target, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode()
