"""What a file of printed tables may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cohortflow.evaluation.published.relations import Relation
from cohortflow.evaluation.published.units import checked_unit

Task = Literal[
    "classification",
    "multilabel",
    "regression",
    "depth",
    "normals",
    "image-quality",
    "segmentation",
]
Better = Literal["higher", "lower", "none"]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Codes = Annotated[list[str], BeforeValidator(_listed)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Metric(Strict):
    """One printed metric: ``definition`` is our id of it; ``why`` says why there is none.

    ``stated``: the unit is printed, not inferred. ``policy``: the rule for empty masks that the
    printed protocol has. ``decimals``: digits that a column prints at least.
    """

    unit: Annotated[str, BeforeValidator(checked_unit)]
    better: Better
    definition: str | None = None
    task: Task | None = None
    stated: bool = True
    policy: str = ""
    decimals: int = 0
    why: str = ""

    @model_validator(mode="after")
    def _has_reason(self) -> Metric:
        if self.definition is None and not self.why:
            raise ValueError("a metric with neither a definition of ours nor a reason why not")
        return self


class Claim(Strict):
    """A gain or a rank that a paper states in words, to be held against its own numbers.

    ``gain`` of ``method`` over ``over`` is the mean over ``columns``; ``rank``: in each of them.
    ``rows`` narrows by labels.
    """

    said_in: str = "text"
    method: str
    columns: list[str] = Field(min_length=1)
    over: Codes = []
    gain: float | None = None
    digits: int = 2
    unit: Literal["percent", "points", "own"] = "own"
    rank: int | None = None
    rows: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_one(self) -> Claim:
        if (self.gain is None) == (self.rank is None) or (self.gain is not None and not self.over):
            raise ValueError("a claim states a gain over something, or a rank")
        return self


class TableFile(Strict):
    """One printed table."""

    id: str
    printed_in: str
    about: str
    dataset: str = ""
    metrics: dict[str, Metric]
    columns: list[str]
    column_metric: dict[str, str] = {}
    datasets: dict[str, str] = {}
    structures: dict[str, str] = {}
    means: dict[str, list[str]] = {}
    compare: list[str] = []
    baseline: str = ""
    flags: Codes = []
    column_flags: dict[str, Codes] = {}
    relations: list[Relation] = []
    claims: list[Claim] = []
    notes: str = ""
    rows: list[dict[str, Any]]


class CellLink(Strict):
    """Which printed row and column a point of a pipeline stands beside."""

    table: str
    column: str
    labels: dict[str, dict[Any, Any]]
    keys: dict[str, str]


class PaperFile(Strict):
    """All printed tables of one system."""

    system: str
    title: str
    year: int
    task: Task = "segmentation"
    protocol: str = ""
    notes: str = ""
    choices: dict[str, str] = {}
    cells: CellLink | None = None
    flags: dict[str, str] = {}
    tables: list[TableFile]
