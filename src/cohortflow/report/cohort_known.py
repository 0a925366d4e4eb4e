"""What is known of subjects beside the states of their units: traits, numbers, pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cohortflow.cohort.ingests import IngestedSubject

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TOLD = ("modality", "orientation", "space", "dtype", "tr_s", "samples", "rois", "channels")


@dataclass(frozen=True)
class CohortKnown:
    """By subject: ``traits``, texts by name; ``numbers`` of its recordings by name.

    ``lines``: pipeline → subject → what is kept of its page: ``score``, ``reason``, ``flagged``.
    """

    traits: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    lines: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    def pages_of(self, subjects: Sequence[str]) -> tuple[list[str], str]:
        """Folders with pages, and for each subject a digit (base 36) of the first with its page."""
        slugs = list(self.lines)[: len(_DIGITS)]
        within = (
            next((_DIGITS[n] for n, slug in enumerate(slugs) if subject in self.lines[slug]), "-")
            for subject in subjects
        )
        return [f"{slug}/subjects/" for slug in slugs], "".join(within)


def traits_of(subject: IngestedSubject) -> dict[str, str]:
    """Columns of the participants, and what ingest found out about each of its entries."""
    found = {name: str(value) for name, value in subject.columns.items() if value is not None}
    for entry in subject.entries.values():
        for name in _TOLD:
            if entry.facts.get(name) is not None:
                found[f"{name} of {entry.name}"] = str(entry.facts[name])
        for name in ("spacing_mm", "shape"):
            if entry.facts.get(name):
                told = " × ".join(f"{float(number):g}" for number in entry.facts[name])
                found[f"{name.partition('_')[0]} of {entry.name}"] = told
    return found


def numbers_in(subject: IngestedSubject) -> dict[str, float]:
    """Of its recordings as they were taken in: spacing, size, samples, repetition time."""
    found: dict[str, float] = {}
    for entry in subject.entries.values():
        for axis, step in zip("zyx", entry.facts.get("spacing_mm") or (), strict=False):
            found[f"spacing of {entry.name} along {axis} (mm)"] = float(step)
        for name in ("samples", "tr_s"):
            value = entry.facts.get(name)
            if isinstance(value, int | float):
                found[f"{name} of {entry.name}"] = float(value)
    return found
