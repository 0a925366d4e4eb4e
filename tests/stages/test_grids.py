"""reorient, crop_to_body, crop_to_label, pad: nothing is computed, every voxel keeps its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydantic
import pytest

from cohortflow.errors import GeometryMismatch, NoWorldSpace, UndefinedResult
from cohortflow.geometry import ORIENTATIONS, Grid, orientation
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.pipeline.stage import Stage
from cohortflow.stages.crop_to_body import STAGE as CROP_TO_BODY
from cohortflow.stages.crop_to_label import STAGE as CROP_TO_LABEL
from cohortflow.stages.pad import STAGE as PAD
from cohortflow.stages.reorient import STAGE as REORIENT
from tests.golden.check import assert_golden
from tests.stages.examples import run
from tests.stages.image_examples import canary, grid_of, label_map, noise, volume


@pytest.mark.parametrize(
    ("stage", "parameters"),
    [
        (REORIENT, {}),
        (CROP_TO_BODY, {"above": 95.0, "margin_mm": 2.0}),
        (CROP_TO_LABEL, {"labels": [2], "margin": 1}),
        (PAD, {"margin": [1, 0, 2], "size": [9, 9, 9]}),
    ],
    ids=lambda one: one.name if isinstance(one, Stage) else "",
)
def test_golden_grids(stage: Stage, parameters: dict[str, Any]) -> None:
    grid = oriented_grid("LPS", (6, 9, 8), (2.0, 1.0, 1.5))
    inputs = {"image": volume(noise(), grid, modality="MR")}
    if "label" in stage.reads:
        labels = np.zeros(grid.shape, np.uint8)
        labels[2:4, 3:5, 6], labels[0, 0, 0] = 2, 1
        inputs["label"] = label_map(labels, grid)
    assert_golden(stage, run(stage, parameters, **inputs))


@pytest.mark.parametrize("code", ORIENTATIONS[::7])
def test_every_voxel_stays_where_it_is_in_the_world(code: str) -> None:
    image, labels, grid = canary(code, degrees=(5.0, -8.0, 3.0))
    body = Canary.within(grid)
    for stage, parameters, more in (
        (REORIENT, {"orientation": "PSR"}, {}),
        (CROP_TO_BODY, {"above": 20.0}, {}),
        (CROP_TO_LABEL, {"labels": [2, 3]}, {"label": labels}),
    ):
        found = run(stage, parameters, image=image, **more)
        where = grid_of(found).positions_mm()
        np.testing.assert_allclose(
            found.dataset["image"].values, body.intensity_at(where), atol=1e-3
        )
        assert found.dataset.attrs["modality"] == "CT"
    assert orientation(grid_of(run(REORIENT, {"orientation": "psr"}, image=image))) == "PSR"


def test_the_box_holds_the_largest_object_and_nothing_more() -> None:
    array = np.full((10, 12, 14), -1000, np.int16)
    array[3:7, 4:9, 5:8] = 40
    array[0, 0:2, 0:2] = 40  # smaller, and apart
    array[7, 9, 8] = 40  # touches it at a corner only
    image = volume(array, Grid(array.shape))
    found = run(CROP_TO_BODY, image=image)
    assert found.dataset["image"].shape == (4, 5, 3)
    assert (found.dataset["image"] == 40).all()
    wider = run(CROP_TO_BODY, {"margin": 4}, image=image)
    assert wider.dataset["image"].shape == (10, 12, 11)  # as far as there are voxels
    with pytest.raises(UndefinedResult, match="stands out"):
        run(CROP_TO_BODY, {"above": 900.0}, image=image)
    with pytest.raises(NoWorldSpace):
        run(CROP_TO_BODY, {"margin_mm": 5.0}, image=image)


def test_a_margin_in_millimetres_is_rounded_up() -> None:
    array = np.zeros((9, 9, 9), np.float32)
    array[4, 4, 4] = 1.0
    image = volume(array, oriented_grid("RAS", (9, 9, 9), (4.0, 1.0, 2.0)))
    found = run(CROP_TO_BODY, {"above": 0.5, "margin_mm": 3.0}, image=image)
    assert found.dataset["image"].shape == (3, 7, 5)


def test_labels_decide_only_on_the_grid_of_the_image() -> None:
    image, labels, grid = canary()
    with pytest.raises(GeometryMismatch):
        run(
            CROP_TO_LABEL,
            image=image,
            label=label_map(labels.dataset["label"].values, Grid(grid.shape)),
        )
    with pytest.raises(UndefinedResult, match="none of the labels"):
        run(CROP_TO_LABEL, {"labels": [99]}, image=image, label=labels)


def test_padding() -> None:
    array = noise((2, 3, 4))
    grid = oriented_grid("LPS", (2, 3, 4))
    found = run(PAD, {"margin": 1, "size": [6, 2, 2]}, image=volume(array, grid))
    values = found.dataset["image"].values
    assert values.shape == (6, 5, 6)
    np.testing.assert_array_equal(values[2:4, 1:4, 1:5], array)
    assert (values == array.min()).sum() == values.size - array.size + 1
    np.testing.assert_allclose(grid_of(found).world_mm((2, 1, 1)), grid.world_mm((0, 0, 0)))
    told = run(PAD, {"margin": [0, 0, 1], "value": -9.0}, image=volume(array, grid))
    assert (told.dataset["image"].values[..., [0, -1]] == -9.0).all()


def test_directions_are_asked_of_world_space_only() -> None:
    with pytest.raises(NoWorldSpace):
        run(REORIENT, image=volume(noise(), Grid((6, 9, 8))))
    with pytest.raises(pydantic.ValidationError):
        REORIENT.parameters(orientation="RRS")
