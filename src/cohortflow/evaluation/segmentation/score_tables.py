"""Tables of scored cases as Parquet, and many of them as one table in which nobody is lost."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cohortflow.errors import InvalidEntry
from cohortflow.evaluation.cases import write_parquet
from cohortflow.evaluation.segmentation.empties import (
    REASONS,
    State,
    value_where_empty,
    worst_value,
)
from cohortflow.evaluation.segmentation.metrics import COUNTS, parse_metric

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("label", "name", "metric", "value", "unit", "n", "reason", "state", "worst", "policy"),
)
"""Of one case, and before them ``slice`` where each slice is an image."""
_WHOLE = ("slice", "label", "n", "cases", "missing", "left_out")
_KIND = ["metric", "unit", "policy"]
_SEVERITY = {"measured": 0, "absent": 1, "invented": 2, "missed": 2, "failed": 3}


def write_table(table: pd.DataFrame) -> bytes:
    """Parquet; equal tables give equal bytes."""
    import pyarrow as pa

    types = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "text": pa.string()}
    schema = pa.schema([(str(name), types[_type(table[name], str(name))]) for name in table])
    made = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
    return write_parquet(made.replace_schema_metadata(None))


def _type(column: pd.Series, name: str) -> str:
    if name in _WHOLE:
        return "int"
    return {"f": "float", "b": "bool", "i": "float"}.get(column.dtype.kind, "text")


def read_table(data: bytes, where: str = "") -> pd.DataFrame:
    """The table of one case; :class:`InvalidEntry` where it is another."""
    import pandas as pd
    import pyarrow as pa

    try:
        table = pd.read_parquet(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise InvalidEntry(f"no table of scores: {error}", where=where) from error
    if not set(COLUMNS) <= set(table.columns):
        raise InvalidEntry(
            "the table holds no scores of segmentations",
            where=where,
            expected=", ".join(COLUMNS),
            found=", ".join(map(str, table.columns)),
            hint="Let the step read score_segmentation.",
        )
    return table


def of_equal_labels(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables of cases that each know their own labels only, with rows for all labels of all.

    A label that a case lacks is in neither of its maps: absent; of a case that failed nobody knows
    what its prediction would have held: failed.
    """
    import pandas as pd

    labels = pd.concat([table[["label", "name"]] for table in tables.values()]).drop_duplicates()
    labels = labels.sort_values(["label", "name"])
    if labels["label"].duplicated().any():
        raise InvalidEntry(
            "one label has two names, and each would be absent from the cases of the other",
            found=", ".join(labels.loc[labels["label"].duplicated(keep=False), "name"]),
            hint="Give every step that scores the same labels.",
        )
    filled = {}
    for case, table in tables.items():
        own = set(table[["label", "name"]].itertuples(index=False, name=None))
        lacking = [one for one in labels.itertuples(index=False, name=None) if one not in own]
        added = [_lacking(table, label, name) for label, name in lacking]
        filled[case] = pd.concat([table, *added], ignore_index=True) if added else table
    return filled


def _lacking(table: pd.DataFrame, label: int, name: str) -> pd.DataFrame:
    state: State = "failed" if (table["state"] == "failed").any() else "absent"
    images = [column for column in ("slice",) if column in table]
    rows = table.drop_duplicates([*images, *_KIND])[[*images, *_KIND, "value", "worst"]]
    total = _voxels(rows, images)
    columns = (rows["metric"], rows["policy"], rows["worst"], total)
    values = [_value(*row, state) for row in zip(*columns, strict=True)]
    return rows.assign(
        label=label,
        name=name,
        state=state,
        value=values,
        n=[int(not math.isnan(value)) for value in values],
        reason=REASONS[state],
    )[table.columns.tolist()]


def _voxels(rows: pd.DataFrame, images: Sequence[str]) -> Sequence[float]:
    """Of the image that each row is of; 0 where nothing is counted."""
    counts = rows["value"].where(rows["metric"].isin(COUNTS), 0.0)
    if images:
        return counts.groupby(rows[images[0]]).transform("sum").tolist()
    return [float(counts.sum())] * len(rows)


def _value(metric: str, policy: str, worst: float, voxels: float, state: State) -> float:
    parsed = parse_metric(metric)
    if parsed.family == "counts":
        return voxels if metric == "voxels/tn" else 0.0
    if parsed.family == "volume":
        return math.nan if state == "failed" and metric == "volume/prediction" else 0.0
    return value_where_empty(parsed, state, policy, worst)


def once(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A case that was scored several times, by folds that had not seen it, counts once.

    Its mean where it was measured each time; else as the worst of what became of it: what failed
    at one of them, or was invented there, cannot gain by the others.
    """
    import pandas as pd

    if len(tables) == 1:
        return tables[0]
    rows = pd.concat(tables, ignore_index=True)
    key = [column for column in ("slice", "label", "name", *_KIND) if column in rows]
    rows["lost"] = rows["state"].map(_SEVERITY)
    mean = rows.groupby(key, sort=False)["value"].transform("mean")
    lost = rows.groupby(key, sort=False)["lost"].transform("max")
    rows["value"] = rows["value"].where(lost > 0, mean)
    rows = rows.sort_values("lost", ascending=False, kind="stable").drop_duplicates(key)
    return rows.sort_index().drop(columns="lost").reset_index(drop=True)


def long_table(
    tables: Mapping[str, pd.DataFrame],
    away: Sequence[str],
    groups: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """All cases in one table, ``subject`` first; those ``away`` have rows without a value.

    ``group``, where subjects have one: what is no case of its own, in a test either.
    """
    import pandas as pd

    parts = [table.assign(subject=case) for case, table in tables.items()]
    first = next(iter(tables.values())).drop_duplicates(["label", "name", *_KIND])
    if "slice" in first:
        first = first.assign(slice=-1)
    worst = [worst_value(parse_metric(metric), math.inf) for metric in first["metric"]]
    lost = first.assign(
        value=math.nan, n=0, state="failed", worst=worst, reason="failed: no scores"
    )
    parts += [lost.assign(subject=case) for case in away]
    table = pd.concat(parts, ignore_index=True).sort_values("subject", kind="stable")
    first_columns = ["subject"]
    if groups is not None:
        table = table.assign(group=table["subject"].map(groups))
        first_columns.append("group")
    return table[[*first_columns, *(name for name in table.columns if name not in first_columns)]]


def short_tables(cases: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The inverse of :func:`long_table`: case → its table, and the cases that have none.

    A case without scores has a table of its worst values, but of slices: nobody knows how many.
    """
    own = cases.drop(columns=[name for name in ("subject", "group") if name in cases])
    value = own["value"].where((own["state"] != "failed") | own["value"].notna(), own["worst"])
    tables, away = {}, []
    for subject, table in own.assign(value=value).groupby(cases["subject"].astype(str)):
        if "slice" in table and (table["slice"] < 0).any():
            away.append(str(subject))
        else:
            tables[str(subject)] = table.reset_index(drop=True)
    return tables, away


def as_failed(cases: pd.DataFrame) -> pd.DataFrame:
    """The same cases (of :func:`long_table`), had every one of them failed."""
    value = _unpredicted(cases)
    return cases.assign(
        state="failed", value=value, n=value.notna().astype(int), reason=REASONS["failed"]
    )


def _unpredicted(cases: pd.DataFrame) -> pd.Series:
    """The worst of each row, and counts of voxels had nothing been predicted."""
    key = [name for name in ("subject", "slice", "label") if name in cases]
    counts = cases[cases["metric"].isin(COUNTS)]
    if not len(counts):
        return cases["worst"]
    wide = counts.set_index([*key, "metric"])["value"].unstack("metric")
    lost = wide * 0.0
    lost["voxels/fn"] = wide["voxels/tp"] + wide["voxels/fn"]
    lost["voxels/tn"] = wide["voxels/fp"] + wide["voxels/tn"]
    at = lost.stack().reindex([*counts[[*key, "metric"]].itertuples(index=False, name=None)])
    value = cases["worst"].copy()
    value.loc[counts.index] = at.to_numpy()
    return value
