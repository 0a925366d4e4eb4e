"""The canary by itself: each letter is on its side, and reads upright from outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow import errors
from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import LETTERS, Canary, canary_grids, oriented_grid

LINES = {
    "L": ["L    ", "L    ", "L    ", "L    ", "LLLLL"],
    "R": ["RRRR ", "R   R", "RRRR ", "R  R ", "R   R"],
    "P": ["PPPP ", "P   P", "PPPP ", "P    ", "P    "],
    "A": ["  A  ", " A A ", "A   A", "AAAAA", "A   A"],
    "I": ["IIIII", "  I  ", "  I  ", "  I  ", "IIIII"],
    "S": [" SSSS", "S    ", " SSS ", "    S", "SSSS "],
}


def faces() -> dict[str, np.ndarray]:
    """What one sees who stands outside on a side: down the page, then to the right."""
    grid = oriented_grid("RAS", (7, 7, 7), (2.0, 2.0, 2.0))
    labels = Canary.within(grid).labels(grid)  # z up, y to the front, x to the right
    return {
        "L": labels[::-1, ::-1, 0],  # from the left the front is on the left: y falls rightwards
        "R": labels[::-1, :, -1],
        "P": labels[::-1, 0, :],  # from behind, right is right
        "A": labels[::-1, -1, ::-1],
        "S": labels[-1, ::-1, :],  # from above, front up
        "I": labels[0, ::-1, ::-1],
    }


def test_letters_read_upright_from_outside() -> None:
    names = {value: name for name, value in LETTERS.items()} | {0: " "}
    for letter, face in faces().items():
        read = ["".join(names[int(value)] for value in row) for row in face[1:-1, 1:-1]]
        assert read == LINES[letter], letter
        assert not face[[0, -1]].any()
        assert not face[:, [0, -1]].any()


def test_every_grid_holds_all_letters_and_no_two_images_are_alike() -> None:
    drawn = {name: Canary.within(grid).labels(grid) for name, grid in canary_grids()}
    assert len(drawn) == 96
    assert all(set(np.unique(labels)) == set(range(7)) for labels in drawn.values())
    assert len({labels.tobytes() for labels in drawn.values()}) == 96


@given(st.tuples(*[st.floats(-300, 300)] * 3), st.tuples(*[st.floats(-300, 300)] * 3))
def test_intensity_is_linear_in_the_world(
    a: tuple[float, float, float], b: tuple[float, float, float]
) -> None:
    canary = Canary((1.0, 2.0, 3.0), (10.0, 20.0, 30.0))
    middle = (np.array(a) + b) / 2
    ends = canary.intensity_at(a) + canary.intensity_at(b)
    assert canary.intensity_at(middle) == pytest.approx(ends / 2, abs=1e-9)
    assert canary.intensity_at(canary.centre_mm) == 0.0


def test_intensity_tells_axes_and_signs_apart() -> None:
    steps = np.array([sign * axis for axis in np.eye(3) for sign in (1, -1)])
    assert len(set(Canary((0, 0, 0), (1, 1, 1)).intensity_at(steps).tolist())) == 6


def test_the_body_lies_inside_the_image() -> None:
    for _, grid in canary_grids():
        canary = Canary.within(grid)
        corners = np.indices((2, 2, 2)).reshape(3, 8).T * 2.0 - 1.0
        index = grid.index(canary.centre_mm + corners * canary.half_mm)
        assert (index > -0.5 - 1e-9).all()
        assert (index < np.array(grid.shape) - 0.5 + 1e-9).all()


def test_a_grid_too_coarse_for_letters_is_refused() -> None:
    coarse = oriented_grid("RAS", (2, 2, 2))
    with pytest.raises(errors.UsageError, match="coarse"):
        Canary.within(coarse).labels(coarse)
    with pytest.raises(errors.NoWorldSpace):
        Canary.within(Grid((9, 9, 9)))
