"""What was made of an image lands where the image was taken, whatever lay between."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow.cohort.entry import Entry
from cohortflow.errors import InvalidEntry
from cohortflow.geometry import ORIENTATIONS, Grid, array_from_nifti, grid_from_nifti
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.pipeline.stage import Stage
from cohortflow.preprocess.inverse import NOT_UNDONE, to_source
from cohortflow.preprocess.lineage import INDEX_TO_SOURCE, SOURCE_SHAPE, attributes_of_place
from cohortflow.stages import CATALOGUE
from tests.stages.examples import as_entry, run
from tests.stages.image_examples import canary, label_map, noise, volume

Step = tuple[str, Mapping[str, Any]]
CUTS: list[Step] = [
    ("reorient", {"orientation": "PSR"}),
    ("crop_to_body", {"above": -30.0, "margin": 1}),
    ("pad", {"margin": [1, 2, 3]}),
    ("reorient", {"orientation": "LAI"}),
]


def taken_through(entry: Entry, steps: list[Step], **inputs: Entry) -> Entry:
    for name, parameters in steps:
        stage: Stage = CATALOGUE[name]
        more = {key: value for key, value in inputs.items() if key in stage.reads}
        entry = as_entry(stage, run(stage, parameters, **{"image": entry}, **more), "sub-01")
    return entry


def labels_on(entry: Entry, labels: np.ndarray) -> xr.Dataset:
    """A prediction made on the grid of an entry: its attributes, another variable."""
    attributes = attributes_of_place(entry.dataset.attrs)
    return xr.Dataset({"label": (("z", "y", "x"), labels)}, attrs=attributes)


def dice(a: np.ndarray, b: np.ndarray, label: int) -> float:
    return float(
        2 * ((a == label) & (b == label)).sum() / ((a == label).sum() + (b == label).sum())
    )


@pytest.mark.parametrize("code", ORIENTATIONS[::5])
@pytest.mark.parametrize("degrees", [(0.0, 0.0, 0.0), (17.0, -11.0, 23.0)], ids=["", "oblique"])
def test_what_was_only_cut_and_turned_comes_back_exactly(code: str, degrees: Any) -> None:
    image, labels, grid = canary(code, degrees=degrees)
    cut = taken_through(image, CUTS)
    back = to_source(cut.dataset)
    ours, theirs = back["image"].values, image.dataset["image"].values
    inside = ours != ours.min()
    assert inside.sum() > 1000
    np.testing.assert_array_equal(ours[inside], theirs[inside])
    assert Grid.from_attributes(ours.shape, back.attrs) == grid
    assert SOURCE_SHAPE not in back.attrs
    # Labels brought to the cut grid and back are what they were where the cut was.
    regridded = run(CATALOGUE["regrid_labels"], label=labels, reference=cut)
    returned = to_source(regridded.dataset)["label"].values
    expected = np.where(inside, labels.dataset["label"].values, 0)
    np.testing.assert_array_equal(returned[inside], expected[inside])


@pytest.mark.parametrize("code", ORIENTATIONS[::9])
@pytest.mark.parametrize("degrees", [(0.0, 0.0, 0.0), (17.0, -11.0, 23.0)], ids=["", "oblique"])
def test_a_prediction_on_the_resampled_grid_lands_on_the_original(code: str, degrees: Any) -> None:
    shape, spacing = (44, 40, 48), (1.0, 1.2, 0.9)
    image, labels, grid = canary(code, shape=shape, spacing_mm=spacing, degrees=degrees)
    steps: list[Step] = [("reorient", {}), ("resample", {"spacing_mm": [0.8, 0.7, 1.0]})]
    small = taken_through(image, [*steps, ("normalise", {})])
    there = Grid.from_attributes(small.dataset["image"].shape, small.dataset.attrs)
    # A reader of images that knows the body: what it says is compared with what was drawn.
    predicted = Canary.within(grid).label_at(there.positions_mm())
    back = to_source(labels_on(small, predicted))
    assert Grid.from_attributes(back["label"].shape, back.attrs) == grid
    assert back["label"].dtype == np.uint8
    drawn = labels.dataset["label"].values
    for label in range(1, 7):
        assert dice(back["label"].values, drawn, label) > 0.85
    ramp = to_source(small.dataset)
    inner = (slice(4, -4),) * 3
    np.testing.assert_allclose(
        ramp["image"].values[inner], image.dataset["image"].values[inner], atol=2e-3
    )


@settings(max_examples=25)
@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.integers(0, 3)] * 3),
    st.tuples(*[st.integers(1, 12)] * 3),
    st.booleans(),
)
def test_index_space_remembers_where_it_lay(
    shape: Any, margin: Any, size: Any, world: bool
) -> None:
    grid = oriented_grid("ASL", shape) if world else Grid(shape)
    image = volume(noise(shape), grid)
    steps: list[Step] = [("pad", {"margin": margin}), ("pad", {"size": size})]
    padded = taken_through(image, steps)
    np.testing.assert_array_equal(to_source(padded.dataset)["image"], image.dataset["image"])
    doubled = [2 * side for side in padded.dataset["image"].shape]
    # Twice as fine, and back by the mean of the two neighbours of each centre: linear is exact.
    finer = taken_through(padded, [("resample", {"size": doubled, "interpolation": "nearest"})])
    back = to_source(finer.dataset)
    np.testing.assert_allclose(back["image"], image.dataset["image"], rtol=1e-6)
    assert (INDEX_TO_SOURCE in finer.dataset.attrs) is not world
    assert INDEX_TO_SOURCE not in back.attrs


def test_scalings_are_undone_and_what_is_not_is_named() -> None:
    image = volume(np.stack([noise(), 3.0 * noise(seed=1)]), Grid((6, 9, 8)))
    steps: list[Step] = [
        ("normalise", {"method": "percentile"}),
        ("normalise", {}),
        ("normalise", {"method": "minmax"}),
    ]
    back = to_source(taken_through(image, steps).dataset)
    np.testing.assert_allclose(back["image"], image.dataset["image"], rtol=1e-4)
    assert NOT_UNDONE not in back.attrs
    clipped: list[Step] = [steps[0], ("clip", {"lower": 0.0, "upper": 1.0}), steps[1]]
    back = to_source(taken_through(image, clipped).dataset)
    assert [one["op"] for one in back.attrs[NOT_UNDONE]] == ["percentile", "clip"]
    assert back["image"].values.min() == pytest.approx(0.0, abs=1e-5)
    assert back["image"].values.max() == pytest.approx(1.0, abs=1e-5)
    assert "intensity" not in back.attrs


def test_a_label_map_has_no_intensities_to_undo() -> None:
    normal = taken_through(canary()[0], [("normalise", {})])
    labels = np.full(normal.dataset["image"].shape, 3, np.int16)
    back = to_source(labels_on(normal, labels).assign_attrs(normal.dataset.attrs))
    assert back["label"].dtype == np.int16
    assert (back["label"] == 3).all()
    assert NOT_UNDONE not in back.attrs


def test_what_carries_no_source_is_on_it() -> None:
    image, labels, grid = canary()
    for entry in (image, labels):
        assert to_source(entry.dataset).identical(entry.dataset)
    flat = label_map(np.arange(12, dtype=np.uint8).reshape(3, 4), Grid((1, 3, 4)))
    finer = run(CATALOGUE["regrid_labels"], {"size": [1, 6, 8]}, label=flat)
    back = to_source(finer.dataset)
    assert back["label"].dims == ("y", "x")
    np.testing.assert_array_equal(back["label"], flat.dataset["label"])
    picture = xr.Dataset({"image": (("channel", "y", "x"), noise((3, 4, 5)))})
    assert to_source(picture).identical(picture)
    with pytest.raises(InvalidEntry, match="neither"):
        to_source(xr.Dataset({"series": ("x", [1.0])}))
    assert grid.shape == image.dataset["image"].shape


def test_what_was_cropped_away_is_the_smallest_value_or_what_is_told() -> None:
    array = noise()
    array[2:4, 3:5, 3:5] = 500.0
    small = taken_through(volume(array, Grid(array.shape)), [("crop_to_body", {"above": 400.0})])
    assert (to_source(small.dataset)["image"] == 500.0).all()
    back = to_source(small.dataset, outside=-1.0)["image"].values
    assert (back == 500.0).sum() == 8
    assert (back == -1.0).sum() == array.size - 8


def test_a_real_segmentation_comes_back(test_data: Path) -> None:
    import nibabel

    path = test_data / "ct" / "totalsegmentator" / "example_seg.nii.gz"
    loaded = nibabel.load(path)
    grid = grid_from_nifti(loaded.shape, loaded.affine)
    labels = array_from_nifti(np.asarray(loaded.dataobj)).astype(np.uint8)
    image = volume(labels.astype(np.float32), grid)
    steps: list[Step] = [
        ("crop_to_body", {"above": 0.5, "margin": 2}),
        ("reorient", {"orientation": "LPS"}),
    ]
    cut = taken_through(image, steps)
    truth = label_map(labels, grid)
    exact = to_source(run(CATALOGUE["regrid_labels"], label=truth, reference=cut).dataset)
    box = to_source(cut.dataset, outside=-1.0)["image"].values >= 0
    np.testing.assert_array_equal(exact["label"].values, np.where(box, labels, 0))
    finer = taken_through(cut, [("resample", {"spacing_mm": 1.5})])
    there = run(CATALOGUE["regrid_labels"], label=truth, reference=finer)
    back = to_source(there.dataset)["label"].values
    counts = np.bincount(labels[box], minlength=256)
    # One voxel across, a structure may be lost between two grids: 3 mm → 1.5 mm → 3 mm.
    large = [label for label in np.flatnonzero(counts >= 200) if label]
    scores = [dice(back[box], labels[box], label) for label in large]
    assert len(scores) > 25
    assert np.mean(scores) > 0.99
    assert min(scores) > 0.9
