"""Units of printed and of computed numbers, and the one conversion between them."""

from __future__ import annotations

from cohortflow.errors import BadParameter, UnknownName, nearest

# unit → what it measures, and how many of it make one of that
UNITS: dict[str, tuple[str, float]] = {
    "1": ("1", 1.0),
    "fraction": ("1", 1.0),
    "kappa": ("1", 1.0),
    "percent": ("1", 100.0),
    "mm": ("mm", 1.0),
    "voxel": ("voxel", 1.0),
    "pixel": ("voxel", 1.0),
    "dB": ("dB", 1.0),
    "HU": ("HU", 1.0),
    "ml": ("ml", 1.0),
    "deg": ("deg", 1.0),
    "nat": ("nat", 1.0),
    "bit": ("bit", 1.0),
    "s": ("s", 1.0),
    "ms": ("s", 1000.0),
    "h": ("s", 1 / 3600),
    "MB": ("MB", 1.0),
    "count": ("count", 1.0),
    "lakh": ("count", 1e-5),
    "million": ("count", 1e-6),
    "giga": ("count", 1e-9),
    "arbitrary": ("arbitrary", 1.0),
}


def checked_unit(unit: str) -> str:
    if unit not in UNITS:
        raise UnknownName(f"no unit {unit!r}", hint=nearest(unit, UNITS))
    return unit


def convertible(unit: str, to: str) -> bool:
    """True where both measure the same: ``percent`` and ``1``, ``ms`` and ``s``."""
    return UNITS[checked_unit(unit)][0] == UNITS[checked_unit(to)][0] != "arbitrary"


def convert(value: float, unit: str, to: str) -> float:
    """A value of ``unit`` in ``to``; :class:`BadParameter` where they measure different things."""
    if not convertible(unit, to):
        raise BadParameter(
            "a number asked for in a unit that measures something else",
            expected=f"a unit of {UNITS[unit][0]}",
            found=to,
        )
    return value / UNITS[unit][1] * UNITS[to][1]
