"""Previews: the patient's left on the right, whatever the orientation of the array."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import GeometryMismatch, NotFinite
from cohortflow.geometry import ORIENTATIONS, Grid, Reorientation
from cohortflow.phantoms.canary import LETTERS, Canary, oriented_grid
from cohortflow.preprocess.planes import MOST_PIXELS, three_planes
from cohortflow.stages.preview import STAGE, Preview
from tests.golden.check import assert_golden
from tests.stages.examples import run

GRID = oriented_grid("LPS", shape=(18, 16, 20), spacing_mm=(2.5, 3.0, 2.0))
CANARY = Canary.within(GRID)


def entry(kind: str, array: np.ndarray, grid: Grid) -> Entry:
    name = "image" if kind == "volume" else "label"
    dataset = xr.Dataset({name: (("z", "y", "x"), array)}, attrs=grid.attributes())
    return Entry.in_memory(kind, Output(dataset=dataset), subject="a")


def entries(grid: Grid = GRID) -> dict[str, Entry]:
    return {
        "image": entry("volume", CANARY.image(grid), grid),
        "label": entry("label_map", CANARY.labels(grid), grid),
    }


def test_golden() -> None:
    assert_golden(STAGE, run(STAGE, **entries()))


def middle(plane: np.ndarray, letter: str) -> tuple[float, float]:
    row, column = np.argwhere(plane == LETTERS[letter]).mean(axis=0)
    return float(row / plane.shape[0]), float(column / plane.shape[1])


@pytest.mark.parametrize("code", ORIENTATIONS)
def test_planes_are_those_of_the_body_in_every_orientation(code: str) -> None:
    way = Reorientation.towards(GRID, code)
    label = CANARY.labels(GRID)
    truth = three_planes(CANARY.image(GRID), GRID, label)
    turned = three_planes(way.apply(CANARY.image(GRID)), way.after, way.apply(label))
    for name, plane in truth.items():
        np.testing.assert_allclose(turned[name].pixel_mm, plane.pixel_mm)
        assert turned[name].sides == plane.sides
    # An even axis has two middles, so a plane may be the neighbour: what it shows is judged.
    for planes in (truth, turned):
        axial, coronal, sagittal = (planes[n].label for n in ("axial", "coronal", "sagittal"))
        assert axial is not None
        assert coronal is not None
        assert sagittal is not None
        assert middle(axial, "R")[1] < 0.3 < 0.7 < middle(axial, "L")[1]
        assert middle(axial, "A")[0] < 0.3 < 0.7 < middle(axial, "P")[0]
        assert middle(coronal, "R")[1] < 0.3 < 0.7 < middle(coronal, "L")[1]
        assert middle(coronal, "S")[0] < 0.3 < 0.7 < middle(coronal, "I")[0]
        assert middle(sagittal, "A")[1] < 0.3 < 0.7 < middle(sagittal, "P")[1]
        assert middle(sagittal, "S")[0] < 0.3 < 0.7 < middle(sagittal, "I")[0]


def test_facts_are_of_the_whole_volume() -> None:
    facts = run(STAGE, **entries()).facts
    image, labels = CANARY.image(GRID), CANARY.labels(GRID)
    assert facts["orientation"] == "LPS"
    assert facts["spacing_mm"] == [2.5, 3.0, 2.0]
    assert facts["extent_mm"] == [45.0, 48.0, 40.0]
    assert facts["mean"] == pytest.approx(image.mean(dtype=float))
    assert facts["p99"] == pytest.approx(np.percentile(image, 99))
    millilitres = {str(v): np.count_nonzero(labels == v) * 15 / 1000 for v in LETTERS.values()}
    assert facts["labels"] == pytest.approx(millilitres)


def test_large_planes_are_thinned_by_means() -> None:
    image = np.zeros((4, 4, 1000), np.float32)
    image[..., ::2] = 1.0
    planes = three_planes(image, Grid(image.shape), limits=(0.0, 1.0))
    axial = planes["axial"].image
    assert max(axial.shape) <= MOST_PIXELS
    assert axial[:, :-1].min() > 80  # stripes of one voxel do not become bands
    assert axial[:, :-1].max() < 175
    assert planes["axial"].pixel_mm == (1.0, 6.0)


def test_black_and_white_are_as_given() -> None:
    output = run(STAGE, {"black": 0.0, "white": 10.0}, **entries())
    assert output.dataset is not None
    image = CANARY.image(GRID)[9]
    grey = np.rint(255 * np.clip(image / 10.0, 0, 1))
    planes = three_planes(CANARY.image(GRID), GRID, limits=(0.0, 10.0))
    np.testing.assert_array_equal(planes["axial"].image, grey)
    for wrong in ({"black": 1.0}, {"black": 2.0, "white": 1.0}):
        with pytest.raises(ValueError, match="black"):
            Preview(**wrong)


def test_a_label_map_elsewhere_and_missing_voxels_are_refused() -> None:
    shifted = np.array(GRID.matrix)
    shifted[0, 3] += 2
    inputs = entries() | {
        "label": entry("label_map", CANARY.labels(GRID), Grid(GRID.shape, shifted))
    }
    with pytest.raises(GeometryMismatch):
        run(STAGE, **inputs)
    broken = CANARY.image(GRID)
    broken[0, 0, 0] = np.nan
    with pytest.raises(NotFinite, match="1 of"):
        run(STAGE, image=entry("volume", broken, GRID))


def test_index_space_says_no_sides() -> None:
    output = run(STAGE, image=entry("volume", CANARY.image(GRID), Grid(GRID.shape)))
    assert output.dataset is not None
    assert output.dataset["axial"].attrs["sides"] == ""
    assert output.facts["space"] == "index"
