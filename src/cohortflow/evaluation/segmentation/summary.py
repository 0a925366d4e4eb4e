"""Many cases as one number a label and metric, in which nobody gains by missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from cohortflow.errors import BadParameter, EmptyInput, InvalidEntry, UndefinedResult
from cohortflow.evaluation.segmentation.empties import speaks_of, worst_value
from cohortflow.evaluation.segmentation.metrics import parse_metric

if TYPE_CHECKING:
    import pandas as pd

Statistic = Literal["mean", "median"]


class _About(NamedTuple):
    label: int
    name: str
    metric: str
    unit: str
    policy: str


_KEY = _About._fields
_COLUMNS = (*_KEY, "value", "state", "worst")


class _Case(NamedTuple):
    value: float
    state: str
    worst: float


@dataclass(frozen=True)
class SummaryRow:
    """One label and metric over ``n`` of ``cases``.

    ``missing``: missed, invented, failed and absent cases among the n, each counted as its worst.
    ``left_out``: cases with the label in neither map, not among the n. ``published``: the number of
    a policy other than strict, for a printed table to stand beside, never alone.
    """

    label: int
    name: str
    metric: str
    value: float
    unit: str
    statistic: str
    n: int
    cases: int
    missing: int
    left_out: int
    policy: str
    published: bool
    reason: str


def summarise_segmentations(
    tables: Mapping[str, pd.DataFrame],
    expected: Sequence[str] | None = None,
    statistic: Statistic = "mean",
    undefined: Literal["refuse", "keep"] = "refuse",
) -> pd.DataFrame:
    """One row per label and metric over the cases' tables from ``evaluate_segmentation``.

    ``tables``: case → its table; slices of a case count as cases. ``expected``: all cases there
    should be; one without a table counts as the worst, a distance of an image nobody saw as
    infinite (``evaluate_segmentation(reference, None, …)`` tells its diagonal).

    A case that was missed, invented, failed or absent counts as the worst under every policy; where
    the policy of the tables is not ``strict``, the number by that policy stands in a row of its
    own, ``dice/transunet``, flagged as published. Cases with the label in neither map are left out
    of ours, and counted in ``left_out``.

    Raises :class:`EmptyInput` (no case), :class:`UndefinedResult` where a label is in no case at
    all (``undefined="keep"``: a row without a value says so), :class:`InvalidEntry` (tables of
    other labels or metrics), :class:`BadParameter`.
    """
    import pandas as pd

    if statistic not in ("mean", "median"):
        raise BadParameter("no such statistic", expected="mean or median", found=repr(statistic))
    names = list(tables) if expected is None else list(expected)
    unknown = sorted(set(tables) - set(names))
    if unknown:
        raise BadParameter("cases that are not expected", found=", ".join(unknown))
    if not tables:
        raise EmptyInput("no case to summarise", expected="one table at least", found="none")
    frames = _of_one_kind(tables)
    absent = len(set(names) - set(tables))
    rows = []
    for _, group in pd.concat(frames).groupby(list(_KEY), sort=False, observed=True):
        about = _About(*next(group[list(_KEY)].itertuples(index=False, name=None)))
        cases = [_Case(*row) for row in group[["value", "state", "worst"]].itertuples(index=False)]
        cases += [_absent(about.metric)] * absent
        rows.append(_ours(about, cases, statistic))
        if about.policy != "strict" and speaks_of(about.policy, parse_metric(about.metric)):
            rows.append(_published(about, cases, statistic))
    nowhere = [f"{row.name} ({row.metric})" for row in rows if not row.n and not row.published]
    if nowhere and undefined == "refuse":
        raise UndefinedResult(
            "a label that is in no case has no metric",
            found=", ".join(nowhere[:10]),
            hint="Leave it out of labels, or say undefined='keep'.",
        )
    return pd.DataFrame([asdict(row) for row in rows])


def _of_one_kind(tables: Mapping[str, pd.DataFrame]) -> list[pd.DataFrame]:
    """The tables, which must be of the same labels and metrics."""
    first: set[tuple[object, ...]] | None = None
    for case, table in tables.items():
        if not set(_COLUMNS) <= set(table.columns):
            raise InvalidEntry(
                "no table of evaluate_segmentation",
                where=case,
                expected=", ".join(_COLUMNS),
                found=", ".join(map(str, table.columns)),
            )
        kinds = set(table[list(_KEY)].itertuples(index=False, name=None))
        first = kinds if first is None else first
        if kinds != first:
            raise InvalidEntry(
                "cases measured in other labels, metrics, units or policies than the first",
                where=case,
                found=str(sorted(map(str, kinds ^ first))[:4]),
            )
    return list(tables.values())


def _absent(metric: str) -> _Case:
    """A case of which nothing is known: no image, so no diagonal."""
    worst = worst_value(parse_metric(metric), math.inf)
    return _Case(worst, "failed", worst)


def _ours(about: _About, cases: Sequence[_Case], statistic: Statistic) -> SummaryRow:
    counted = [case for case in cases if not _left_out(case)]
    values = [case.value if case.state == "measured" else case.worst for case in counted]
    return SummaryRow(
        **about._asdict(),
        value=_statistic(values, statistic),
        statistic=statistic,
        n=len(values),
        cases=len(cases),
        missing=sum(case.state != "measured" for case in counted),
        left_out=len(cases) - len(counted),
        published=False,
        reason="" if values else "undefined: the label is in no case",
    )


def _left_out(case: _Case) -> bool:
    """The label is in neither map, or fills the image, so that there is no share of the rest."""
    return case.state == "absent" or (case.state == "measured" and math.isnan(case.value))


def _published(about: _About, cases: Sequence[_Case], statistic: Statistic) -> SummaryRow:
    """As the policy counts, under its own id."""
    values = [case.value for case in cases if not math.isnan(case.value)]
    return SummaryRow(
        **about._replace(metric=f"{about.metric}/{about.policy}")._asdict(),
        value=_statistic(values, statistic),
        statistic=statistic,
        n=len(values),
        cases=len(cases),
        missing=sum(case.state not in ("measured", "absent") for case in cases),
        left_out=len(cases) - len(values),
        published=True,
        reason=f"as {about.policy} counts: a missed structure may improve it",
    )


def _statistic(values: Sequence[float], statistic: Statistic) -> float:
    if not values:
        return math.nan
    return float(np.mean(values) if statistic == "mean" else np.median(values))
