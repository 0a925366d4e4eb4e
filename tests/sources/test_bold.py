"""Sphere means of generated images: against brute force, under oblique affines, and faults."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow import errors
from cohortflow.sources import bold
from cohortflow.sources.atlases import Atlas
from cohortflow.sources.bold import header_repetition_time, load_image, read_sphere_means
from cohortflow.sources.bold import sphere_voxels as fast_voxels
from cohortflow.sources.discover import Recording
from cohortflow.sources.read import read_recording
from tests.sources.bold_images import cut, oblique_affine, save, three_spheres, unzipped, world

SHAPE = (16, 14, 11)


def brute_force(centre: np.ndarray, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    apart = np.linalg.norm(world(affine, shape) - centre, axis=-1)
    return np.flatnonzero(apart <= 5.0 + 1e-4)


@settings(max_examples=60, deadline=None)
@given(
    at=st.tuples(*(st.floats(-4, n + 4) for n in SHAPE)),
    spacing=st.tuples(*[st.floats(0.8, 7.0)] * 3),
)
def test_voxels_of_a_sphere_equal_brute_force(
    at: tuple[float, ...], spacing: tuple[float, float, float]
) -> None:
    affine = oblique_affine(spacing)
    centre = affine[:3, :3] @ np.array(at) + affine[:3, 3]
    found = fast_voxels(centre, affine, SHAPE, 5.0)
    np.testing.assert_array_equal(np.sort(found), brute_force(centre, affine, SHAPE))


def test_a_voxel_exactly_on_the_radius_belongs() -> None:
    found = fast_voxels(np.array([10.0, 10, 10]), np.diag([5.0, 5, 5, 1]), (5, 5, 5), 5.0)
    assert len(found) == 7


def test_means_of_a_generated_series(tmp_path: Path) -> None:
    affine = oblique_affine()
    atlas = three_spheres(affine, SHAPE)
    assert atlas.xyz_mm is not None
    data = np.random.default_rng(0).standard_normal((*SHAPE, 7))
    path = save(tmp_path / "bold.nii.gz", data, affine)
    series = read_sphere_means(path, atlas)
    for region in (0, 1):
        members = brute_force(atlas.xyz_mm[region], affine, SHAPE)
        assert len(members) > 5
        expected = data.reshape(-1, 7)[members].mean(axis=0)
        np.testing.assert_allclose(series.values[region], expected, rtol=1e-12)
    assert series.names == atlas.labels
    assert series.constant.tolist() == [False, False, True]


def test_a_known_signal_comes_back_through_scaled_integers(tmp_path: Path) -> None:
    affine = oblique_affine()
    atlas = three_spheres(affine, SHAPE)
    assert atlas.xyz_mm is not None
    truth = 100 + 10 * np.sin(np.arange(12) / 2)
    data = np.zeros((*SHAPE, 12))
    data[np.linalg.norm(world(affine, SHAPE) - atlas.xyz_mm[1], axis=-1) < 5.5] = truth
    image = nibabel.Nifti1Image(data, affine)
    image.set_data_dtype(np.int16)
    nibabel.save(image, tmp_path / "bold.nii")
    assert load_image(tmp_path / "bold.nii", "s").dataobj.slope != 1
    means = read_sphere_means(tmp_path / "bold.nii", atlas).values
    np.testing.assert_allclose(means[1], truth, atol=0.01)
    assert not means[0].any()


def test_mask_and_voxels_that_are_never_there(tmp_path: Path) -> None:
    affine = oblique_affine()
    atlas = three_spheres(affine, SHAPE)
    assert atlas.xyz_mm is not None
    data = np.random.default_rng(1).standard_normal((*SHAPE, 5))
    members = [brute_force(atlas.xyz_mm[r], affine, SHAPE) for r in (0, 1)]
    data.reshape(-1, 5)[members[0][0]] = np.nan
    path = save(tmp_path / "bold.nii.gz", data, affine)
    mask = np.ones(SHAPE, dtype=np.uint8)
    mask.reshape(-1)[members[1]] = 0
    series = read_sphere_means(path, atlas, mask=save(tmp_path / "m.nii.gz", mask, affine))
    expected = data.reshape(-1, 5)[members[0][1:]].mean(axis=0)
    np.testing.assert_allclose(series.values[0], expected, rtol=1e-12)
    assert series.constant.tolist() == [False, True, True]
    moved = affine.copy()
    moved[0, 3] += 2
    save(tmp_path / "m.nii.gz", mask, moved)
    with pytest.raises(errors.GeometryMismatch, match=r"up to 2 mm off.* 31;.* 33;"):
        read_sphere_means(path, atlas, mask=tmp_path / "m.nii.gz")


def test_faults_have_names(tmp_path: Path) -> None:
    affine = oblique_affine()
    atlas = three_spheres(affine, SHAPE)
    assert atlas.xyz_mm is not None
    data = np.random.default_rng(2).standard_normal((*SHAPE, 5))
    whole = save(tmp_path / "whole.nii.gz", data, affine)
    data.reshape(-1, 5)[brute_force(atlas.xyz_mm[1], affine, SHAPE)[0], 3] = np.nan
    save(tmp_path / "nan.nii.gz", data, affine)
    save(tmp_path / "flat.nii.gz", data[..., 0], affine)
    save(tmp_path / "two.nii.gz", data[..., :2], affine)
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    (tmp_path / "text.nii.gz").write_bytes(b"not an image")
    (tmp_path / "text.nii").write_bytes(b"not an image " * 50)
    (tmp_path / "cut.nii.gz").write_bytes(whole.read_bytes())
    cut(tmp_path / "cut.nii.gz", 0.6)
    (tmp_path / "cut.nii").write_bytes(unzipped(whole))
    cut(tmp_path / "cut.nii", 0.6)
    huge = bytearray(unzipped(whole))
    huge[42:48] = np.array([30000] * 3, dtype="<i2").tobytes()
    (tmp_path / "huge.nii").write_bytes(bytes(huge))
    cases = {
        "nan.nii.gz": (errors.MissingValues, r"'b' at time point 3"),
        "flat.nii.gz": (errors.UnreadableFile, "4 dims"),
        "two.nii.gz": (errors.SeriesTooShort, "2 volumes"),
        "empty.nii.gz": (errors.EmptyInput, "empty"),
        "text.nii.gz": (errors.UnreadableFile, "NIfTI"),
        "text.nii": (errors.UnreadableFile, "NIfTI"),
        "cut.nii.gz": (errors.TruncatedFile, "too early"),
        "cut.nii": (errors.TruncatedFile, "too early"),
        "huge.nii": (errors.UnreadableFile, "impossible"),
        "absent.nii.gz": (errors.UnreadableFile, "opened"),
    }
    for name, (fault, words) in cases.items():
        with pytest.raises(fault, match=words) as caught:
            read_sphere_means(tmp_path / name, atlas, where="sub-07")
        assert type(caught.value) is fault, name
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(errors.UsageError, match="coordinates"):
        read_sphere_means(whole, Atlas("bare", ("a",), (1,)))


def test_repetition_time_of_the_header(tmp_path: Path) -> None:
    path = save(tmp_path / "b.nii.gz", np.zeros((2, 2, 2, 3)), np.eye(4), tr=2.5)
    image = load_image(path, "s")
    assert header_repetition_time(image) == 2.5
    image.header.set_xyzt_units("mm", "msec")
    image.header.set_zooms((1, 1, 1, 1500))
    assert header_repetition_time(image) == 1.5
    image.header["xyzt_units"] = 2 + 32
    assert np.isnan(header_repetition_time(image))
    image.header.set_zooms((1, 1, 1, 0))
    assert np.isnan(header_repetition_time(image))


@settings(max_examples=150, deadline=None)
@given(
    damage=st.dictionaries(st.integers(0, 351), st.integers(0, 255), min_size=1, max_size=8),
    keep=st.sampled_from([1.0, 1.0, 0.5]),
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_any_damage_of_a_header_is_read_or_refused_by_name(
    damage: dict[int, int], keep: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    affine = oblique_affine()
    folder = tmp_path_factory.mktemp("fuzz")
    data = np.random.default_rng(0).standard_normal((6, 6, 5, 4)).astype(np.float32)
    content = bytearray(unzipped(save(folder / "whole.nii.gz", data, affine)))
    for at, value in damage.items():
        content[at] = value
    path = folder / "damaged.nii"
    path.write_bytes(bytes(content[: int(len(content) * keep)]))
    recording = Recording("s", "s", (path,), "bold")
    try:
        output = read_recording(recording, None, three_spheres(affine, (6, 6, 5)))
    except errors.InputError:
        return
    assert output.dataset is not None
    assert np.isfinite(output.dataset["series"]).all()


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "u1", "<f4", ">f8"])
@pytest.mark.parametrize("scaling", [(1.0, 0.0), (0.3, -7.1), (2.0, 0.0)])
def test_volumes_are_nibabels_to_the_last_bit(
    dtype: str, scaling: tuple[float, float], tmp_path: Path
) -> None:
    data = np.random.default_rng(3).integers(0, 200, (4, 5, 6, 3)).astype(dtype)
    header = nibabel.Nifti1Header(endianness=">" if dtype[0] == ">" else "<")
    header.set_data_dtype(dtype)
    image = nibabel.Nifti1Image(data, oblique_affine(), header)
    image.header.set_slope_inter(*scaling)
    for name in ("a.nii", "a.nii.gz"):
        nibabel.save(image, tmp_path / name)
        theirs = np.asarray(nibabel.load(tmp_path / name).dataobj, np.float64)
        loaded = bold.load_image(tmp_path / name, "s")
        ours = list(bold._volumes(tmp_path / name, loaded, "s"))
        assert len(ours) == 3
        for time, volume in enumerate(ours):
            assert volume.tobytes() == theirs[..., time].tobytes()
