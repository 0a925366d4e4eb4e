"""Colours of labels: the same in every format."""

from __future__ import annotations

import colorsys

_GOLDEN = 0.6180339887498949


def colour(value: int) -> tuple[int, int, int]:
    """A label's colour, red, green, blue to 255: neighbours in number are far apart in hue."""
    rgb = colorsys.hsv_to_rgb((value * _GOLDEN) % 1.0, 0.65, 0.95)
    red, green, blue = (round(255 * part) for part in rgb)
    return red, green, blue
