"""Many cases as one number a label and metric, in which nobody gains by missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from cohortflow.errors import BadParameter, EmptyInput, InvalidEntry, UndefinedResult
from cohortflow.evaluation.denominator import CaseValue, Counted, Statistic, counted
from cohortflow.evaluation.segmentation.empties import speaks_of, worst_value
from cohortflow.evaluation.segmentation.metrics import parse_metric
from cohortflow.evaluation.segmentation.pooled_rows import pooled_rows
from cohortflow.evaluation.segmentation.summary_row import About, SummaryRow
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals

if TYPE_CHECKING:
    import pandas as pd


_KEY = About._fields
_COLUMNS = (*_KEY, "value", "state", "worst")


class _Case(NamedTuple):
    case: str
    value: float
    state: str
    worst: float


def summarise_segmentations(
    tables: Mapping[str, pd.DataFrame],
    expected: Sequence[str] | None = None,
    statistic: Statistic = "mean",
    undefined: Literal["refuse", "keep"] = "refuse",
    intervals: CaseIntervals | None = None,
) -> pd.DataFrame:
    """One row per label and metric over the cases' tables from ``evaluate_segmentation``.

    ``tables``: case → its table; slices of a case count as cases. ``expected``: all cases there
    should be, each once; one without a table counts as the worst, a distance of an image nobody saw
    as infinite (``evaluate_segmentation(reference, None, …)`` tells its diagonal, and its slices:
    without them a number over slices has no value, because nobody knows how many are lost).
    ``intervals``: how to make those of the values; slices of a case are drawn together.

    A case that was missed, invented, failed or absent counts as the worst under every policy; where
    the policy of the tables is not ``strict``, the number by that policy stands in a row of its
    own, ``dice/transunet``, flagged as published. Cases with the label in neither map are left out
    of ours, and counted in ``left_out``. Volumes are no scores, and have no row. Where the tables
    hold ``voxels/tp`` and the other counts, rows ``dice/voxels`` … are of the voxels of all cases.

    Raises :class:`EmptyInput` (no case), :class:`UndefinedResult` where a label is in no case at
    all (``undefined="keep"``: a row without a value says so), :class:`InvalidEntry` (tables of
    other labels or metrics), :class:`BadParameter`.
    """
    import pandas as pd

    if statistic not in ("mean", "median"):
        raise BadParameter("no such statistic", expected="mean or median", found=repr(statistic))
    names = list(tables) if expected is None else list(expected)
    doubled = sorted(name for name, times in Counter(names).items() if times > 1)
    if doubled:
        raise BadParameter("a case is expected twice", found=", ".join(doubled))
    unknown = sorted(set(tables) - set(names))
    if unknown:
        raise BadParameter("cases that are not expected", found=", ".join(unknown))
    if not tables:
        raise EmptyInput("no case to summarise", expected="one table at least", found="none")
    _refuse_mixed(tables)
    rows = []
    for about, cases in _groups(tables, names):
        found = counted(_ours(case) for case in cases)
        rows.append(_row(about, found, statistic, intervals))
        if about.policy != "strict" and speaks_of(about.policy, parse_metric(about.metric)):
            rows.append(_published(about, cases, statistic, intervals))
    rows = [replace(row, per="slice" if _of_slices(tables) else "case") for row in rows]
    rows += pooled_rows(tables, names, intervals)
    nowhere = _nowhere([row for row in rows if not row.published])
    if nowhere and undefined == "refuse":
        more = len(nowhere[10:])
        raise UndefinedResult(
            "a label that is in no case has no metric",
            found=", ".join(nowhere[:10]) + (f" and {more} more" if more else ""),
            hint="Leave it out of labels, or say undefined='keep'.",
        )
    return pd.DataFrame([asdict(row) for row in rows])


def _nowhere(rows: Sequence[SummaryRow]) -> list[str]:
    """Labels that no case counts for; with the metrics, where they are not all."""
    all_of: dict[str, list[str]] = {}
    none_of: dict[str, list[str]] = {}
    for row in rows:
        all_of.setdefault(row.name, []).append(row.metric)
        if not row.n:
            none_of.setdefault(row.name, []).append(row.metric)
    return [
        name if metrics == all_of[name] else f"{name} ({', '.join(metrics)})"
        for name, metrics in none_of.items()
    ]


def counted_by_label(
    tables: Mapping[str, pd.DataFrame], expected: Sequence[str], metric: str
) -> dict[int, Counted]:
    """What every case counts for in rows of the summary; ``metric`` ``dice/transunet`` too."""
    found = {}
    for about, cases in _groups(tables, expected):
        if about.metric == metric:
            found[about.label] = counted(_ours(case) for case in cases)
        elif f"{about.metric}/{about.policy}" == metric:
            found[about.label] = _counted_published(cases)
    return found


def _groups(
    tables: Mapping[str, pd.DataFrame], expected: Sequence[str]
) -> Iterator[tuple[About, list[_Case]]]:
    """Each label and metric that scores, with its cases."""
    import pandas as pd

    away = [name for name in expected if name not in tables]
    table = pd.concat([frame.assign(case=case) for case, frame in tables.items()])
    slices = _of_slices(tables)
    for _, group in table.groupby(list(_KEY), sort=False, observed=True):
        about = About(*next(group[list(_KEY)].itertuples(index=False, name=None)))
        if parse_metric(about.metric).better == "none":
            continue
        cases = [_Case(*row) for row in group[list(_Case._fields)].itertuples(index=False)]
        yield about, cases + [_absent(case, about.metric, slices=slices) for case in away]


def _of_slices(tables: Mapping[str, pd.DataFrame]) -> bool:
    return "slice" in next(iter(tables.values()))


def _refuse_mixed(tables: Mapping[str, pd.DataFrame]) -> None:
    """The tables must be of the same labels and metrics."""
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


def _absent(case: str, metric: str, *, slices: bool) -> _Case:
    """A case of which nothing is known: no image, so no diagonal, and no number of slices that one
    worst value could stand for."""
    worst = math.nan if slices else worst_value(parse_metric(metric), math.inf)
    return _Case(case, worst, "failed", worst)


def _ours(case: _Case) -> CaseValue:
    """Left out: the label is in neither map, or fills the image, so that there is no share of the
    rest."""
    measured = case.state == "measured"
    left_out = case.state == "absent" or (measured and math.isnan(case.value))
    worst = None if math.isnan(case.worst) else case.worst
    return CaseValue(case.case, case.value if measured else math.nan, worst, left_out)


def _published(
    about: About, cases: Sequence[_Case], statistic: Statistic, intervals: CaseIntervals | None
) -> SummaryRow:
    """As the policy counts, under its own id."""
    found = _counted_published(cases)
    row = _row(about._replace(metric=f"{about.metric}/{about.policy}"), found, statistic, intervals)
    reason = f"as {about.policy} counts: a missed structure may improve it"
    return replace(
        row,
        missing=sum(case.state not in ("measured", "absent") for case in cases),
        published=True,
        reason=row.reason if found.bottomless else reason,
    )


def _counted_published(cases: Sequence[_Case]) -> Counted:
    return counted(
        CaseValue(
            case.case,
            case.value,
            None,
            left_out=math.isnan(case.value) and case.state != "failed",
        )
        for case in cases
    )


def _row(
    about: About, found: Counted, statistic: Statistic, intervals: CaseIntervals | None
) -> SummaryRow:
    low, high, how = math.nan, math.nan, ""
    reason = "" if found.values else "undefined: the label is in no case"
    if found.bottomless:
        reason = f"undefined: nobody knows the slices of {found.bottomless} cases without scores"
        how = "none: there is no value" if intervals is not None else ""
    elif intervals is not None and found.values:
        low, high, how = intervals.of(found, statistic)
    return SummaryRow(
        **about._asdict(),
        value=found.centre(statistic),
        statistic=statistic,
        per="case",
        low=low,
        high=high,
        interval=how,
        n=len(found.values),
        cases=found.cases,
        missing=found.missing,
        left_out=found.left_out,
        published=False,
        reason=reason,
    )
