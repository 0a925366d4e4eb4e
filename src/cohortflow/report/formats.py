"""How numbers are printed; the raw value stands in report.json."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

ABSENT = "—"


def integer(value: Any) -> str:
    return f"{int(value):,}"


def share(value: Any) -> str:
    """A share of one as percent with one decimal."""
    return f"{100 * float(value):.1f} %"


def points(value: Any) -> str:
    """A difference of shares in percentage points, signed."""
    return f"{100 * float(value):+.1f}".replace("-", "−")


def number(value: Any) -> str:
    return "∞" if float(value) == math.inf else f"{float(value):.4g}"


def printed(value: Any) -> str:
    """A number as it stands in print, no digit added."""
    return f"{float(value):g}"


def as_printed(value: Any) -> str:
    """``{"value", "text"}``: the digits that stand in print."""
    return str(value["text"])


def signed(value: Any) -> str:
    """A difference in the unit of its column, signed."""
    return f"{float(value):+.4g}".replace("-", "−")


def fraction(value: Any) -> str:
    """Hits and denominator, ``[13, 20]`` → ``13 / 20``."""
    return f"{integer(value[0])} / {integer(value[1])}"


def interval(value: Any) -> str:
    """Two shares as a percent interval."""
    return f"{100 * value[0]:.1f}–{100 * value[1]:.1f} %"


def ends(value: Any) -> str:
    """Two numbers, either of which may be negative, as an interval."""
    return f"{value[0]:.2f} to {value[1]:.2f}".replace("-", "−")


def ends3(value: Any) -> str:
    """Two numbers of three digits as an interval."""
    return f"{value[0]:.3g} to {value[1]:.3g}".replace("-", "−").replace("inf", "∞")


def spread(value: Any) -> str:
    """``{"mean", "sd", "n", "of"}`` in the unit of its values."""
    sd = "" if value.get("sd") is None else f" ± {value['sd']:.2g}"
    return f"{value['mean']:.3g}{sd}{_some_seeds(value)}"


def mean_sd(value: Any) -> str:
    """``{"mean", "sd", "n", "of"}`` of shares as percent; no sd from a single value.

    Where fewer values stand behind the mean than were asked for, it says so.
    """
    some = _some_seeds(value)
    if value.get("sd") is None:
        return share(value["mean"]) + some
    return f"{100 * value['mean']:.1f} ± {100 * value['sd']:.1f} %{some}"


def _some_seeds(value: Any) -> str:
    n, of = value.get("n"), value.get("of")
    return f" ({n} of {of} seeds)" if n is not None and of is not None and n < of else ""


def p_value(value: Any) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def names(value: Any) -> str:
    return ", ".join(str(item) for item in value) if value else ABSENT


FORMATS: dict[str, Callable[[Any], str]] = {
    "text": str,
    "code": str,
    "command": str,
    "prose": str,
    "integer": integer,
    "share": share,
    "points": points,
    "number": number,
    "printed": printed,
    "as_printed": as_printed,
    "signed": signed,
    "fraction": fraction,
    "interval": interval,
    "ends": ends,
    "ends3": ends3,
    "spread": spread,
    "mean_sd": mean_sd,
    "p": p_value,
    "names": names,
}

TEXTUAL = frozenset({"text", "code", "command", "names", "prose"})


def cell(value: Any, format: str) -> str:
    """A table cell; what has no value is a dash, never a zero."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return ABSENT
    return FORMATS[format](value)
