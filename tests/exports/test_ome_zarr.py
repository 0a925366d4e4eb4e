"""OME-Zarr 0.5: validated by ome-zarr-models, read by ome-zarr-py's reader, which napari uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.image_label import ImageLabel
from ome_zarr_models.v05.labels import Labels

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entry import Output
from cohortflow.exports import pyramid
from cohortflow.exports.export import ExportReport, export
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import LETTERS, oriented_grid
from tests.exports.samples import GRIDS, Row, cohort_of, labels, run_of, segmented, volume
from tests.geometry.strangers import Seen, places
from tests.geometry.test_canary_conversions import check


def ome(cohort: Cohort, out: Path, **asked: Any) -> ExportReport:
    return export(cohort, out, "ome-zarr", Asked(**asked), ExportOptions())


def read(path: Path) -> list[Any]:
    """What ome-zarr-py's reader makes of it: the image, then its labels."""
    location = parse_url(path)
    assert location is not None
    return [node for node in Reader(location)() if node.data]


def placed(node: Any, level: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale, translation = node.metadata["coordinateTransformations"][level]
    assert (scale["type"], translation["type"]) == ("scale", "translation")
    return np.asarray(node.data[level]), scale["scale"], translation["translation"]


def test_the_canary_lands_where_it_was_in_all_96_grids(tmp_path: Path) -> None:
    ome(segmented(tmp_path / "cohort", GRIDS), tmp_path / "out")
    for name in GRIDS:
        path = tmp_path / "out" / f"{name}_image.ome.zarr"
        _, letters = read(path)
        voxels, scale, translation = placed(letters)
        matrix = np.asarray(zarr.open_group(path / "labels" / "segment").attrs["index_to_world"])
        seen = Seen(voxels, places(voxels.shape, matrix[:3, 3], matrix[:3, :3].T))
        check(seen, name)
        # scale and translation alone: the same up to the rotation that OME-Zarr has no place for
        turned = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
        along = places(voxels.shape, translation, np.diag(scale))
        assert np.abs(along @ turned.T - seen.positions).max() < 1e-4


def test_it_is_valid_with_names_colours_units_and_its_image(tmp_path: Path) -> None:
    report = ome(segmented(tmp_path / "cohort", {"a": GRIDS["LPS-oblique"]}), tmp_path / "out")
    assert "oblique" in report.notes[0]
    group = zarr.open_group(tmp_path / "out" / "a_image.ome.zarr", mode="r")
    image = Image.from_zarr(group).ome_attributes.multiscales[0]
    assert [(axis.name, axis.unit) for axis in image.axes] == [(n, "millimeter") for n in "zyx"]
    assert Labels.from_zarr(group["labels"]).ome_attributes.labels == ["segment"]
    ImageLabel.from_zarr(group["labels/segment"])
    about = dict(group["labels/segment"].attrs)["ome"]["image-label"]
    names = {one["label-value"]: one["name"] for one in about["properties"]}
    assert names == {value: f"letter {letter}" for letter, value in LETTERS.items()}
    assert about["source"] == {"image": "../../"}
    assert len({tuple(one["rgba"]) for one in about["colors"]}) == 6


def test_levels_lie_over_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyramid.pyramid, "__kwdefaults__", {"largest": 12})
    grid = oriented_grid("RAS", shape=(16, 32, 32), spacing_mm=(4, 2, 2))
    ome(segmented(tmp_path / "cohort", {"a": grid}), tmp_path / "out")
    image, letters = read(tmp_path / "out" / "a_image.ome.zarr")
    assert [level.shape for level in image.data] == [(16, 32, 32), (16, 16, 16), (8, 8, 8)]
    assert [level.shape for level in letters.data] == [level.shape for level in image.data]
    group = zarr.open_group(tmp_path / "out" / "a_image.ome.zarr", mode="r")
    Image.from_zarr(group)
    for level in range(3):
        voxels, scale, first = placed(image, level)
        middle = np.asarray(first) + (np.array(voxels.shape) - 1) / 2 * scale
        _, fine, start = placed(image)
        np.testing.assert_allclose(middle, start + (np.array(grid.shape) - 1) / 2 * np.array(fine))
        # The intensities are affine in place: a mean is the intensity at its middle.
        np.testing.assert_allclose(voxels.mean(), placed(image)[0].mean(), atol=1e-3)
        assert placed(letters, level)[1:] == (scale, first)


def test_labels_find_their_image(tmp_path: Path) -> None:
    grid, other = GRIDS["RAS"], GRIDS["LAS"]
    cohort = segmented(tmp_path / "cohort", {"a": grid})
    rows: list[Row] = [("a", {"fold": f}, labels(grid)) for f in (0, 1)]
    steps: dict[str, tuple[str, list[Row]]] = {
        "clip": ("volume", [("a", {}, volume(grid))]),
        "segment": ("label_map", rows),
        "elsewhere": ("label_map", [("a", {}, labels(other))]),
    }
    run_of(cohort, "organs", steps)
    report = ome(cohort, tmp_path / "out")
    found = {path.name for path in (tmp_path / "out").glob("*.zarr")}
    assert found == {"a_clip.ome.zarr", "a_elsewhere.ome.zarr"}
    inside = zarr.open_group(tmp_path / "out" / "a_clip.ome.zarr" / "labels", mode="r")
    assert sorted(inside.group_keys()) == ["segment_fold-0", "segment_fold-1"]
    assert any("stands alone" in note for note in report.notes)
    alone = zarr.open_group(tmp_path / "out" / "a_elsewhere.ome.zarr", mode="r")
    Image.from_zarr(alone)
    ImageLabel.from_zarr(alone)
    assert ome(cohort, tmp_path / "out").written == 0


def test_pictures_channels_and_flat_labels_in_index_space(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = xr.Dataset({"image": (("channel", "y", "x"), rng.integers(0, 255, (3, 9, 7), "u1"))})
    mask = xr.Dataset({"label": (("y", "x"), rng.integers(0, 3, (9, 7), "u1"))})
    four = xr.Dataset({"image": (("channel", "z", "y", "x"), rng.normal(size=(2, 3, 9, 7)))})
    cohort = cohort_of(
        tmp_path / "cohort",
        {
            "a": {"image": ("image_2d", Output(picture)), "label": ("label_map", Output(mask))},
            "b": {"image": ("volume", Output(four))},
        },
    )
    ome(cohort, tmp_path / "out", entry="image")
    ome(cohort, tmp_path / "labels", entry="label", subjects=("a",))
    for path, array, axes in (
        ("out/a_image.ome.zarr", picture["image"], ["channel", "y", "x"]),
        ("out/b_image.ome.zarr", four["image"], ["channel", "z", "y", "x"]),
        ("labels/a_image.ome.zarr", picture["image"], ["channel", "y", "x"]),
    ):
        group = zarr.open_group(tmp_path / path, mode="r")
        found = Image.from_zarr(group).ome_attributes.multiscales[0]
        assert [axis.name for axis in found.axes] == axes
        assert {axis.unit for axis in found.axes} == {None}
        np.testing.assert_array_equal(read(tmp_path / path)[0].data[0], array)
    flat = read(tmp_path / "labels" / "a_image.ome.zarr")[1]
    np.testing.assert_array_equal(flat.data[0], mask["label"])


@pytest.mark.parametrize("grid", [GRIDS["LPS-oblique"], Grid((3, 4, 5))])
def test_the_entry_itself_opens_in_a_viewer_and_in_xarray_as_before(
    tmp_path: Path, grid: Grid
) -> None:
    output = volume(grid)
    cohort = cohort_of(tmp_path / "cohort", {"a": {"image": ("volume", output)}})
    (path,) = (tmp_path / "cohort").rglob("arrays")
    Image.from_zarr(zarr.open_group(path, mode="r"))
    (node,) = read(path)
    assert output.dataset is not None
    np.testing.assert_array_equal(node.data[0], output.dataset["image"])
    xr.testing.assert_identical(cohort["a"]["image"].load(), output.dataset)
    plain = xr.open_zarr(path)
    assert set(plain.attrs) == {*output.dataset.attrs, "ome"}
    xr.testing.assert_equal(plain.load(), output.dataset)
