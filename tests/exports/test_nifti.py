"""NIfTI: read back by nibabel and SimpleITK, never by our own readers."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import xarray as xr

from cohortflow.cohort.entry import Output
from cohortflow.exports.export import export
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from cohortflow.geometry import Grid, array_to_nifti, nifti_affine
from tests.exports.samples import GRIDS, cohort_of, labels, segmented, volume
from tests.geometry.strangers import by_nibabel, by_simpleitk
from tests.geometry.test_canary_conversions import check

OWN = ExportOptions()


def test_the_canary_lands_where_it_was_in_all_96_grids(tmp_path: Path) -> None:
    cohort = segmented(tmp_path / "cohort", GRIDS)
    report = export(cohort, tmp_path / "out", "nifti", Asked(), OWN)
    assert (report.results, report.written, report.missing) == (96, 96, [])
    for name in GRIDS:
        path = tmp_path / "out" / f"{name}_segment.nii.gz"
        check(by_nibabel(path).zyx(), name)
        check(by_simpleitk(path).zyx(), name)
        by_qform = nibabel.load(path).get_qform()
        np.testing.assert_allclose(by_qform, nibabel.load(path).affine, atol=1e-4)


def test_the_header_says_millimetres_and_nothing_about_anyone(tmp_path: Path) -> None:
    cohort = segmented(tmp_path / "cohort", {"sub-01": GRIDS["RAS"]})
    export(cohort, tmp_path / "out", "nifti", Asked(entry="image"), OWN)
    path = tmp_path / "out" / "sub-01_image.nii.gz"
    header = nibabel.load(path).header
    assert header.get_xyzt_units() == ("mm", "sec")
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert header.get_data_dtype() == np.float32
    for text in ("descrip", "aux_file", "intent_name", "db_name", "data_type"):
        assert not bytes(header[text].tobytes()).strip(b"\0"), text
    packed = path.read_bytes()
    assert packed[3] == 0  # no file name, no comment
    assert packed[4:8] == bytes(4)  # no time
    assert gzip.decompress(packed)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "i8", "f4", "f8", ">i2"])
def test_the_dtype_is_kept(tmp_path: Path, dtype: str) -> None:
    grid = GRIDS["LPS-oblique"]
    array = (np.arange(np.prod(grid.shape)) % 120).reshape(grid.shape).astype(dtype)
    output = Output(xr.Dataset({"image": (("z", "y", "x"), array)}, attrs=grid.attributes()))
    cohort = cohort_of(tmp_path / "cohort", {"a": {"image": ("volume", output)}})
    export(cohort, tmp_path / "out", "nifti", Asked(entry="image"), OWN)
    seen = by_nibabel(tmp_path / "out" / "a_image.nii.gz").zyx()
    assert seen.voxels.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(seen.voxels, array)


def test_half_precision_is_widened_and_said(tmp_path: Path) -> None:
    grid = GRIDS["RAS"]
    output = volume(grid)
    assert output.dataset is not None
    half = Output(output.dataset.astype("f2").assign_attrs(grid.attributes()))
    cohort = cohort_of(tmp_path / "cohort", {"a": {"image": ("volume", half)}})
    report = export(cohort, tmp_path / "out", "nifti", Asked(entry="image"), OWN)
    assert "float16" in report.notes[0]
    seen = by_nibabel(tmp_path / "out" / "a_image.nii.gz").zyx()
    np.testing.assert_array_equal(seen.voxels, half.dataset.image.values)


def test_channels_come_as_the_fourth_axis(tmp_path: Path) -> None:
    grid = GRIDS["ASL"]
    array = np.random.default_rng(0).integers(0, 9, (3, *grid.shape), dtype=np.int16)
    dims = ("channel", "z", "y", "x")
    output = Output(xr.Dataset({"image": (dims, array)}, attrs=grid.attributes()))
    cohort = cohort_of(tmp_path / "cohort", {"a": {"image": ("volume", output)}})
    export(cohort, tmp_path / "out", "nifti", Asked(entry="image"), OWN)
    found = np.asarray(nibabel.load(tmp_path / "out" / "a_image.nii.gz").dataobj)
    np.testing.assert_array_equal(found.transpose(3, 2, 1, 0), array)


def test_a_sheared_grid_has_no_qform(tmp_path: Path) -> None:
    matrix = np.array(GRIDS["RAS"].index_to_world)
    matrix[:3, 1] += 0.3 * matrix[:3, 0]
    grid = Grid(GRIDS["RAS"].shape, matrix)
    array = np.arange(np.prod(grid.shape), dtype=np.int16).reshape(grid.shape)
    output = Output(xr.Dataset({"image": (("z", "y", "x"), array)}, attrs=grid.attributes()))
    cohort = cohort_of(tmp_path / "cohort", {"a": {"image": ("volume", output)}})
    report = export(cohort, tmp_path / "out", "nifti", Asked(entry="image"), OWN)
    image = nibabel.load(tmp_path / "out" / "a_image.nii.gz")
    assert int(image.header["qform_code"]) == 0
    np.testing.assert_allclose(image.affine @ [1, 2, 3, 1], matrix @ [3, 2, 1, 1], atol=1e-4)
    assert "right angles" in report.notes[0]


def test_far_from_the_scanner_single_precision_is_not_enough(tmp_path: Path) -> None:
    matrix = np.array(GRIDS["RAS"].index_to_world)
    matrix[:3, 3] += 50_000.123
    grid = Grid(GRIDS["RAS"].shape, matrix)
    cohort = cohort_of(tmp_path / "cohort", {"a": {"label": ("label_map", labels(grid))}})
    export(cohort, tmp_path / "out", "nifti", Asked(entry="label"), OWN)
    image = nibabel.load(tmp_path / "out" / "a_label.nii.gz")
    assert isinstance(image, nibabel.Nifti2Image)
    np.testing.assert_allclose(image.affine @ [1, 2, 3, 1], matrix @ [3, 2, 1, 1], atol=1e-4)


def test_index_space_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    flat = Output(xr.Dataset({"label": (("y", "x"), np.eye(5, 4, dtype=np.uint8))}))
    entries = {"image": ("volume", volume(Grid((3, 4, 5)))), "flat": ("label_map", flat)}
    cohort = cohort_of(tmp_path / "cohort", {"a": entries})
    refused = export(cohort, tmp_path / "out", "nifti", Asked(entry="image"), OWN)
    assert [missing.code for missing in refused.missing] == ["no-world-space"]
    assert not list((tmp_path / "out").glob("*.nii.gz"))
    allowed = ExportOptions(allow_index_space=True)
    for name, shape in (("image", (5, 4, 3)), ("flat", (4, 5, 1))):
        report = export(cohort, tmp_path / "out", "nifti", Asked(entry=name), allowed)
        assert "unknown spacing" in report.notes[0]
        image = nibabel.load(tmp_path / "out" / f"a_{name}.nii.gz")
        assert image.shape == shape
        assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (0, 0)
        assert image.header.get_zooms() == (1, 1, 1)
        assert image.header.get_xyzt_units()[0] == "unknown"


@pytest.mark.parametrize("name", ["RAS", "PIL-oblique"])
def test_the_voxels_and_the_header_are_those_that_nibabel_writes(tmp_path: Path, name: str) -> None:
    """The slow obvious way: nibabel's own image, and its own writer."""
    grid = GRIDS[name]
    output = volume(grid)
    assert output.dataset is not None
    cohort = cohort_of(tmp_path / "cohort", {"a": {"image": ("volume", output)}})
    export(cohort, tmp_path / "out", "nifti", Asked(entry="image"), OWN)
    ours = gzip.decompress((tmp_path / "out" / "a_image.nii.gz").read_bytes())
    array = array_to_nifti(output.dataset["image"].values)
    image = nibabel.Nifti1Image(array, nifti_affine(grid))
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(nifti_affine(grid), 1)
    image.set_qform(nifti_affine(grid), 1)
    found, meant = (
        nibabel.Nifti1Image.from_bytes(ours),
        nibabel.Nifti1Image.from_bytes(image.to_bytes()),
    )
    differ = [
        key
        for key in meant.header
        if not np.array_equal(
            found.header[key], meant.header[key], equal_nan=meant.header[key].dtype.kind == "f"
        )
    ]
    assert differ in ([], ["scl_slope", "scl_inter"])
    assert ours[352:] == image.to_bytes()[352:]
