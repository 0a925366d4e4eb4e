from __future__ import annotations

from typing import Any

import numpy as np
import pydantic
import pytest

from cohortflow.errors import MissingInput, NoWorldSpace
from cohortflow.geometry import Grid, resample_to_grid, resample_to_spacing
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.stages.regrid_labels import STAGE as REGRID
from cohortflow.stages.resample import STAGE, Resample
from tests.golden.check import assert_golden
from tests.stages.examples import run
from tests.stages.image_examples import canary, grid_of, label_map, noise, volume

THICK = oriented_grid("LPS", (4, 9, 8), (6.0, 1.0, 1.0))


@pytest.mark.parametrize("interpolation", ["linear", "bspline", "nearest"])
def test_golden_resample(interpolation: str) -> None:
    image = volume(noise((4, 9, 8)), THICK, modality="MR")
    given = {"spacing_mm": [4.0, 1.7, 0.8], "interpolation": interpolation}
    assert_golden(STAGE, run(STAGE, given, image=image), interpolation)


def test_golden_regrid_labels() -> None:
    labels = (noise((4, 9, 8)) // 15).astype(np.uint8)
    output = run(REGRID, {"spacing_mm": [4.0, 1.7, 0.8]}, label=label_map(labels, THICK))
    assert_golden(REGRID, output)


def test_the_canary_stays_in_its_place_on_any_target() -> None:
    image, labels, grid = canary("PIR", degrees=(9.0, 3.0, -4.0))
    ramp = Canary.within(grid)
    elsewhere = oriented_grid("RAS", (17, 15, 19), (2.6, 2.9, 2.2), centre_mm=grid.centre_mm)
    reference = volume(np.zeros(elsewhere.shape, np.float32), elsewhere)
    for given in ({"spacing_mm": 2.0}, {"size": [20, 20, 20]}, {}):
        found = run(STAGE, {**given, "antialias": False}, image=image, reference=reference)
        target = grid_of(found)
        index = np.linalg.inv(grid.matrix) @ np.concatenate(
            [np.moveaxis(target.positions_mm(), -1, 0), np.ones((1, *target.shape))]
        ).reshape(4, -1)
        inside = ((index[:3] > 0) & (index[:3] < np.array(grid.shape)[:, None] - 1)).all(axis=0)
        meant = ramp.intensity_at(target.positions_mm()).reshape(-1)
        off = found.dataset["image"].values.reshape(-1) - meant
        assert inside.sum() > 500
        assert np.abs(off[inside]).max() < 1e-3
        # The label map of the same target lies on the same grid.
        regridded = run(REGRID, given, label=labels, reference=reference)
        assert grid_of(regridded) == target


def test_parameters_reach_the_arithmetic() -> None:
    array = noise((4, 9, 8))
    image = volume(array, THICK)
    spacing = (2.0, 2.5, 2.5)
    for given, how in (
        ({"antialias": False}, {}),
        ({}, {"antialias": True}),
        ({"through_plane": "auto"}, {"antialias": True, "nearest_along": 0}),
        (
            {"interpolation": "bspline", "through_plane": "auto", "antialias": False},
            {"interpolation": "bspline", "nearest_along": 0},
        ),
    ):
        found = run(STAGE, {"spacing_mm": spacing, **given}, image=image).dataset["image"].values
        meant, _ = resample_to_spacing(array, THICK.matrix, spacing, **how)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, meant)


def test_thick_slices_of_the_target_count_where_the_image_has_none() -> None:
    fine = oriented_grid("LPS", (16, 9, 8), (1.0, 1.0, 1.0))
    labels = (noise(fine.shape) // 15).astype(np.int16)
    given = {"spacing_mm": [4.0, 1.0, 1.0], "through_plane": "auto"}
    found = run(REGRID, given, label=label_map(labels, fine)).dataset["label"].values
    np.testing.assert_array_equal(found, labels[2::4])  # of two as near the later
    even = run(REGRID, {**given, "spacing_mm": 4.0}, label=label_map(labels, fine))
    assert even.dataset["label"].shape == (4, 2, 2)


def test_channels_are_resampled_one_by_one() -> None:
    both = np.stack([noise(), noise(seed=1)])
    grid = oriented_grid("RAS", (6, 9, 8))
    found = run(STAGE, {"size": [5, 5, 5]}, image=volume(both, grid)).dataset["image"]
    assert found.dims == ("channel", "z", "y", "x")
    named = volume(both, grid)
    named.dataset.coords["channel"] = ["T1", "T2"]
    again = run(STAGE, {"size": [5, 5, 5]}, image=named).dataset["image"]
    assert again.channel.values.tolist() == ["T1", "T2"]
    for channel, alone in zip(found.values, both, strict=True):
        one = run(STAGE, {"size": [5, 5, 5]}, image=volume(alone, grid)).dataset["image"]
        np.testing.assert_array_equal(channel, one.values)


def test_beyond_the_image_is_its_smallest_value_unless_told() -> None:
    image, _, grid = canary()
    away = oriented_grid("LPS", (3, 3, 3), centre_mm=(900.0, 0.0, 0.0))
    reference = volume(np.zeros((3, 3, 3), np.float32), away)
    smallest = image.dataset["image"].values.min()
    assert (run(STAGE, image=image, reference=reference).dataset["image"] == smallest).all()
    holed = image.dataset["image"].values.copy()
    holed[3] = np.nan
    found = run(STAGE, image=volume(holed, grid), reference=reference).dataset["image"]
    assert (found == np.nanmin(holed)).all()
    told = run(STAGE, {"outside": -3.0}, image=image, reference=reference)
    assert (told.dataset["image"] == -3.0).all()


def test_in_index_space_to_a_size_or_to_another_of_index_space() -> None:
    image = volume(noise(), Grid((6, 9, 8)))
    found = run(STAGE, {"size": [3, 9, 16]}, image=image)
    assert found.dataset["image"].shape == (3, 9, 16)
    assert "index_to_world" not in found.dataset.attrs
    other = volume(noise((3, 9, 16)), Grid((3, 9, 16)))
    again = run(STAGE, image=image, reference=other)
    assert again.dataset.identical(found.dataset)
    with pytest.raises(NoWorldSpace):
        run(STAGE, {"spacing_mm": 2.0}, image=image)
    with pytest.raises(NoWorldSpace):
        run(STAGE, image=image, reference=canary()[0])
    flat = label_map(np.ones((9, 8), np.uint8), Grid((1, 9, 8)))
    assert run(REGRID, {"size": [1, 4, 4]}, label=flat).dataset["label"].dims == ("y", "x")


def test_one_target() -> None:
    for wrong in (
        {"spacing_mm": 1.0, "size": [1, 1, 1]},
        {"spacing_mm": -1.0},
        {"size": [0, 1, 1]},
    ):
        with pytest.raises(pydantic.ValidationError):
            Resample(**wrong)  # type: ignore[arg-type]
    with pytest.raises(MissingInput, match="reference"):
        run(STAGE, image=canary()[0])
    reads: Any = STAGE.reads["reference"].when
    assert reads(Resample())
    assert not reads(Resample(size=(2, 2, 2)))


def test_labels_of_an_oblique_reference_are_simpleitks() -> None:
    _, labels, grid = canary()
    oblique = oriented_grid("LPS", (14, 15, 16), (3.0, 3.1, 2.9), (8.0, 3.0, 5.0))
    reference = volume(np.zeros(oblique.shape, np.float32), oblique)
    found = run(REGRID, label=labels, reference=reference).dataset["label"].values
    array = labels.dataset["label"].values
    meant = resample_to_grid(array, grid, oblique, "labels", route="simpleitk")
    np.testing.assert_array_equal(found, meant)
    assert set(np.unique(found)) <= set(range(7))
