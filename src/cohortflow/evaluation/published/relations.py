"""Relations that printed numbers must keep among each other, as a file states them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_OF_COLUMNS = (
    *("column", "columns", "of", "complements", "iou", "dice", "part"),
    *("accuracy", "sensitivity", "specificity", "psnr", "rmse"),
)


class _Relation(BaseModel):
    """``rows`` narrows by labels (``method`` among them); ``slack``: accepted beyond rounding."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: dict[str, Any] = {}
    slack: float = 0.0

    def named_columns(self) -> list[str]:
        """Every column that the relation speaks of."""
        told = [getattr(self, name) for name in _OF_COLUMNS if hasattr(self, name)]
        return [one for part in told for one in ([part] if isinstance(part, str) else part)]


class Mean(_Relation):
    """``column`` is the mean of the columns ``of``, by ``weights``."""

    kind: Literal["mean"]
    column: str
    of: list[str]
    weights: list[float] = []


class Harmonic(_Relation):
    """``column`` is the harmonic mean of ``of`` and of one minus each of ``complements``.

    ``averaged``: means over cases, so the printed value can only be below it (it is concave).
    """

    kind: Literal["harmonic"]
    column: str
    of: list[str]
    complements: list[str] = []
    averaged: bool = False


class Overlap(_Relation):
    """``iou`` lies between D / (2 - D) and D of ``dice``; ``pooled``: it is the former."""

    kind: Literal["overlap"]
    iou: str
    dice: str
    pooled: bool = False


class Sum(_Relation):
    """``column`` is the sum of ``of``; ``exact``: whole counts, nothing rounded."""

    kind: Literal["sum"]
    column: str
    of: list[str]
    exact: bool = False


class Share(_Relation):
    """``column`` is ``part`` of the sum of ``of``."""

    kind: Literal["share"]
    column: str
    part: str
    of: list[str]


class Counts(_Relation):
    """``columns`` are shares of whole cases; ``n``: possible denominators."""

    kind: Literal["counts"]
    columns: list[str]
    n: list[int]


class Rates(_Relation):
    """``accuracy`` from sensitivity, specificity and the share of positives."""

    kind: Literal["rates"]
    accuracy: str
    sensitivity: str
    specificity: str
    positives: float


class Distance(_Relation):
    """``column`` is the distance of ``of`` from its value in the row ``origin``."""

    kind: Literal["distance"]
    column: str
    of: str
    origin: str


class Peak(_Relation):
    """``psnr`` is 20 log10(``range`` / ``rmse``)."""

    kind: Literal["peak"]
    psnr: str
    rmse: str
    range: float


class RowMean(_Relation):
    """Rows named by ``rows`` are the mean over those with ``label`` among ``over``."""

    kind: Literal["row-mean"]
    label: str
    over: list[str]
    columns: list[str]


class Same(_Relation):
    """Rows stand in ``table`` too, under the names of ``methods`` (here → there), ``columns`` too.

    ``there`` narrows the other table by labels.
    """

    kind: Literal["same"]
    table: str
    methods: dict[str, str]
    columns: dict[str, str]
    there: dict[str, Any] = {}


Relation = Annotated[
    Mean | Harmonic | Overlap | Sum | Share | Counts | Rates | Distance | Peak | RowMean | Same,
    Field(discriminator="kind"),
]
