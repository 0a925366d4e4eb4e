"""One measured number with its unit and denominator, and tables of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from cohortflow.evaluation.cases import write_parquet
from cohortflow.evaluation.definitions import definition

_WHERE_SAID = ("case", "label")


@dataclass(frozen=True)
class Measurement:
    """One metric: value (NaN with a ``reason`` where undefined), the number of cases or pixels it
    counts, its interval (NaN where none is given) and how that was made.

    ``case`` and ``label`` say of which; empty for the whole cohort, and for all classes.
    """

    metric: str
    value: float
    unit: str
    n: int
    low: float = math.nan
    high: float = math.nan
    interval: str = ""
    reason: str = ""
    case: str = ""
    label: str = ""

    @property
    def defined(self) -> bool:
        return not math.isnan(self.value)


def measured(
    metric: str, value: float, n: int, *, unit: str = "", case: str = "", label: str = ""
) -> Measurement:
    """A value in the unit of its definition, or in ``unit`` where that leaves it to the caller."""
    unit = unit or definition(metric).unit
    return Measurement(metric, float(value), unit, n, case=case, label=label)


def undefined(
    metric: str, n: int, reason: str, *, unit: str = "", case: str = "", label: str = ""
) -> Measurement:
    """No value, and why."""
    unit = unit or definition(metric).unit
    return Measurement(metric, math.nan, unit, n, reason=reason, case=case, label=label)


def write_measurements(rows: Sequence[Measurement]) -> bytes:
    """Parquet, one row per metric; equal rows give equal bytes.

    The columns ``case`` and ``label`` are there where a row says them.
    """
    import pyarrow as pa

    types = {"str": pa.string(), "float": pa.float64(), "int": pa.int64()}
    empty = {name for name in _WHERE_SAID if not any(getattr(row, name) for row in rows)}
    kept = [field for field in fields(Measurement) if field.name not in empty]
    schema = pa.schema([(field.name, types[str(field.type)]) for field in kept])
    table = [{field.name: asdict(row)[field.name] for field in kept} for row in rows]
    return write_parquet(pa.Table.from_pylist(table, schema=schema))
