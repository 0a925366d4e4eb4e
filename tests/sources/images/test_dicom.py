"""DICOM series: sorted by geometry, told apart, what is wrong named and on request resolved."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    BasicTextSRStorage,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from cohortflow import errors
from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import oriented_grid
from cohortflow.sources.images.decoded import image_facts, scaled
from cohortflow.sources.images.dicom_seg import _step
from tests.hostile.seeds import encapsulated, picture
from tests.sources.images.dicom_files import save, write_series
from tests.sources.images.reading import one, read

GRID = oriented_grid("LPS", shape=(6, 5, 7), spacing_mm=(2.5, 0.7, 0.8))
VALUES = np.arange(6 * 5 * 7, dtype=np.int16).reshape(6, 5, 7) - 100


def series(folder: Path, **more: Any) -> list[Path]:
    return write_series(folder, VALUES, GRID.matrix, **more)


def test_values_and_places_whatever_the_names_and_the_numbers(tmp_path: Path) -> None:
    order = [3, 0, 5, 1, 4, 2]

    def renumbered(z: int, dataset: Dataset) -> None:
        dataset.InstanceNumber = order[z]

    paths = series(tmp_path, names=lambda z: f"{order[z]}.dcm", edit=renumbered)
    decoded = one("dicom", sorted(paths))
    np.testing.assert_array_equal(decoded.array, VALUES)
    assert decoded.array.dtype == np.int16
    np.testing.assert_allclose(decoded.grid.matrix, GRID.matrix, atol=1e-6)
    assert image_facts(decoded)["modality"] == "CT"


def test_rescaled_values_stay_whole_where_they_are(tmp_path: Path) -> None:
    tags = {"RescaleSlope": "2", "RescaleIntercept": "-1024"}
    decoded = one("dicom", series(tmp_path, tags=tags))
    np.testing.assert_array_equal(decoded.array, 2 * VALUES.astype(int) - 1024)
    assert decoded.array.dtype == np.int16


def test_each_slice_by_its_own_slope(tmp_path: Path) -> None:
    def sloped(z: int, dataset: Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{0.5 + z}", "1.25"

    decoded = one("dicom", series(tmp_path, edit=sloped))
    slopes = 0.5 + np.arange(6)[:, None, None]
    np.testing.assert_allclose(decoded.array, VALUES * slopes + 1.25, rtol=1e-6)
    assert decoded.array.dtype == np.float32


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless]
)
def test_other_encodings_give_the_same(syntax: Any, tmp_path: Path) -> None:
    def encoded(_: int, dataset: Dataset) -> None:
        if syntax == RLELossless:
            dataset.compress(RLELossless)
        else:
            dataset.file_meta.TransferSyntaxUID = syntax

    np.testing.assert_array_equal(one("dicom", series(tmp_path, edit=encoded)).array, VALUES)


def test_colours_come_first(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 255, (4, 5, 7, 3)).astype(np.uint8)
    decoded = one("dicom", write_series(tmp_path, colours, GRID.matrix))
    np.testing.assert_array_equal(decoded.array, np.moveaxis(colours, -1, 0))


def test_two_series_in_one_folder_are_two_images(tmp_path: Path) -> None:
    first = series(tmp_path, names="a{}.dcm".format)
    second = write_series(
        tmp_path, VALUES[:4] + 1000, GRID.matrix, names="b{}.dcm".format,
        series_uid="1.2.826.0.1.3680043.8.498.2", tags={"SeriesNumber": 2},
    )  # fmt: skip
    one, two = read("dicom", [*second, *first])
    assert (one.part, two.part) == ("s1", "s2")
    np.testing.assert_array_equal(one.array, VALUES)
    np.testing.assert_array_equal(two.array, VALUES[:4] + 1000)
    (chosen,) = read("dicom", [*second, *first], series=2)
    np.testing.assert_array_equal(chosen.array, VALUES[:4] + 1000)
    with pytest.raises(errors.UnsupportedData, match="none of Series Number 3"):
        read("dicom", first, series=3)


def moved(which: int, by: tuple[float, float, float]) -> Any:
    def edit(z: int, dataset: Dataset) -> None:
        if z == which:
            x, y, height = (float(n) for n in dataset.ImagePositionPatient)
            dataset.ImagePositionPatient = [x + by[0], y + by[1], height + by[2]]

    return edit


def tilted(z: int, dataset: Dataset) -> None:
    x, y, height = (float(n) for n in dataset.ImagePositionPatient)
    dataset.ImagePositionPatient = [x, y + 0.4 * z, height]


def without(keyword: str, which: int | None = None) -> Any:
    def edit(z: int, dataset: Dataset) -> None:
        if which is None or z == which:
            delattr(dataset, keyword)

    return edit


def changed(which: int, **tags: Any) -> Any:
    def edit(z: int, dataset: Dataset) -> None:
        if z == which:
            for keyword, value in tags.items():
                setattr(dataset, keyword, value)

    return edit


def smaller(z: int, dataset: Dataset) -> None:
    if z == 2:
        dataset.Rows = 4
        dataset.PixelData = dataset.PixelData[: 4 * 7 * 2]


REFUSED = {
    "tilt": (tilted, errors.GantryTilt),
    "duplicate": (moved(2, (0, 0, 2.5)), errors.DuplicateSlice),
    "uneven": (moved(2, (0, 0, 1.0)), errors.UnevenSlices),
    "astray": (moved(2, (3.0, 0, 0)), errors.UnevenSlices),
    "mixed size": (smaller, errors.MixedSize),
    "mixed spacing": (changed(1, PixelSpacing=[0.9, 0.8]), errors.MixedSize),
    "mixed orientation": (
        changed(1, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]),
        errors.MixedOrientation,
    ),
    "mixed sign": (changed(4, PixelRepresentation=0), errors.MixedPixels),
    "no pixel spacing": (without("PixelSpacing"), errors.UnknownSpacing),
    "no position": (without("ImagePositionPatient", 3), errors.UnknownSpacing),
    "no orientation": (without("ImageOrientationPatient", 3), errors.UnknownSpacing),
    "neither": (
        lambda z, d: (delattr(d, "ImagePositionPatient"), delattr(d, "ImageOrientationPatient")),
        errors.UnknownSpacing,
    ),
    "no pixels": (without("PixelData", 1), errors.TruncatedFile),
    "no rows": (changed(1, Rows=0), errors.BadHeader),
    "zero spacing": (lambda z, d: setattr(d, "PixelSpacing", [0, 0]), errors.ImpossibleGeometry),
    "no cosines": (
        lambda z, d: setattr(d, "ImageOrientationPatient", [1, 1, 0, 0, 1, 0]),
        errors.ImpossibleGeometry,
    ),
    "palette": (
        lambda z, d: setattr(d, "PhotometricInterpretation", "PALETTE COLOR"),
        errors.UnsupportedData,
    ),
    "one value of all": (changed(1, RescaleSlope="0", RescaleIntercept="5"), errors.BadHeader),
    "a table of values": (changed(1, ModalityLUTSequence=[Dataset()]), errors.UnsupportedData),
    "huge": (
        lambda z, d: (setattr(d, "Rows", 65535), setattr(d, "Columns", 65535)),
        errors.TooLarge,
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_refused_by_name(fault: str, tmp_path: Path) -> None:
    edit, error = REFUSED[fault]
    paths = series(tmp_path, edit=edit)
    with pytest.raises(error) as raised:
        read("dicom", paths)
    assert raised.value.where == "S1"


def test_a_missing_slice_is_named_and_on_request_filled(tmp_path: Path) -> None:
    paths = series(tmp_path)
    del paths[2]
    with pytest.raises(errors.MissingSlice, match="slices 2 and 3 of 5"):
        read("dicom", paths)
    decoded = one("dicom", paths, accept=["missing-slice"])
    np.testing.assert_array_equal(decoded.array, VALUES)  # the values are linear in z
    np.testing.assert_allclose(decoded.grid.matrix, GRID.matrix, atol=1e-6)
    assert decoded.used["accept"] == ["missing-slice"]
    assert [warning["code"] for warning in decoded.warnings] == ["missing-slice"]


def test_uneven_distances_on_request_evened(tmp_path: Path) -> None:
    decoded = one("dicom", series(tmp_path, edit=moved(2, (0, 0, 1.0))), accept=["uneven-slices"])
    assert decoded.array.shape == VALUES.shape
    truth = VALUES.astype(float)
    truth[2] = VALUES[1] + 2.5 / 3.5 * (VALUES[2] - VALUES[1])
    np.testing.assert_array_equal(decoded.array[[0, 1, 2, 4]], np.rint(truth)[[0, 1, 2, 4]])


def test_a_tilt_on_request_kept_as_the_shear_it_is(tmp_path: Path) -> None:
    decoded = one("dicom", series(tmp_path, edit=tilted), accept=["gantry-tilt"])
    np.testing.assert_array_equal(decoded.array, VALUES)
    sheared = np.array(GRID.matrix)
    sheared[:3, 0] += (0, -0.4, 0)  # LPS y rises to the back, RAS y to the front
    np.testing.assert_allclose(decoded.grid.matrix, sheared, atol=1e-6)


def test_of_duplicates_on_request_the_first(tmp_path: Path) -> None:
    paths = series(tmp_path)
    copy = pydicom.dcmread(paths[3])
    copy.InstanceNumber, copy.PixelData = 40, bytes(len(copy.PixelData))
    save(copy, tmp_path / "copy.dcm")
    with pytest.raises(errors.DuplicateSlice):
        read("dicom", [*paths, tmp_path / "copy.dcm"])
    decoded = one("dicom", [tmp_path / "copy.dcm", *paths], accept=["duplicate-slice"])
    np.testing.assert_array_equal(decoded.array, VALUES)


@pytest.mark.parametrize("fault", ["mixed size", "mixed orientation"])
def test_of_mixed_slices_on_request_the_commonest(fault: str, tmp_path: Path) -> None:
    edit, error = REFUSED[fault]
    paths = series(tmp_path, edit=edit)
    decoded = one("dicom", paths, accept=[error.code, "missing-slice"])
    assert decoded.array.shape == VALUES.shape
    np.testing.assert_array_equal(decoded.array[[0, 3, 4, 5]], VALUES[[0, 3, 4, 5]])
    assert decoded.used["accept"] == [error.code, "missing-slice"]


def test_spacing_by_the_users_word(tmp_path: Path) -> None:
    paths = series(tmp_path, edit=without("PixelSpacing"))
    decoded = one("dicom", paths, spacing_mm=(2.5, 0.7, 0.8))
    np.testing.assert_allclose(decoded.grid.matrix, GRID.matrix, atol=1e-6)
    assert decoded.used["spacing_mm"] == [2.5, 0.7, 0.8]


def test_inverted_greys_and_lossy_pixels_are_kept_and_said(tmp_path: Path) -> None:
    tags = {"PhotometricInterpretation": "MONOCHROME1", "LossyImageCompression": "01"}
    decoded = one("dicom", series(tmp_path, tags=tags))
    np.testing.assert_array_equal(decoded.array, VALUES)
    codes = [warning["code"] for warning in decoded.warnings]
    assert codes == ["inverted-greys", "lossy-compression"]


def test_files_without_pixels_are_left_out_and_said(tmp_path: Path) -> None:
    paths = series(tmp_path)
    report = pydicom.dcmread(paths[0])
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(report, keyword)
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
    save(report, tmp_path / "report.dcm")
    decoded = one("dicom", [*paths, tmp_path / "report.dcm"])
    assert decoded.array.shape == VALUES.shape
    assert decoded.warnings[0]["code"] == "no-image"


def test_a_slice_cut_before_its_size_is_no_file_without_pixels(tmp_path: Path) -> None:
    last = series(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:600])
    with pytest.raises(errors.TruncatedFile, match="lacks its rows"):
        read("dicom", files(tmp_path))


def test_a_stream_of_other_channels_is_no_image(tmp_path: Path) -> None:
    image = encapsulated("JPEG")
    colours = picture(np.zeros((16, 16, 3), np.uint8), "JPEG")
    image.PixelData = encapsulate([colours])
    save(image, tmp_path / "a.dcm")
    with pytest.raises(errors.BadHeader, match="16 × 16 of 1; found 16 × 16 of 3"):
        read("dicom", tmp_path / "a.dcm")


def test_whole_numbers_beyond_32_bits_stay_whole() -> None:
    stored = np.array([2**31 - 1, -(2**31)], np.int32)
    assert scaled(stored, 2.0, 1.0).tolist() == [2**32 - 1, -(2**32) + 1]


@pytest.mark.parametrize(
    ("heights", "stated", "step"),
    [([0, 2, 4], None, 2), ([0, 4, 10], None, 2), ([0, 6, 16], None, 2), ([0, 5, 10], 2.5, 2.5)],
)
def test_gaps_of_a_segmentation_are_whole_slices(
    heights: list[float], stated: float | None, step: float
) -> None:
    assert _step(np.array(heights, float), stated) == pytest.approx(step)


def test_a_deflated_bomb_is_refused_unread(tmp_path: Path) -> None:
    def bomb(_: int, dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.ImageComments = "x"
        dataset.add_new(0x00420011, "OB", bytes(64 * 2**20))  # an encapsulated document of zeros

    paths = write_series(tmp_path, VALUES[:1], GRID.matrix, edit=bomb)
    assert os.path.getsize(paths[0]) < 2**20
    with pytest.raises(errors.DecompressionBomb):
        read("dicom", paths)


# --- real series ----------------------------------------------------------------------------------


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def on_grid_of(image: Any, grid: Grid) -> np.ndarray:
    """A NIfTI by nibabel, voxel by voxel where our grid has its own."""
    affine = np.linalg.inv(image.affine)
    at = grid.positions_mm() @ affine[:3, :3].T + affine[:3, 3]
    index = np.rint(at).astype(int)
    assert np.abs(at - index).max() < 1e-2
    data = np.asarray(image.dataobj)
    return data[index[..., 0], index[..., 1], index[..., 2]]


@pytest.mark.parametrize(
    "place", ["ge/anatomical", "generic/compressed_rle", "philips_enhanced/anatomical"]
)
def test_real_series_equal_their_ground_truth(place: str, test_data: Path) -> None:
    folder = test_data / "dicom/dicom2nifti" / place
    decoded = one("dicom", files(folder / "001"))
    truth = on_grid_of(nibabel.load(folder / "001_ground_truth.nii.gz"), decoded.grid)
    np.testing.assert_array_equal(decoded.array, np.squeeze(truth))


def test_real_colours_equal_their_ground_truth(test_data: Path) -> None:
    folder = test_data / "dicom/dicom2nifti/generic/rgb"
    decoded = one("dicom", files(folder / "001"))
    truth = on_grid_of(nibabel.load(folder / "001_ground_truth.nii.gz"), decoded.grid)
    for channel, name in enumerate("RGB"):
        np.testing.assert_array_equal(decoded.array[channel], truth[name])


def test_one_real_series_in_four_compressions(test_data: Path) -> None:
    folder = test_data / "dicom/dicom2nifti/generic"
    names = ("compressed_rle", "compressed_j2k", "compressed_jpeg", "compressed_jpegls")
    first, *others = (one("dicom", files(folder / name / "001")) for name in names)
    for other in others:
        np.testing.assert_array_equal(other.array, first.array)
        np.testing.assert_allclose(other.grid.matrix, first.grid.matrix, atol=1e-6)


def test_odd_series_behave_as_their_manifest_says(test_data: Path) -> None:
    folder = test_data / "dicom/odd"
    manifest = json.loads((folder / "manifest.json").read_text())["series"]
    refused = {
        "missing_slice": errors.MissingSlice,
        "no_pixel_spacing": errors.UnknownSpacing,
        "truncated_pixels": errors.TruncatedFile,
    }
    for name, row in manifest.items():
        expect = row["expect"]
        if not expect["ok"]:
            with pytest.raises(refused[name]):
                read("dicom", files(folder / name))
            continue
        decoded = one("dicom", files(folder / name))
        values = expect.get("values") or manifest["good"]["expect"]["values"]
        truth = np.broadcast_to(np.array(values)[:, None, None], decoded.array.shape)
        np.testing.assert_array_equal(decoded.array, truth)
        assert decoded.grid.spacing_mm[0] == pytest.approx(2.5)


@pytest.mark.parametrize("size", ["23x38x3", "24x38x3"])
def test_real_segmentation_multiframe_and_slices_agree(size: str, test_data: Path) -> None:
    folder = test_data / "dicom/dcmqi" / size
    slices = one("dicom", files(folder / "image"))
    frames = one("dicom", files(folder / "multiframe"))
    np.testing.assert_array_equal(slices.array, frames.array)
    np.testing.assert_allclose(slices.grid.matrix, frames.grid.matrix, atol=1e-4)
    labels = one("dicom", files(folder / "seg"))
    by_itk = SimpleITK.ReadImage(str(folder / "nrrd/label.nrrd"))
    assert labels.role == "label"
    for index in np.argwhere(SimpleITK.GetArrayFromImage(by_itk) > 0):
        x, y, z = by_itk.TransformIndexToPhysicalPoint([int(n) for n in index[::-1]])
        ours = np.rint(labels.grid.index((-x, -y, z))).astype(int)
        assert labels.array[tuple(ours)] == 1
    assert np.count_nonzero(labels.array) == np.count_nonzero(SimpleITK.GetArrayFromImage(by_itk))


def test_a_lone_slice_as_thick_as_the_user_says(tmp_path: Path) -> None:
    (path,) = write_series(tmp_path, VALUES[:1], GRID.matrix)
    with pytest.raises(errors.UnknownSpacing):
        one("dicom", path)
    decoded = one("dicom", path, spacing_mm=(4.0, 9.0, 9.0))
    assert decoded.grid.spacing_mm == pytest.approx((4.0, 0.7, 0.8))
    assert decoded.used == {"spacing_mm": [4.0, 9.0, 9.0]}


@pytest.mark.parametrize("of_one", [True, False])
def test_images_of_several_patients_are_no_subject(of_one: bool, tmp_path: Path) -> None:
    def numbered(z: int, dataset: Dataset) -> None:
        dataset.PatientID = "" if of_one and z == 2 else f"number-{0 if of_one else z % 2}"

    paths = series(tmp_path, edit=numbered)
    if of_one:
        one("dicom", paths)
        return
    with pytest.raises(errors.SeveralPatients) as raised:
        one("dicom", paths)
    assert "number-" not in str(raised.value)
    decoded = one("dicom", paths, accept=["several-patients"])
    assert decoded.used["accept"] == ["several-patients"]
    assert [warning["code"] for warning in decoded.warnings] == ["several-patients"]


@pytest.mark.parametrize(
    ("stated", "codes"), [("2.5", []), ("-2.5", []), ("1.25", ["slice-spacing-differs"])]
)
def test_slices_farther_apart_than_their_header_says_are_told(
    stated: str, codes: list[str], tmp_path: Path
) -> None:
    decoded = one("dicom", series(tmp_path, tags={"SpacingBetweenSlices": stated}))
    assert decoded.grid.spacing_mm[0] == pytest.approx(2.5)
    assert [warning["code"] for warning in decoded.warnings] == codes
