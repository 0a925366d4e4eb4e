"""Areas of surface elements, by hand; tests/…/test_peers.py has the package they come from."""

from __future__ import annotations

import numpy as np
import pytest

from cohortflow.evaluation import evaluate_segmentation
from cohortflow.evaluation.segmentation.surfels import areas_of

SPACING = (3.0, 0.5, 2.0)


def test_flat_faces_have_the_area_of_a_voxel_face() -> None:
    """Codes of four voxels on one side: z - 1, y - 1, x - 1."""
    areas = areas_of(SPACING, flat=False)
    assert areas[[240, 204, 170]].tolist() == [1.0, 6.0, 1.5]
    assert areas[[15, 51, 85]].tolist() == [1.0, 6.0, 1.5]
    assert areas[[0, 255]].tolist() == [-1.0, -1.0]
    assert (areas[1:255] > 0).all()


def test_sides_in_the_plane_have_the_length_of_a_pixel_side() -> None:
    lengths = areas_of(SPACING, flat=True)
    assert lengths[[12, 3, 10, 5]].tolist() == [2.0, 2.0, 0.5, 0.5]
    assert lengths[1] == lengths[14] == np.hypot(0.5, 2.0) / 2
    assert (lengths[[0, *range(15, 256)]] == -1).all()


@pytest.mark.parametrize(("axis", "face"), [(0, 1.0), (1, 6.0), (2, 1.5)])
def test_one_face_of_a_box_out_of_tolerance(axis: int, face: float) -> None:
    """A box grown by two voxels on one side: that side is too far away, most of the rest not."""
    reference = np.zeros((30, 30, 30), bool)
    reference[5:22, 5:22, 5:22] = True
    prediction = reference | np.roll(reference, 2, axis=axis)
    step = SPACING[axis]
    table = evaluate_segmentation(
        reference,
        prediction,
        SPACING,
        labels={1: "box"},
        metrics=["hd95/surface-weighted", f"nsd@{step}mm/surfels", f"nsd@{step}mm"],
    )
    worst, by_area, by_voxel = table["value"]
    sides = 2 * 17 * 17 * (1.0 + 6.0 + 1.5)
    assert by_area == pytest.approx(1 - face * 17 * 17 / sides, abs=0.05)
    assert worst == 2 * step
    assert by_area < 1
    assert by_voxel < 1
