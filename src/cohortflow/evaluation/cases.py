"""The cases behind a classification score, and their Parquet form.

A case is counted in one of three ways: ``scored`` (it has a prediction), ``missing`` (it should
have one and failed: wrong, whatever is asked) and ``left_out`` (its recording cannot answer:
listed, not in the denominator).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from cohortflow.errors import InvalidEntry

if TYPE_CHECKING:
    import pyarrow as pa

Counted = Literal["scored", "missing", "left_out"]
_NOTE = b"cohortflow"
_OF_ALL = "probabilities"


@dataclass(frozen=True)
class Case:
    """One subject: ``probability`` is that of the positive class; None where not predicted.

    ``probabilities`` are those of all classes in their order, for more than two of them.
    """

    subject: str
    truth: str
    prediction: str | None
    probability: float | None
    counted: Counted
    probabilities: tuple[float, ...] | None = None

    @property
    def correct(self) -> bool:
        return self.counted == "scored" and self.prediction == self.truth


@dataclass(frozen=True)
class Cases:
    """Cases of one score, its classes in order, and the one that sensitivity speaks of."""

    cases: tuple[Case, ...]
    classes: tuple[str, ...]
    positive: str

    @property
    def judged(self) -> list[Case]:
        """The denominator: scored and missing ones."""
        return [case for case in self.cases if case.counted != "left_out"]

    @property
    def correct(self) -> int:
        return sum(case.correct for case in self.judged)

    @property
    def negative(self) -> str:
        """Of two classes, the one that is not positive."""
        return next(name for name in self.classes if name != self.positive)

    def count(self, name: str) -> int:
        """Judged cases whose truth is the class ``name``."""
        return sum(case.truth == name for case in self.judged)

    def of_class(self, case: Case, name: str) -> float | None:
        """Probability of a class for a case; None where the case says none, or is missing."""
        if case.counted != "scored":
            return None
        if case.probabilities is not None:
            return case.probabilities[self.classes.index(name)]
        if case.probability is None or name == self.positive:
            return case.probability
        return 1.0 - case.probability if len(self.classes) == 2 else None

    def named(self, counted: Counted) -> list[str]:
        return [case.subject for case in self.cases if case.counted == counted]


_CONTROL_NAMES = {"hc", "nc", "cn", "td", "tdc", "control", "controls", "healthy", "normal"}


def positive_class(classes: Sequence[str]) -> str:
    """The last class that is not named as a control group: MCI of HC and MCI,
    LMCI of EMCI and LMCI."""
    others = [name for name in sorted(classes) if name.lower() not in _CONTROL_NAMES]
    return others[-1] if others else sorted(classes)[-1]


def write_cases(cases: Cases) -> bytes:
    """Parquet, one row per case, sorted by subject; equal cases give equal bytes."""
    import pyarrow as pa

    columns = {
        "subject": pa.string(),
        "truth": pa.string(),
        "prediction": pa.string(),
        "probability": pa.float64(),
        "counted": pa.string(),
    }
    if any(case.probabilities is not None for case in cases.cases):
        columns[_OF_ALL] = pa.list_(pa.float64())
    note = {"classes": cases.classes, "positive": cases.positive}
    schema = pa.schema(list(columns.items()), metadata={_NOTE: json.dumps(note)})
    rows = [asdict(case) for case in sorted(cases.cases, key=lambda case: case.subject)]
    return write_parquet(pa.Table.from_pylist(rows, schema=schema))


def read_cases(data: bytes, where: str = "") -> Cases:
    """The cases of a ``cases.parquet``; :class:`InvalidEntry` when it is not one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise InvalidEntry(f"no table of cases: {error}", where=where) from error
    expected = [field.name for field in fields(Case)]
    note = (table.schema.metadata or {}).get(_NOTE)
    # Two classes need no column of all probabilities.
    if table.column_names not in (expected, expected[:-1]) or note is None:
        raise InvalidEntry(
            "the table holds no cases",
            where=where,
            expected=", ".join(expected),
            found=", ".join(table.column_names),
        )
    about: Mapping[str, Any] = json.loads(note)
    rows: Iterable[dict[str, Any]] = table.to_pylist()
    return Cases(tuple(_case(row) for row in rows), tuple(about["classes"]), str(about["positive"]))


def _case(row: dict[str, Any]) -> Case:
    of_all = row.pop(_OF_ALL, None)
    return Case(**row, probabilities=None if of_all is None else tuple(of_all))


def write_parquet(table: pa.Table) -> bytes:
    """Parquet bytes that depend on the table alone."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    # Without its schema stored, a table loses its metadata: the classes and the positive one.
    pq.write_table(table, sink, compression="zstd", version="2.6", store_schema=True)
    return sink.getvalue()
