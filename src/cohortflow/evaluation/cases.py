"""The cases behind a classification score, and their Parquet form.

Probabilities of all classes stand in a table of their own, a column a class.

A case is counted in one of three ways: ``scored`` (it has a prediction), ``missing`` (it should
have one and failed: wrong, whatever is asked) and ``left_out`` (its recording cannot answer:
listed, not in the denominator).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from cohortflow.errors import InvalidEntry

if TYPE_CHECKING:
    import pyarrow as pa

Counted = Literal["scored", "missing", "left_out"]
_NOTE = b"cohortflow"
_COLUMNS = ("subject", "truth", "prediction", "probability", "counted")


@dataclass(frozen=True)
class Case:
    """One subject: ``probability`` is that of the positive class; None where not predicted.

    ``probabilities`` are those of all classes in their order, where they are told.
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
    """Parquet, one row per case, sorted by subject; equal cases give equal bytes.

    Without the probabilities of all classes: :func:`write_probabilities`.
    """
    import pyarrow as pa

    types = {"probability": pa.float64()}
    note = {"classes": cases.classes, "positive": cases.positive}
    schema = pa.schema(
        [(name, types.get(name, pa.string())) for name in _COLUMNS],
        metadata={_NOTE: json.dumps(note)},
    )
    rows = [{name: getattr(case, name) for name in _COLUMNS} for case in _by_subject(cases)]
    return write_parquet(pa.Table.from_pylist(rows, schema=schema))


def write_probabilities(cases: Cases) -> bytes:
    """Parquet, one row per case that tells them, sorted by subject: subject, a column a class."""
    import pyarrow as pa

    told = [case for case in _by_subject(cases) if case.probabilities is not None]
    columns = [pa.array([case.subject for case in told], pa.string())]
    for place in range(len(cases.classes)):
        column = [case.probabilities[place] for case in told if case.probabilities is not None]
        columns.append(pa.array(column, pa.float64()))
    # Made from arrays, because a class may have the name of the first column.
    return write_parquet(pa.Table.from_arrays(columns, names=["subject", *cases.classes]))


def read_cases(data: bytes, where: str = "", probabilities: bytes | None = None) -> Cases:
    """The cases of a ``cases.parquet``, with those of a ``probabilities.parquet`` where given.

    Raises :class:`InvalidEntry` where the tables are none, or not of the same cases.
    """
    import pyarrow as pa

    table = _read_table(data, where)
    note = (table.schema.metadata or {}).get(_NOTE)
    if tuple(table.column_names) != _COLUMNS or note is None:
        raise _not_as_expected("the table holds no cases", where, _COLUMNS, table.column_names)
    about: Mapping[str, Any] = json.loads(note)
    classes = tuple(about["classes"])
    rows: Iterable[dict[str, Any]] = table.to_pylist()
    cases = [Case(**row) for row in rows]
    if probabilities is not None:
        told = _read_table(probabilities, where)
        names = ("subject", *classes)
        if tuple(told.column_names) != names or not all(
            map(pa.types.is_floating, told.schema.types[1:])
        ):
            raise _not_as_expected("no table of probabilities", where, names, told.column_names)
        cases = _joined(cases, told, where)
    return Cases(tuple(cases), classes, str(about["positive"]))


def _by_subject(cases: Cases) -> list[Case]:
    return sorted(cases.cases, key=lambda case: case.subject)


def _read_table(data: bytes, where: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Unlike read_table it takes two columns of one name.
        return pq.ParquetFile(io.BytesIO(data)).read()
    except pa.ArrowInvalid as error:
        raise InvalidEntry(f"no table of cases: {error}", where=where) from error


def _joined(cases: Sequence[Case], told: pa.Table, where: str) -> list[Case]:
    subjects, *columns = (column.to_pylist() for column in told.columns)
    rows = dict(zip(subjects, zip(*columns, strict=True), strict=True))
    scored = [case.subject for case in cases if case.counted == "scored"]
    if sorted(scored) != sorted(subjects):
        raise _not_as_expected("probabilities of other cases", where, scored[:8], subjects[:8])
    return [replace(case, probabilities=rows.get(case.subject)) for case in cases]


def _not_as_expected(
    text: str, where: str, expected: Sequence[str], found: Sequence[str]
) -> InvalidEntry:
    return InvalidEntry(text, where=where, expected=", ".join(expected), found=", ".join(found))


def write_parquet(table: pa.Table) -> bytes:
    """Parquet bytes that depend on the table alone."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    # Without its schema stored, a table loses its metadata: the classes and the positive one.
    pq.write_table(table, sink, compression="zstd", version="2.6", store_schema=True)
    return sink.getvalue()
