"""Obtained numbers of segmentation for printed columns, from the summary of a cohort."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cohortflow.errors import InvalidEntry
from cohortflow.evaluation.published.correspondence import Correspondence, correspondence
from cohortflow.evaluation.published.tables import PublishedTable
from cohortflow.evaluation.segmentation.seeds import SeedSummary, over_seeds

if TYPE_CHECKING:
    import pandas as pd

USUAL = "mean over cases"
"""What printed numbers of segmentation are."""
BY_ID = "pooled over voxels"
"""What an id such as dice/voxels says of itself."""
_COLUMNS = (
    *("name", "metric", "value", "unit", "n", "cases", "low", "high"),
    *("missing", "left_out", "policy", "statistic", "per"),
)


@dataclass(frozen=True)
class Obtained:
    """A number of ours for a printed column: metric id, value in ``unit``, n of cases, interval.

    ``value``: mean over ``seeds`` of ``seeds_asked``, ``sd`` between them. ``low``, ``high``: over
    the cases of one seed, the first that finished; NaN where there is none. ``structures``: how
    many it is the mean of. ``empty``: cases of which nothing was measured, so that a rule for empty
    masks may count them otherwise. ``reason``: why there is no value, where it is NaN.
    ``statistic`` over what of a cohort.
    """

    id: str
    value: float
    unit: str
    n: int
    cases: int
    low: float
    high: float
    structures: int
    empty: int = 0
    reason: str = ""
    statistic: str = USUAL
    sd: float = math.nan
    seeds: int = 1
    seeds_asked: int = 1


def read_summary(data: bytes, where: str) -> pd.DataFrame:
    """``summary.parquet`` of a cohort; :class:`InvalidEntry` where it lacks a column."""
    import pandas as pd

    summary = pd.read_parquet(io.BytesIO(data))
    missing = [name for name in _COLUMNS if name not in summary.columns]
    if missing:
        raise InvalidEntry(
            "no summary of segmentations",
            where=where,
            expected=", ".join(_COLUMNS),
            found=f"no {', '.join(missing)}",
        )
    return summary


def obtained(
    table: PublishedTable, column: str, seeds: Sequence[SeedSummary], asked: int
) -> list[Obtained]:
    """Ours for a printed column; none where nothing of ours corresponds or the summary lacks it.

    A column of one structure takes the row of that name, words in any order; any other column of a
    table of structures is the mean over them, and has no value unless all are there; a table that
    names none takes the only label of the summary. Where the printed protocol has a rule for empty
    masks, ours by that rule comes first and the strict one beside it: that rule may gain by a miss.
    ``asked``: how many seeds there should be.
    """
    ours = correspondence(table, column)
    if ours.task != "segmentation":
        return []
    found = []
    first = next((one for one in seeds if not one.failed), None)
    for id in ours.ids:
        of_seeds = {
            s.seed: _of_seed(table, column, id, ours.ids[-1], s, bounded=s is first) for s in seeds
        }
        if any(of_seeds.values()):
            found.append(_over_seeds(of_seeds, asked))
            if not found[-1].empty:
                break  # no empty mask, so the strict number is the same
    return found


def _wanted(table: PublishedTable, column: str) -> Sequence[str]:
    """Structures that a column is about; empty for a table that names none."""
    if column in table.structures:
        return [table.structures[column]]
    parts = table.means.get(column, tuple(table.structures))
    return list(dict.fromkeys(table.structures.get(part, part) for part in parts))


def _rows_of(table: PublishedTable, column: str, rows: pd.DataFrame) -> pd.DataFrame:
    keys = {_words(name) for name in _wanted(table, column)}
    if keys:
        if column in table.structures:
            keys.add(_words(column))
        return rows[[_words(name) in keys for name in rows["name"]]]
    return rows if len(rows) == 1 else rows.iloc[:0]


def _words(name: object) -> frozenset[str]:
    """``left kidney``, ``kidney_left`` and ``Kidney Left`` are one name."""
    return frozenset(str(name).casefold().replace("_", " ").replace("-", " ").split())


def _of_seed(
    table: PublishedTable, column: str, id: str, strict: str, seed: SeedSummary, *, bounded: bool
) -> Obtained | None:
    def rows_of(metric: str) -> pd.DataFrame:
        return _rows_of(table, column, seed.summary[seed.summary["metric"] == metric])

    rows, counted = rows_of(id), rows_of(strict)
    if not len(rows):
        return None
    empty = int(counted["missing"].sum() + counted["left_out"].sum())
    made = replace(_joined(id, rows, _wanted(table, column)), empty=empty)
    if not bounded:
        return replace(made, low=math.nan, high=math.nan)
    if made.structures > 1 and not made.reason:
        low, high, _ = seed.interval_of_mean(id, [int(label) for label in rows["label"]])
        return replace(made, low=low, high=high)
    return made


def _over_seeds(found: Mapping[Any, Obtained | None], asked: int) -> Obtained:
    """Mean over seeds, and why there is none; the interval of the first that finished."""
    known = [one for one in found.values() if one is not None]
    pooled = over_seeds([one.value if one else math.nan for one in found.values()], asked)
    why = {
        seed: one.reason if one else "none of its structures are here"
        for seed, one in found.items()
    }
    reasons = [f"seed {seed}: {text}" if asked > 1 else text for seed, text in why.items() if text]
    finished = next((one for one in known if not math.isnan(one.low)), known[0])
    return replace(
        finished,
        value=pooled.mean,
        sd=pooled.sd,
        seeds=pooled.n,
        seeds_asked=asked,
        n=min(one.n for one in known),
        cases=max(one.cases for one in known),
        empty=max(one.empty for one in known),
        reason="; ".join(reasons),
    )


def _joined(id: str, rows: pd.DataFrame, wanted: Sequence[str]) -> Obtained:
    values = rows["value"].astype(float)
    undefined = int(values.isna().sum())
    reason = ""
    if len(rows) < len(wanted):
        reason = f"{len(rows)} of its {len(wanted)} structures are here"
    elif undefined:
        reason = f"{undefined} of {len(rows)} structures have no value"
    elif not all(map(math.isfinite, values)):
        reason = "a case counts as infinitely bad"
    alone = len(rows) == 1 and not reason
    return Obtained(
        id=id,
        value=math.nan if reason else float(values.mean()),
        unit=str(rows["unit"].iloc[0]),
        n=int(rows["n"].min()),
        cases=int(rows["cases"].max()),
        low=float(rows["low"].iloc[0]) if alone else math.nan,
        high=float(rows["high"].iloc[0]) if alone else math.nan,
        structures=len(rows),
        reason=reason,
        statistic=f"{rows['statistic'].iloc[0]} over {rows['per'].iloc[0]}s",
    )


def place_among(table: PublishedTable, column: str, value: float, group: int) -> tuple[int, int]:
    """Place that a number of ours, in the printed unit, has among a group's methods and itself."""
    better = table.better[column]
    printed = [
        found
        for row in table.groups()[group]
        if not row.reference and (found := row.values[column]) is not None
    ]
    ahead = sum(found > value if better == "higher" else found < value for found in printed)
    return 1 + ahead, len(printed) + 1


def comparable(ours: Correspondence, found: Obtained) -> bool:
    """True where a difference may be formed: one definition, stated and convertible units, a mean
    over cases.

    A rule for empty masks makes no other definition where no mask was empty.
    """
    same = (found.id == ours.ids[0] or not found.empty) and found.statistic in (USUAL, BY_ID)
    return same and ours.comparable(found.unit) and not math.isnan(found.value)
