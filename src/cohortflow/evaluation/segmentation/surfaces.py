"""Surfaces of all labels at once, and the distances between those of two maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.evaluation.segmentation.bit_maps import Layout, layout_of
from cohortflow.evaluation.segmentation.masks import MaskPair
from cohortflow.evaluation.segmentation.nearest import Floats, distances_to
from cohortflow.evaluation.segmentation.threads import shared_out

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Surface:
    """Surfaces of one map: a bit each, and their addresses grouped by place in the table."""

    volume: Array
    bits: npt.NDArray[np.uint64]
    points: Array
    starts: npt.NDArray[np.int64]

    def of(self, place: int) -> Array:
        return self.points[self.starts[place] : self.starts[place + 1]]


@dataclass(frozen=True)
class Surfaces:
    """Those of a pair, in one layout."""

    pair: MaskPair
    layout: Layout
    reference: Surface
    prediction: Surface

    def between(self, place: int) -> tuple[Floats, Floats]:
        """Of one label: from the surface of the reference to that of the prediction, and back."""
        return (
            self._directed(self.reference.of(place), self.prediction, place),
            self._directed(self.prediction.of(place), self.reference, place),
        )

    def filled(self, place: int) -> tuple[Floats, Floats]:
        """From each voxel of one map that the other lacks to the nearest one of the other."""
        a, b = self.reference, self.prediction
        return (
            self._directed(self._outside(a.volume, b.volume, place), b, place),
            self._directed(self._outside(b.volume, a.volume, place), a, place),
        )

    def _directed(self, points: Array, other: Surface, place: int) -> Floats:
        value = self.pair.values[place - 1]
        return distances_to(
            *(points, other.of(place), other.bits, other.volume, value),
            self.layout,
            self.pair.sampling,
        )

    def _outside(self, volume: Array, other: Array, place: int) -> Array:
        from cohortflow.evaluation.segmentation import surfaces_compiled as compiled

        value = self.pair.values[place - 1]
        room = np.empty(int(np.count_nonzero(volume == value)), self.layout.address_type)
        at = self.layout
        n = compiled.mark_outside(volume, other, value, at.box, at.room, at.layout, room)
        return room[:n]


def surfaces_of(pair: MaskPair, box: npt.NDArray[np.int64], threads: int) -> Surfaces:
    """Surfaces of every label of both maps inside ``box``, which holds them all."""
    layout = layout_of(box, pair.sampling)
    reference, prediction = (
        _surface(volume, pair, layout, threads) for volume in (pair.reference, pair.prediction)
    )
    return Surfaces(pair, layout, reference, prediction)


def _surface(volume: Array, pair: MaskPair, layout: Layout, threads: int) -> Surface:
    from cohortflow.evaluation.segmentation import surfaces_compiled as compiled

    box, bits = layout.box, layout.empty()
    where = (pair.places, box, layout.room, layout.layout)
    planes, offset = int(box[1] - box[0] + 1), int(box[0])
    counts = np.zeros((planes, len(pair.labels) + 1), np.int64)

    def mark(first: int, last: int) -> None:
        planes = first + offset, last + offset
        compiled.mark_surfaces(volume, *where, pair.flat, bits, counts, *planes)

    shared_out(mark, planes, threads)
    starts = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
    begins = starts[:-1] + np.cumsum(counts, axis=0) - counts
    points = np.empty(int(starts[-1]), layout.address_type)

    def collect(first: int, last: int) -> None:
        planes = first + offset, last + offset
        compiled.collect(volume, *where, bits, begins, points, *planes)

    shared_out(collect, planes, threads)
    return Surface(volume, bits, points, starts)
