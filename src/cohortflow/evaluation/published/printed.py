"""A printed number with what its digits can tell, and YAML that keeps those digits."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from cohortflow.errors import BadPublishedTable

_SafeLoader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CELL_KEYS = {"mean", "sd", "significant"}


@dataclass(frozen=True)
class PrintedNumber:
    """One printed number: its value, half of its last digit's unit, and the spread beside it.

    ``sd`` is None where none is printed (``sd_text``: its digits); ``significant``: marked so.
    """

    value: float
    half_width: float
    text: str
    sd: float | None = None
    sd_text: str = ""
    significant: bool = False

    @property
    def sd_half_width(self) -> float:
        return 0.5 * 10.0 ** -len(self.sd_text.partition(".")[2])

    def __str__(self) -> str:
        mark = " *" if self.significant else ""
        return f"{self.text}{mark}" if self.sd is None else f"{self.text} ± {self.sd_text}{mark}"


def printed_number(cell: Any, decimals: int, where: str) -> PrintedNumber | None:
    """A cell of a file as a number; None where nothing is printed.

    ``decimals``: digits that a column prints at least, where a whole number stands for one with
    zeros behind. Raises :class:`BadPublishedTable` for what is no number.
    """
    if cell is None:
        return None
    spread = cell if isinstance(cell, dict) else {"mean": cell}
    mean, sd = spread.get("mean"), spread.get("sd")
    significant = spread.get("significant", False)
    fits = set(spread) <= _CELL_KEYS and isinstance(significant, bool)
    if not (fits and isinstance(mean, Decimal) and isinstance(sd, Decimal | None)):
        raise BadPublishedTable(
            "a cell that is no number",
            where=where,
            expected="a number, null, or {mean, sd, significant}",
            found=repr(cell),
        )
    exponent = mean.as_tuple().exponent
    places = exponent if isinstance(exponent, int) else 0
    return PrintedNumber(
        value=float(mean),
        half_width=0.5 * 10.0 ** min(places, -decimals),
        text=format(mean, "f") if places > -12 and mean < 10**9 else f"{mean:g}",
        sd=None if sd is None else float(sd),
        sd_text="" if sd is None else format(sd, "f"),
        significant=significant,
    )


class _Digits(_SafeLoader):  # type: ignore[misc]
    """Safe YAML whose numbers keep their digits, and whose mappings have each key once."""


def _number(loader: Any, node: Any) -> Decimal:
    try:
        found = Decimal(loader.construct_scalar(node).replace("_", ""))
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise BadPublishedTable(
            "a number that is none",
            where=f"line {node.start_mark.line + 1}",
            expected="a finite decimal number",
            found=node.value,
        )
    return found


def _mapping(loader: Any, node: Any) -> dict[Hashable, Any]:
    loader.flatten_mapping(node)
    found: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise BadPublishedTable(
                "a key that stands twice",
                where=f"line {key_node.start_mark.line + 1}",
                expected="each key once",
                found=str(key),
            )
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Digits.add_constructor("tag:yaml.org,2002:float", _number)
_Digits.add_constructor("tag:yaml.org,2002:int", _number)
_Digits.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_with_digits(text: str, where: str) -> Any:
    """YAML with numbers as :class:`decimal.Decimal`; :class:`BadPublishedTable` where it is not."""
    try:
        return yaml.load(text, Loader=_Digits)  # a SafeLoader: plain data only
    except yaml.YAMLError as error:
        raise BadPublishedTable("no YAML", where=where, found=str(error)[:300]) from error
    except BadPublishedTable as error:
        error.where = f"{where}, {error.where}"
        raise
