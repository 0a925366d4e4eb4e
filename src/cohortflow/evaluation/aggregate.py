"""Values of cases to one value of the cohort, in which no case gets lost."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from cohortflow.errors import EmptyInput, InvalidEntry, UsageError
from cohortflow.evaluation.definitions import definition
from cohortflow.evaluation.denominator import CaseValue, Statistic, counted
from cohortflow.evaluation.measurement import Measurement, undefined


def aggregate(
    rows: Sequence[Measurement],
    expected: Collection[str],
    *,
    how: Statistic = "mean",
    worst: Mapping[str, float] | None = None,
    metrics: Sequence[str] = (),
) -> list[Measurement]:
    """One row per metric and label over the cases that should have a value, ``n`` of them.

    A case without a row, or whose value is undefined, counts as the worst value: that of ``worst``
    by metric, else that of the metric's definition. Where neither says one, the aggregate is
    undefined with the number of such cases. ``metrics`` get a row also where every case lost them.

    Raises EmptyInput for no case, or no row and no ``metrics``, InvalidEntry for a row of a case
    that was not expected, of two units, or for two rows of one case, UsageError where a value is
    worse than the worst.
    """
    if not expected:
        raise EmptyInput("there is no case to aggregate")
    if not rows and not metrics:
        raise EmptyInput("no case has a value, and no metric is named", hint="Name it in metrics.")
    if isinstance(expected, str) or len(set(expected)) < len(expected):
        raise UsageError("the expected cases are no names, each once", found=str(expected)[:80])
    found: dict[tuple[str, str], dict[str, Measurement]] = {}
    for row in rows:
        own = found.setdefault((row.metric, row.label), {})
        if row.case not in expected or row.case in own:
            problem = "twice" if row.case in own else "and was not expected"
            raise InvalidEntry(f"a case has {row.metric} {problem}", where=row.case)
        own[row.case] = row
    told = {metric for metric, _ in found}
    found |= {(metric, ""): {} for metric in metrics if metric not in told}
    return [
        _one(metric, label, own, expected, how, worst or {})
        for (metric, label), own in found.items()
    ]


def _one(
    metric: str,
    label: str,
    own: Mapping[str, Measurement],
    expected: Collection[str],
    how: Statistic,
    worst: Mapping[str, float],
) -> Measurement:
    defined = definition(metric)
    units = sorted({row.unit for row in own.values()}) or [defined.unit]
    if len(units) > 1:
        raise InvalidEntry(f"values of {metric} are in two units", found=", ".join(units))
    floor = worst.get(metric, defined.worst)
    known = [] if defined.worst is None else [defined.worst]
    _refuse_beyond(metric, [*(row.value for row in own.values() if row.defined), *known], floor)
    found = counted(
        CaseValue(case, own[case].value if case in own else math.nan, floor) for case in expected
    )
    if found.bottomless:
        of = f"{found.bottomless} of {found.cases} cases"
        reason = f"{of} have no value, and {metric} has no worst one"
        return undefined(metric, found.cases, reason, unit=units[0], label=label)
    return Measurement(metric, found.centre(how), units[0], len(found.values), label=label)


def _refuse_beyond(metric: str, values: Sequence[float], floor: float | None) -> None:
    """Else a case that failed would count for more than it was worth."""
    if floor is None or not values:
        return
    better = definition(metric).better
    beyond = min(values) < floor if better == "higher" else max(values) > floor
    if better == "none" or beyond:
        raise UsageError(
            f"the worst value stated for {metric} is not the worst",
            expected=f"no value {'below' if better == 'higher' else 'above'} {floor:g}",
            found=f"{min(values):g} … {max(values):g}",
        )
