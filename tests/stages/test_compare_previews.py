"""Comparisons: prediction and reference on one picture, where both are or where they differ."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import GeometryMismatch
from cohortflow.geometry import Grid, Reorientation
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.report.plane_figure import PREDICTION, REFERENCE, labels_shown, planes_svg
from cohortflow.stages.compare_previews import STAGE
from tests.golden.check import assert_golden
from tests.stages.examples import run

GRID = oriented_grid("LPS", shape=(18, 16, 20), spacing_mm=(2.5, 3.0, 2.0))
CANARY = Canary.within(GRID)
LABELS = CANARY.labels(GRID)


def entry(kind: str, array: np.ndarray, grid: Grid = GRID) -> Entry:
    name = "image" if kind == "volume" else "label"
    dataset = xr.Dataset({name: (("z", "y", "x"), array)}, attrs=grid.attributes())
    return Entry.in_memory(kind, Output(dataset=dataset), subject="a")


def compared(prediction: np.ndarray, reference: np.ndarray, **parameters: object) -> Output:
    return run(
        STAGE,
        parameters,
        image=entry("volume", CANARY.image(GRID)),
        prediction=entry("label_map", prediction),
        reference=entry("label_map", reference),
    )


def test_golden() -> None:
    assert_golden(STAGE, compared(np.roll(LABELS, 1, axis=2), LABELS))


def test_both_maps_are_shown_in_the_same_planes() -> None:
    found = compared(LABELS, LABELS).dataset
    assert found is not None
    for plane in ("axial", "coronal", "sagittal"):
        np.testing.assert_array_equal(found[f"{plane}_label"], found[f"{plane}_reference"])
        assert found[f"{plane}_label"].values.any()


def test_the_planes_go_where_the_maps_differ_when_asked() -> None:
    prediction = LABELS.copy()
    prediction[2, 3, 4] = 9
    dataset = compared(prediction, LABELS, through="difference").dataset
    assert dataset is not None
    for plane in ("axial", "coronal", "sagittal"):
        assert 9 in dataset[f"{plane}_label"]
        assert 9 not in dataset[f"{plane}_reference"]
    same = compared(LABELS, LABELS, through="difference").dataset
    xr.testing.assert_identical(same, compared(LABELS, LABELS).dataset)


def test_volumes_of_both() -> None:
    facts = compared(np.where(LABELS == 1, 0, LABELS), LABELS).facts
    assert "1" not in facts["labels"]
    voxel_ml = 2.5 * 3.0 * 2.0 / 1000
    assert facts["reference_labels"]["1"] == pytest.approx(np.sum(LABELS == 1) * voxel_ml)


def test_another_grid_is_refused() -> None:
    way = Reorientation.towards(GRID, "RAS")
    with pytest.raises(GeometryMismatch):
        run(
            STAGE,
            image=entry("volume", CANARY.image(GRID)),
            prediction=entry("label_map", LABELS),
            reference=entry("label_map", way.apply(LABELS), way.after),
        )


def test_outlines_are_told_apart_without_colour() -> None:
    dataset = compared(np.where(LABELS == 1, 0, LABELS), LABELS).dataset
    assert dataset is not None
    svg = planes_svg(dataset, "a <b>")
    dashed = [path for path in svg.split("<path ") if "stroke-dasharray" in path]
    assert all(PREDICTION in path for path in dashed)
    assert not any(PREDICTION in path for path in svg.split("<path ") if path not in dashed)
    assert REFERENCE in svg
    assert ">reference<" in svg
    assert ">prediction<" in svg
    assert "a &lt;b&gt;" in svg
    assert labels_shown(dataset) == [1, 2, 3, 4, 5, 6], "of the reference too"
