"""Units of a plan: one key each, with what it reads and the state it is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cohortflow.cohort.entries import EntryRef
from cohortflow.pipeline.model import Label, Step
from cohortflow.pipeline.stage import Parameters

State = Literal["pending", "running", "done", "failed", "blocked", "quarantined"]
Labels = tuple[Label, ...]
Place = tuple[str, str | None, Labels]
"""Step, subject and labels of a unit: where it stands, whatever its key."""

SETTLED_BADLY = frozenset({"failed", "blocked", "quarantined"})


@dataclass(frozen=True)
class Recipe:
    """What a step does at one point, whoever the subject: resolved parameters and their digest.

    ``above`` covers the recipes above, ``chain`` both, as written and not as resolved: they
    identify a training question, which a newcomer does not change.
    """

    parameters: Parameters
    digest: str
    above: str
    chain: str
    columns: tuple[str, ...]
    seed: int


@dataclass(frozen=True, eq=False)
class ManyInput:
    """The units behind an input that reads many, each with its point; shared between units.

    ``lost``: the units behind ``missing``. ``waits``: one of the items is left out of this run.
    """

    items: tuple[tuple[Mapping[str, Any], Unit], ...]
    missing: tuple[Mapping[str, Any], ...]
    lost: tuple[Unit, ...]
    digest: str
    members: tuple[str, ...]
    absentees: tuple[str, ...]
    saw: frozenset[str]
    weights: tuple[str, ...]
    waits: bool


@dataclass(slots=True, eq=False)
class Unit:
    """One key. ``subject`` is None for steps over the cohort; ``labels`` follow ``step.over``.

    ``members``: subjects it is computed from. ``absentees``: those that should have been and
    failed. ``saw``: subjects and patients that the weights behind it saw. ``asked``: this run is
    to settle it. ``transient``: it failed, itself or what it reads, by a cause that may pass.
    """

    step: str
    stage: str
    kind: str
    subject: str | None
    labels: Labels
    key: str
    recipe: Recipe | None
    inputs: Mapping[str, Unit | ManyInput]
    input_digests: Mapping[str, str]
    columns: str
    state: State
    reason: str = ""
    error: Mapping[str, Any] | None = None
    members: tuple[str, ...] = ()
    absentees: tuple[str, ...] = ()
    saw: frozenset[str] = frozenset()
    weights: tuple[str, ...] = ()
    selection: str | None = None
    asked: bool = True
    transient: bool = False

    @property
    def is_file(self) -> bool:
        """Taken in, and of no subject."""
        return self.recipe is None and self.subject is None

    @property
    def ref(self) -> EntryRef:
        return EntryRef(self.subject, self.stage, self.key)

    @property
    def concerned(self) -> tuple[str, ...]:
        """Every subject that its result may name: whose columns are read, whom forgetting finds."""
        if not self.absentees:
            return self.members
        return tuple(dict.fromkeys(self.members + self.absentees))


@dataclass
class StepTable:
    """All units of one step: labels → subject (None for the cohort) → unit.

    ``learned``: what it holds saw subjects, as it trains or was made with weights.
    """

    name: str
    axes: tuple[str, ...]
    by_subject: bool
    step: Step | None
    cells: dict[Labels, dict[str | None, Unit]] = field(default_factory=dict)
    chains: dict[Labels, str] = field(default_factory=dict)
    learned: bool = False

    def units(self) -> Iterator[Unit]:
        for cell in self.cells.values():
            yield from cell.values()

    def unique(self) -> list[Unit]:
        """One unit per key: points that differ in nothing share it."""
        found: dict[str, Unit] = {}
        for unit in self.units():
            if unit.key not in found or not found[unit.key].asked:
                found[unit.key] = unit
        return list(found.values())

    def point(self, unit: Unit) -> dict[str, Label]:
        return dict(zip(self.axes, unit.labels, strict=True))

    def project(self, labels: Mapping[str, Label]) -> list[Labels]:
        """Points of this table that agree with ``labels`` on the axes both have."""
        wanted = [(i, labels[axis]) for i, axis in enumerate(self.axes) if axis in labels]
        if len(wanted) == len(self.axes):
            exact = tuple(labels[axis] for axis in self.axes)
            return [exact] if exact in self.cells else []
        return [cell for cell in self.cells if all(cell[i] == value for i, value in wanted)]


def count_states(units: Sequence[Unit]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for unit in units:
        counts[unit.state] = counts.get(unit.state, 0) + 1
    return counts
