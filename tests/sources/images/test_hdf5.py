"""HDF5 volumes and slices as ACDC and Synapse have them, and what HDF5 can do to a reader."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cohortflow import errors
from tests.sources.images.reading import one, ramp, read, refused

IMAGE = ramp((3, 4, 5), "f4")
LABEL = (ramp((3, 4, 5)) % 4).astype("u1")


def written(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return path


def slices(
    folder: Path, numbers: list[int], name: str = "patient001_frame01_slice_{}.h5"
) -> list[Path]:
    return [
        written(folder / name.format(number), image=IMAGE[at % 3], label=LABEL[at % 3])
        for at, number in enumerate(numbers)
    ]


def test_a_volume_with_labels_and_scribbles(tmp_path: Path) -> None:
    path = written(
        tmp_path / "case0001.npy.h5", scribble=LABEL.astype("u2"), image=IMAGE, label=LABEL
    )
    image, label, scribble = read("hdf5", path)
    assert [(d.part, d.role) for d in (image, label, scribble)] == [
        ("image", "image"),
        ("label", "label"),
        ("scribble", "label"),
    ]
    np.testing.assert_array_equal(image.array, IMAGE)
    np.testing.assert_array_equal(label.array, LABEL)
    np.testing.assert_array_equal(scribble.array, LABEL)
    assert image.array.dtype == np.float32
    assert image.matrix is None
    assert image.used == {}


def test_a_spacing_by_the_users_word(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", image=IMAGE, label=LABEL)
    image, label = read("hdf5", path, spacing_mm=(10.0, 1.5, 1.25), orientation="RAI")
    for decoded in (image, label):
        assert decoded.grid.spacing_mm == (10, 1.5, 1.25)
        assert decoded.used == {"orientation": "RAI", "spacing_mm": [10, 1.5, 1.25]}
    assert image.grid == label.grid


@pytest.mark.parametrize("options", [
    {"compression": "gzip"}, {"compression": "lzf"}, {"chunks": (2, 3, 2)}, {"fletcher32": True},
    {"compression": "gzip", "shuffle": True, "chunks": (3, 4, 5)}, {"scaleoffset": 0},
    {"maxshape": (None, None, None)},
])  # fmt: skip
def test_ways_to_store_it(options: dict[str, Any], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("label", data=LABEL, **options)
    np.testing.assert_array_equal(one("hdf5", tmp_path / "a.h5").array, LABEL)


@pytest.mark.parametrize(
    "name", ["patient001_frame01_slice_{}.h5", "case0005_slice{:03d}.h5", "{}.hdf5", "p2_{}_t1.h5"]
)
def test_slices_in_the_order_of_their_numbers(name: str, tmp_path: Path) -> None:
    if name == "p2_{}_t1.h5":  # the last number counts, and here it is the same
        refused(errors.DuplicateSlice, "hdf5", slices(tmp_path, [1, 2, 3], name))
        return
    numbers = list(range(1, 13))
    paths = slices(tmp_path, numbers, name)
    image, label = read("hdf5", sorted(paths))  # by name 10 comes before 2
    np.testing.assert_array_equal(image.array, np.concatenate([IMAGE] * 4))
    np.testing.assert_array_equal(label.array, np.concatenate([LABEL] * 4))
    assert image.facts["slice_files"] == 12


def test_one_slice(tmp_path: Path) -> None:
    image, label = read("hdf5", slices(tmp_path, [7]))
    np.testing.assert_array_equal(image.array, IMAGE[:1])
    np.testing.assert_array_equal(label.array, LABEL[:1])


def test_slices_that_are_no_volume(tmp_path: Path) -> None:
    told = refused(errors.MissingSlice, "hdf5", slices(tmp_path, [1, 2, 4]))
    assert "between 2 and 4" in str(told)
    twice = slices(tmp_path, [1, 2]) + slices(tmp_path, [1], "again_slice_{:03d}.h5")
    refused(errors.DuplicateSlice, "hdf5", twice)
    nameless = [*slices(tmp_path, [1]), written(tmp_path / "first.h5", image=IMAGE[0])]
    refused(errors.MissingSlice, "hdf5", nameless)
    first = slices(tmp_path, [1])[0]
    other = tmp_path / "slice_2.h5"
    for error, arrays in (
        (errors.MissingSlice, {"image": IMAGE[0]}),
        (errors.MixedSize, {"image": IMAGE[0, :3], "label": LABEL[0, :3]}),
        (errors.MixedPixels, {"image": IMAGE[0].astype("f8"), "label": LABEL[0]}),
    ):
        refused(error, "hdf5", [first, written(other, **arrays)])
    volumes = [written(tmp_path / f"slice_{n}.h5", image=IMAGE) for n in (1, 2)]
    refused(errors.UnsupportedData, "hdf5", volumes)
    refused(errors.TooLarge, "hdf5", slices(tmp_path, [1, 2, 3]), max_voxels=2 * IMAGE[0].size)


def test_names(tmp_path: Path) -> None:
    for at, (image, label) in enumerate(
        itertools.product(
            ("image", "img", "data", "volume", "Image"), ("label", "labels", "mask", "seg", "gt")
        )
    ):
        found = read("hdf5", written(tmp_path / f"{at}.h5", **{label: LABEL, image: IMAGE}))
        assert [d.part for d in found] == ["image", "label"]
    alone = written(tmp_path / "a.h5", whatever=LABEL)
    assert one("hdf5", alone, "label").part == "label"
    assert one("hdf5", alone, "image").part == "image"
    refused(errors.BadHeader, "hdf5", written(tmp_path / "b.h5", one=LABEL, two=LABEL))
    refused(errors.BadHeader, "hdf5", written(tmp_path / "c.h5", image=IMAGE, img=IMAGE))
    refused(errors.BadHeader, "hdf5", written(tmp_path / "d.h5"))


def test_an_image_and_labels_of_other_sizes(tmp_path: Path) -> None:
    refused(
        errors.GeometryMismatch, "hdf5", written(tmp_path / "a.h5", image=IMAGE, label=LABEL[:2])
    )


def test_voxels_without_a_value_and_labels_that_are_none(tmp_path: Path) -> None:
    refused(errors.NotFinite, "hdf5", written(tmp_path / "a.h5", image=np.full_like(IMAGE, np.nan)))
    refused(errors.NotLabels, "hdf5", written(tmp_path / "b.h5", label=IMAGE / 2))


@pytest.mark.parametrize(
    ("error", "value"),
    [
        (errors.UnsupportedData, "text"),
        (errors.UnsupportedData, np.array([["a", "b"]], "S3")),
        (errors.UnsupportedData, np.zeros((2, 2), [("a", "i2"), ("b", "f4")])),
        (errors.UnsupportedData, np.zeros((2, 2), "c8")),
        (errors.UnsupportedData, np.float32(3)),
        (errors.UnsupportedData, np.zeros(5)),
        (errors.UnsupportedData, np.zeros((2, 2, 2, 2))),
        (errors.EmptyInput, np.zeros((0, 4, 4))),
        (errors.UnsupportedData, h5py.Empty("f4")),
    ],
)
def test_what_is_no_array_of_voxels(
    error: type[errors.CohortflowError], value: Any, tmp_path: Path
) -> None:
    refused(error, "hdf5", written(tmp_path / "a.h5", image=value))


def test_objects_by_reference(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", (2, 2), h5py.ref_dtype)
    refused(errors.UnsupportedData, "hdf5", tmp_path / "a.h5")


def test_links_that_lead_elsewhere(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret.h5", image=IMAGE)
    for at, link in enumerate([
        h5py.ExternalLink(str(secret), "image"), h5py.SoftLink("/other"), h5py.SoftLink("/image"),
    ]):  # fmt: skip
        path = written(tmp_path / f"{at}.h5", other=IMAGE)
        with h5py.File(path, "a") as file:
            file["image"] = link
        refused(errors.OutsideSource, "hdf5", path)


def test_values_that_stand_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(IMAGE.tobytes())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        kept = [(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("image", (3, 4, 5), "f4", external=kept)
    refused(errors.OutsideSource, "hdf5", tmp_path / "a.h5")
    secret = written(tmp_path / "secret.h5", image=IMAGE)
    layout = h5py.VirtualLayout((3, 4, 5), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "image", (3, 4, 5))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_virtual_dataset("image", layout)
    refused(errors.OutsideSource, "hdf5", tmp_path / "b.h5")


def test_sizes_that_are_only_announced(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "petabyte.h5", "w") as file:
        file.create_dataset("image", (2**17, 2**17, 2**17), "f4", chunks=(1, 64, 64))
    assert (tmp_path / "petabyte.h5").stat().st_size < 2**14
    refused(errors.TooLarge, "hdf5", tmp_path / "petabyte.h5")
    for at, chunks in enumerate([(1, 64, 64), None]):
        path = tmp_path / f"never-written-{at}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("image", (512, 512, 512), "f4", chunks=chunks)
        refused(errors.TruncatedFile, "hdf5", path)
    with h5py.File(tmp_path / "half.h5", "w") as file:
        made = file.create_dataset("image", (4, 64, 64), "f4", chunks=(1, 64, 64))
        made[:3] = 1
    told = refused(errors.TruncatedFile, "hdf5", tmp_path / "half.h5")
    assert "4 chunks" in str(told)
    with h5py.File(tmp_path / "chunk.h5", "w") as file:
        file.create_dataset("image", (2, 2, 2), "u1", chunks=(2**10,) * 3, maxshape=(None,) * 3)
    refused(errors.TooLarge, "hdf5", tmp_path / "chunk.h5")


def test_a_chunk_that_is_longer_than_it_may_become(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("image", (2, 4, 4), "u1", chunks=(2, 4, 4), compression="gzip")
        made.id.write_direct_chunk((0, 0, 0), bytes(2**20))
    refused(errors.DecompressionBomb, "hdf5", tmp_path / "a.h5")


def test_a_filter_that_would_be_loaded(tmp_path: Path) -> None:
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((3, 4, 5))
    made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        space = h5py.h5s.create_simple((3, 4, 5))
        dataset = h5py.h5d.create(file.id, b"image", h5py.h5t.IEEE_F32LE, space, made)
        h5py.Dataset(dataset).id.write_direct_chunk((0, 0, 0), IMAGE.tobytes())
    refused(errors.UnsupportedData, "hdf5", tmp_path / "a.h5")


def test_damage(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_bytes(b"no HDF5 at all")
    refused(errors.UnreadableFile, "hdf5", tmp_path / "text.h5")
    (tmp_path / "empty.h5").write_bytes(b"")
    refused(errors.EmptyInput, "hdf5", tmp_path / "empty.h5")
    whole = written(tmp_path / "a.h5", image=IMAGE, label=LABEL).read_bytes()
    cut = tmp_path / "cut.h5"
    for length in range(1, len(whole), 97):
        cut.write_bytes(whole[:length])
        with pytest.raises(errors.InputError) as caught:
            read("hdf5", cut)
        assert type(caught.value) in (errors.TruncatedFile, errors.UnreadableFile), length


def test_damaged_bytes_in_a_chunk(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("image", (2, 4, 4), "u1", chunks=(2, 4, 4), compression="gzip")
        made.id.write_direct_chunk((0, 0, 0), bytes(30))
    refused(errors.UnreadableFile, "hdf5", tmp_path / "a.h5")
