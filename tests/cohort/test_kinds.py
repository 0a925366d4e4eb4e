"""What an entry must hold to be of its kind."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cohortflow.cohort.kinds import validate
from cohortflow.errors import InvalidEntry
from cohortflow.phantoms.canary import oriented_grid

GRID = oriented_grid("LPS", shape=(2, 3, 4))
ZYX = ("z", "y", "x")


def volume(dims: tuple[str, ...], dtype: str = "int16", **attrs: object) -> xr.Dataset:
    shape = {"channel": 3, "z": 2, "y": 3, "x": 4}
    array = np.zeros([shape.get(dim, 2) for dim in dims], dtype)
    return xr.Dataset({"image": (dims, array)}, attrs=attrs)


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32"])
@pytest.mark.parametrize("dims", [ZYX, ("channel", *ZYX)])
def test_volumes_keep_their_dtype_and_may_have_channels(dims: tuple[str, ...], dtype: str) -> None:
    validate("volume", volume(dims, dtype), (), "here")
    validate("volume", volume(dims, dtype, **GRID.attributes()), (), "here")


@pytest.mark.parametrize("dims", [("y", "x"), ("time", *ZYX), ("channel", "time", *ZYX)])
def test_other_axes_are_no_volume(dims: tuple[str, ...]) -> None:
    with pytest.raises(InvalidEntry, match="dims"):
        validate("volume", volume(dims), (), "here")


def test_truth_values_are_no_intensities() -> None:
    with pytest.raises(InvalidEntry, match="dtype"):
        validate("volume", volume(ZYX, "bool"), (), "here")


@pytest.mark.parametrize("dims", [ZYX, ("y", "x")])
def test_labels_have_three_axes_or_two(dims: tuple[str, ...]) -> None:
    dataset = volume(dims).rename({"image": "label"})
    validate("label_map", dataset, (), "here")
    with pytest.raises(InvalidEntry, match="dtype"):
        validate("label_map", dataset.astype("float32"), (), "here")


@pytest.mark.parametrize(
    "matrix", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3), "a matrix", 7]
)
def test_a_matrix_that_places_nothing_is_refused(matrix: object) -> None:
    matrix = matrix.tolist() if isinstance(matrix, np.ndarray) else matrix
    with pytest.raises(InvalidEntry, match="index_to_world"):
        validate("volume", volume(ZYX, index_to_world=matrix), (), "here")
