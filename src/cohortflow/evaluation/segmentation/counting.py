"""Voxels of every label in one pass over both maps, and the box that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.evaluation.segmentation.masks import MaskPair, Others, outside_table
from cohortflow.evaluation.segmentation.overlap import Counts
from cohortflow.evaluation.segmentation.threads import shared_out


@dataclass(frozen=True)
class Counted:
    """``by_place`` of each label of the table, from 1; ``boxes`` (place, 6): first and last z, y, x
    of the label in either map, last before first where it is in neither."""

    by_place: tuple[Counts, ...]
    boxes: npt.NDArray[np.int64]

    def of(self, place: int) -> Counts:
        return self.by_place[place - 1]

    def box(self) -> npt.NDArray[np.int64]:
        """(6,): of all labels together."""
        of_labels = self.boxes[1:]
        joint: npt.NDArray[np.int64] = of_labels.max(axis=0)
        joint[::2] = of_labels.min(axis=0)[::2]
        return joint


def count_labels(pair: MaskPair, others: Others, threads: int, where: str = "") -> Counted:
    """Raises :class:`NotLabels` for values that the table does not name, unless they are to count
    as background."""
    from cohortflow.evaluation.segmentation import counting_compiled as compiled

    volumes = (pair.reference, pair.prediction)
    flat = [volume.reshape(-1) for volume in volumes]
    size = 8 // pair.reference.itemsize
    whole = pair.reference.size // size
    words = flat[0][: whole * size].view(np.uint64), flat[1][: whole * size].view(np.uint64)
    places = len(pair.labels) + 2  # the background first, what is in no table last
    parts: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []

    def work(first: int, last: int) -> None:
        counts, boxes = _nothing(places)
        compiled.count(volumes, words, pair.places, counts, boxes, first, last)
        parts.append((counts, boxes))

    shared_out(work, whole, threads)
    counts, boxes = _nothing(places)
    compiled.count_rest(volumes, pair.places, counts, boxes, whole * size)
    parts.append((counts, boxes))
    counts = np.sum([part[0] for part in parts], axis=0)
    boxes[:, ::2] = np.min([part[1][:, ::2] for part in parts], axis=0)
    boxes[:, 1::2] = np.max([part[1][:, 1::2] for part in parts], axis=0)
    if counts[-1].any() and others == "refuse":
        raise outside_table(_unnamed(pair), where)
    total = pair.reference.size
    by_place = [_counts(row, total) for row in counts[1:-1].tolist()]
    return Counted(tuple(by_place), boxes[:-1])


def _nothing(places: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    boxes = np.full((places, 6), -1)
    boxes[:, ::2] = np.iinfo(np.int64).max
    return np.zeros((places, 3), np.int64), boxes


def _counts(row: list[int], total: int) -> Counts:
    reference, prediction, both = row
    fp, fn = prediction - both, reference - both
    return Counts(both, fp, fn, total - both - fp - fn)


def _unnamed(pair: MaskPair) -> list[int]:
    found: set[Any] = set()
    for volume in (pair.reference, pair.prediction):
        found |= set(np.flatnonzero(np.bincount(volume.reshape(-1))).tolist())
    return sorted(found - set(pair.values) - {0})
