"""Printed tables as typed rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from cohortflow.evaluation.published.printed import PrintedNumber
from cohortflow.evaluation.published.relations import Relation
from cohortflow.evaluation.published.schema import Better, Claim, Metric, Task

Label = str | int | float | bool | None


@dataclass(frozen=True)
class PublishedRow:
    """One printed row: ``labels`` say what it is of, ``numbers`` are as printed (None: no number).

    ``reference``: what methods are held against (an untreated input, a reader), not one of them.
    ``flags`` maps a column to the reason why its number is doubtful; ``flag`` is of the whole row.
    """

    method: str
    proposed: bool
    labels: Mapping[str, Label]
    numbers: Mapping[str, PrintedNumber | None]
    reference: bool = False
    flags: Mapping[str, str] = field(default_factory=dict)
    flag: str = ""

    @cached_property
    def values(self) -> dict[str, float | None]:
        return {name: None if n is None else n.value for name, n in self.numbers.items()}

    @cached_property
    def said(self) -> dict[str, Label]:
        """What the row is of: its labels, and its method as one of them."""
        return {**self.labels, "method": self.method}

    @property
    def name(self) -> str:
        """Method and labels, as a person would say which row."""
        said = (f"{key} {label}" for key, label in self.labels.items() if label is not None)
        return ", ".join((self.method, *said))

    def fits(self, wanted: Mapping[str, object]) -> bool:
        """True where method and labels are the wanted ones; a list admits each of its members."""
        return all(
            self.said.get(key) in (wish if isinstance(wish, list) else [wish])
            for key, wish in wanted.items()
        )


@dataclass(frozen=True)
class PublishedTable:
    """One printed table. ``metrics``: what each column prints. ``structures``: what it is of, and
    ``datasets`` where several stand side by side.

    ``means``: a column that is the mean of others. ``compare``: labels that rows share to compete.
    ``flags`` are of the whole table, ``column_flags`` of a column. ``printed_in``: where it stands.
    """

    id: str
    printed_in: str
    about: str
    dataset: str
    columns: tuple[str, ...]
    metrics: Mapping[str, Metric]
    rows: tuple[PublishedRow, ...]
    task: Task = "segmentation"
    structures: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    means: Mapping[str, Sequence[str]] = field(default_factory=dict)
    compare: tuple[str, ...] = ()
    baseline: str = ""
    flags: tuple[str, ...] = ()
    column_flags: Mapping[str, str] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    claims: tuple[Claim, ...] = ()
    notes: str = ""

    @property
    def units(self) -> dict[str, str]:
        return {column: self.metrics[column].unit for column in self.columns}

    @property
    def better(self) -> dict[str, Better]:
        return {column: self.metrics[column].better for column in self.columns}

    def doubts(self) -> list[str]:
        """Flags of the table, its columns, rows and cells, those of one reason together."""
        said = [f"the table: {reason}" for reason in self.flags]
        said += [f"{column}: {reason}" for column, reason in self.column_flags.items()]
        of: dict[str, list[str]] = {}
        for row in self.rows:
            if row.flag:
                of.setdefault(row.flag, []).append(row.name)
            for column, reason in row.flags.items():
                cell = f"{row.name}, {column} {row.numbers[column] or 'not printed'}"
                of.setdefault(reason, []).append(cell)
        return said + [f"† {'; '.join(names)}: {reason}" for reason, names in of.items()]

    def dataset_of(self, column: str) -> str:
        """The data set of a column: its own where several stand side by side."""
        return self.datasets.get(column, self.dataset)

    def groups(self) -> list[list[PublishedRow]]:
        """Rows that compete: those that share the labels of ``compare``, in printed order."""
        found: dict[tuple[Label, ...], list[PublishedRow]] = {}
        for row in self.rows:
            found.setdefault(tuple(row.said[key] for key in self.compare), []).append(row)
        return list(found.values())


def plain_label(value: object) -> Label:
    """A label of a file: numbers as int where they are whole."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if value is None or isinstance(value, str | bool):
        return value
    return str(value)
