"""Equal, within tolerance, or different: values, texts and arrays, one line each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

Verdict = Literal["equal", "within tolerance", "differs"]
EQUAL: Verdict = "equal"
WITHIN: Verdict = "within tolerance"
DIFFERS: Verdict = "differs"
ORDER: tuple[Verdict, ...] = (EQUAL, WITHIN, DIFFERS)
ABSENT = "absent"
_SHOWN = 160


@dataclass(frozen=True)
class Line:
    """One comparison. ``group``: the table or step it belongs to; ``where``: its place in there.

    ``values``: how many numbers, texts or files it stands for. ``difference``: the largest absolute
    one, None where there is none to tell. ``tolerance``: relative; to the number itself, or to the
    largest magnitude of the array.
    """

    group: str
    where: str
    kind: Literal["number", "text", "array", "file"]
    verdict: Verdict
    original: Any
    recomputed: Any
    difference: float | None = None
    tolerance: float = 0.0
    values: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class LeftOut:
    """Values that are not compared, by what they are, with their number and the reason."""

    what: str
    values: int
    why: str


def worst(verdicts: Iterator[Verdict] | Sequence[Verdict]) -> Verdict:
    """The worst of several; equal where there is none."""
    return max(verdicts, key=ORDER.index, default=EQUAL)


def compare(original: Any, recomputed: Any, tolerance: float, group: str, where: str) -> Line:
    """Two JSON values without members: numbers by tolerance, all others as they are."""
    if _is_number(original) and _is_number(recomputed):
        verdict, difference = _numbers(float(original), float(recomputed), tolerance)
        if isinstance(recomputed, int):  # a count has no tolerance, as whatever it was written
            verdict = EQUAL if original == recomputed else DIFFERS
        return Line(group, where, "number", verdict, original, recomputed, difference, tolerance)
    same = type(original) is type(recomputed) and original == recomputed
    kind: Literal["number", "text"] = "text"
    if _is_number(original) or _is_number(recomputed):
        kind = "number"
    return Line(
        group, where, kind, EQUAL if same else DIFFERS, _short(original), _short(recomputed)
    )


def compare_arrays(
    original: np.ndarray[Any, Any],
    recomputed: np.ndarray[Any, Any],
    tolerance: float,
    group: str,
    where: str,
) -> Line:
    """Two arrays of any one shape; ``tolerance`` is relative to the largest magnitude of one."""
    about = (_about(original), _about(recomputed))
    line = Line(group, where, "array", DIFFERS, *about, None, tolerance, max(1, original.size))
    if original.shape != recomputed.shape or original.dtype.kind != recomputed.dtype.kind:
        return line
    if original.dtype.kind not in "fiub":
        wrong = int(np.sum(original.astype(str) != recomputed.astype(str)))
        return replace(line, verdict=DIFFERS if wrong else EQUAL)
    if np.array_equal(original, recomputed, equal_nan=original.dtype.kind == "f"):
        return replace(line, verdict=EQUAL, difference=0.0)
    a, b = original.astype(np.float64), recomputed.astype(np.float64)
    unlike = np.isfinite(a) != np.isfinite(b)
    unlike |= ~np.isfinite(a) & ~np.isfinite(b) & ~((a == b) | (np.isnan(a) & np.isnan(b)))
    finite = np.isfinite(a) & np.isfinite(b)
    gaps = np.abs(a[finite] - b[finite])
    largest = float(gaps.max(initial=0.0))
    at = int(gaps.argmax()) if gaps.size else 0
    scale = float(np.abs(a[finite]).max(initial=0.0))
    good = not unlike.any() and largest <= tolerance * scale and original.dtype.kind == "f"
    values = (float(a[finite][at]), float(b[finite][at])) if gaps.size else about
    return replace(
        line,
        verdict=WITHIN if good else DIFFERS,
        difference=largest,
        original=values[0],
        recomputed=values[1],
    )


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value without members, with the names that lead to it; empty members count as one."""
    if isinstance(value, Mapping) and value:
        for name in value:
            yield from leaves(value[name], (*path, str(name)))
    elif isinstance(value, (list, tuple)) and value:
        for number, inner in enumerate(value, 1):
            yield from leaves(inner, (*path, str(number)))
    else:
        yield path, value


def compare_members(
    original: Any, recomputed: Any, tolerance: float, group: str, prefix: str = ""
) -> Iterator[Line]:
    """All values of two JSON documents, also those that only one of them has."""
    old, new = dict(leaves(original)), dict(leaves(recomputed))
    for path in dict.fromkeys([*old, *new]):
        where = ", ".join(filter(None, (prefix, *path)))
        yield compare(old.get(path, ABSENT), new.get(path, ABSENT), tolerance, group, where)


def _numbers(original: float, recomputed: float, tolerance: float) -> tuple[Verdict, float | None]:
    if original == recomputed or (math.isnan(original) and math.isnan(recomputed)):
        return EQUAL, 0.0
    if not (math.isfinite(original) and math.isfinite(recomputed)):
        return DIFFERS, None
    difference = abs(original - recomputed)
    return (WITHIN if difference <= tolerance * abs(original) else DIFFERS), difference


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _short(value: Any) -> Any:
    return value if _is_number(value) or value is None else str(value)[:_SHOWN]


def _about(array: np.ndarray[Any, Any]) -> str:
    return f"{array.dtype} {tuple(array.shape)}"
