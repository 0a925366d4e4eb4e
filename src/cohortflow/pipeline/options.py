"""What a run may narrow: points, subjects, training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cohortflow.pipeline.unit import Place


@dataclass(frozen=True)
class PlanOptions:
    """Options of one run. They narrow what is settled, never what a result is: keys, splits and
    resolved parameters are those of the whole cohort.

    ``refresh``: training steps whose selection is made anew. ``held``: questions whose selection
    cannot be frozen today, with the reason. ``untried``: units that are left alone.
    """

    at: Mapping[str, Sequence[str]] = field(default_factory=dict)
    subjects: frozenset[str] | None = None
    refresh: frozenset[str] = frozenset()
    train: bool = True
    held: Mapping[str, str] = field(default_factory=dict)
    untried: frozenset[Place] = frozenset()
