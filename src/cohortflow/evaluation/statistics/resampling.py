"""Which cases a resample holds: whole groups, drawn within their strata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cohortflow.errors import ShapeMismatch, UsageError

Indices = NDArray[np.int64]
Labels = Sequence[Any] | NDArray[Any]
AT_ONCE = 2_000_000
"""Cases drawn at once: 16 MB of indices."""


@dataclass(frozen=True)
class Units:
    """What is drawn: ``members`` (cases of each unit), ``strata`` (units of each stratum)."""

    members: tuple[Indices, ...]
    strata: tuple[Indices, ...]

    @property
    def cases(self) -> int:
        return sum(len(own) for own in self.members)

    @property
    def even(self) -> bool:
        """Every unit has the same number of cases, so that resamples are of one length."""
        return len({len(own) for own in self.members}) == 1

    def draws(self, resamples: int, rng: np.random.Generator) -> Iterator[Indices]:
        """Units (resample, unit) with replacement, as many of each stratum as it has, by blocks."""
        block = max(1, AT_ONCE // self.cases)
        for start in range(0, resamples, block):
            count = min(block, resamples - start)
            yield np.concatenate(
                [own[rng.integers(0, len(own), (count, len(own)))] for own in self.strata], axis=1
            )

    def left_out(self, stratum: Indices) -> Iterator[Indices]:
        """Units (resample, unit - 1) without one of the stratum each, in its order, by blocks."""
        everyone = np.concatenate(self.strata)
        block = max(1, AT_ONCE // self.cases)
        for start in range(0, len(stratum), block):
            gone = stratum[start : start + block]
            kept = everyone[None, :] != gone[:, None]
            yield np.broadcast_to(everyone, kept.shape)[kept].reshape(len(gone), -1)

    def cases_of(self, units: Indices) -> Iterator[Indices]:
        """Cases (resample, case) of drawn units: all at once where units are even, else by one."""
        if self.cases == len(self.members):
            yield units  # one case each, in the order of cases
        elif self.even:
            table = np.stack(self.members)
            yield table[units].reshape(len(units), -1)
        else:
            for row in units:
                yield np.concatenate([self.members[unit] for unit in row])[None, :]


def units_of(cases: int, groups: Labels | None = None, strata: Labels | None = None) -> Units:
    """Units of so many cases. groups, strata: (case) labels; a group lies in one stratum.

    Raises ShapeMismatch, UsageError for a group of several strata.
    """
    for labels in (groups, strata):
        if labels is not None and len(labels) != cases:
            raise ShapeMismatch(
                "there is not one label for each case", expected=str(cases), found=str(len(labels))
            )
    members: dict[str, list[int]] = {}
    for i in range(cases):
        members.setdefault(str(i) if groups is None else str(groups[i]), []).append(i)
    places: dict[str, list[int]] = {}
    for unit, own in enumerate(members.values()):
        found = {"" if strata is None else str(strata[i]) for i in own}
        if len(found) > 1:
            raise UsageError(
                "a group stands in several strata",
                expected="one stratum for all cases of a group",
                found=f"{len(found)} strata",
            )
        places.setdefault(found.pop(), []).append(unit)
    return Units(
        tuple(np.array(own) for own in members.values()),
        tuple(np.array(places[name]) for name in sorted(places)),
    )
