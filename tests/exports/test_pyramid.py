"""Smaller copies, against the slow obvious way."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cohortflow.exports.pyramid import commonest, mean, pyramid

SHAPES = [(4, 6, 8), (5, 7, 3), (1, 5, 2)]
HALVED = [(True, True, True), (False, True, True), (False, False, True)]


def blocks(array: np.ndarray, halved: tuple[bool, ...]) -> dict[tuple[int, ...], list[int]]:
    """Voxels of each block, in order; one over the end counts the last voxel again."""
    found: dict[tuple[int, ...], list[int]] = {}
    steps = [2 if half else 1 for half in halved]
    small = [-(-n // step) for n, step in zip(array.shape, steps, strict=True)]
    for index in np.ndindex(*small):
        for offset in np.ndindex(*steps):
            at = tuple(
                min(i * step + o, n - 1)
                for i, step, o, n in zip(index, steps, offset, array.shape, strict=True)
            )
            found.setdefault(index, []).append(array[at])
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("halved", HALVED)
def test_means_and_commonest_labels(shape: tuple[int, ...], halved: tuple[bool, ...]) -> None:
    array = np.random.default_rng(1).integers(0, 4, shape).astype(np.uint8)
    found, average = commonest(array, halved), mean(array.astype(np.float32), halved)
    for index, voxels in blocks(array, halved).items():
        assert found[index] == Counter(voxels).most_common(1)[0][0]
        assert average[index] == np.mean(voxels)
        assert mean(array, halved)[index] == np.rint(np.mean(voxels))
    assert found.dtype == array.dtype


def test_voxels_grow_towards_cubes() -> None:
    volume = np.zeros((2, 20, 64, 64), np.int16)
    found = [factors for factors, _ in pyramid(volume, (5.0, 1.0, 1.0), labels=False, largest=8)]
    assert found == [(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8), (4, 16, 16)]
    assert [level.shape for _, level in pyramid(volume, (5.0, 1.0, 1.0), labels=False, largest=8)][
        -1
    ] == (2, 5, 4, 4)
    flat = [factors for factors, _ in pyramid(volume[:1, :1], (9.0, 1, 1), labels=True, largest=20)]
    assert flat == [(1, 1, 1), (1, 2, 2), (1, 4, 4)]
