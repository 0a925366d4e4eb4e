"""NumPy archives as Synapse has them, and what zip files can hide."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohortflow import errors
from tests.sources.images.reading import one, ramp, read, refused

IMAGE = ramp((3, 4, 5), "f4")
LABEL = (ramp((3, 4, 5)) % 4).astype("f4")


def npy(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), **options)
    return stream.getvalue()


def header(shape: tuple[int, ...], descr: Any = "<f4", data: bytes = b"") -> bytes:
    stream = io.BytesIO()
    about = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, about)
    return stream.getvalue() + data


def archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_slices_of_synapse(save: Any, tmp_path: Path) -> None:
    paths = [tmp_path / f"case0005_slice{at:03d}.npz" for at in range(12)]
    for at, path in enumerate(paths):
        save(path, image=IMAGE[at % 3], label=LABEL[at % 3])
    image, label = read("npz", paths[::-1])
    np.testing.assert_array_equal(image.array, np.concatenate([IMAGE] * 4))
    np.testing.assert_array_equal(label.array, np.concatenate([LABEL] * 4))
    assert (image.array.dtype, label.array.dtype) == (np.float32, np.uint8)
    assert (image.matrix, image.facts["slice_files"]) == (None, 12)
    refused(errors.MissingSlice, "npz", paths[:5] + paths[6:])


def test_volumes_in_either_order_of_axes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=np.asfortranarray(IMAGE), label=LABEL.astype(">i4"))
    image, label = read("npz", tmp_path / "a.npz")
    np.testing.assert_array_equal(image.array, IMAGE)
    np.testing.assert_array_equal(label.array, LABEL)
    np.savez(tmp_path / "b.npz", IMAGE)  # arr_0
    np.testing.assert_array_equal(one("npz", tmp_path / "b.npz").array, IMAGE)


def test_pickled_objects_are_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("it was unpickled",))

    trap = np.empty((2, 2), object)
    trap[:] = Trap()
    told = refused(
        errors.UnsupportedData,
        "npz",
        archive(tmp_path / "a.npz", {"image.npy": npy(trap, allow_pickle=True)}),
    )
    assert "pickled" in str(told)


FAULTS: list[tuple[type[errors.CohortflowError], bytes]] = [
    (errors.UnsupportedData, npy(np.array([["a"]]))),
    (errors.UnsupportedData, npy(np.zeros((2, 2), [("a", "i2")]))),
    (errors.UnsupportedData, npy(np.zeros(3))),
    (errors.UnsupportedData, npy(np.zeros((2, 2), "M8[s]"))),
    (errors.EmptyInput, npy(np.zeros((0, 2)))),
    (errors.TooLarge, header((10**6, 10**6, 10**6))),
    (errors.EmptyInput, header((-1, 2, 2))),
    (errors.TruncatedFile, header((64, 64, 64), data=bytes(99))),
    (errors.TruncatedFile, header((512, 512, 512), data=bytes(99))),
    (errors.TruncatedFile, npy(IMAGE)[:-1]),
    (errors.DecompressionBomb, header((2, 2), data=bytes(2**24))),
    (errors.BadHeader, b"no array"),
    (errors.BadHeader, b""),
    (errors.BadHeader, npy(IMAGE)[:40]),
    (errors.BadHeader, b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535),
    (errors.BadHeader, b"\x93NUMPY\x09\x00" + npy(IMAGE)[8:]),
    (errors.BadHeader, npy(IMAGE).replace(b"fortran_order", b"fortran_other")),
    (errors.BadHeader, npy(IMAGE).replace(b"'<f4'", b"'Doe'")),
]


@pytest.mark.parametrize(("error", "data"), FAULTS, ids=range(len(FAULTS)))
def test_faults(error: type[errors.CohortflowError], data: bytes, tmp_path: Path) -> None:
    told = refused(error, "npz", archive(tmp_path / "a.npz", {"image.npy": data}))
    assert "Doe" not in str(told)


def test_names(tmp_path: Path) -> None:
    once = archive(tmp_path / "a.npz", {"image.npy": npy(IMAGE), "imagf.npy": npy(IMAGE)})
    once.write_bytes(once.read_bytes().replace(b"imagf", b"image"))
    refused(errors.BadHeader, "npz", tmp_path / "a.npz")
    two = {"one.npy": npy(IMAGE), "two.npy": npy(IMAGE)}
    refused(errors.BadHeader, "npz", archive(tmp_path / "b.npz", two))
    # Only what is asked for is read; nothing is ever unpacked to a path.
    away = {"../image.npy": npy(IMAGE), "image.npy": npy(2 * IMAGE)}
    np.testing.assert_array_equal(one("npz", archive(tmp_path / "c.npz", away)).array, 2 * IMAGE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz", "c.npz"]


def test_other_compressions(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = archive(tmp_path / f"{method}.npz", {"image.npy": npy(IMAGE)}, method)
        refused(errors.UnsupportedData, "npz", path)


def test_a_size_that_the_directory_lies_about(tmp_path: Path) -> None:
    voxels = np.zeros((64, 64, 64), "f4")
    whole = archive(tmp_path / "a.npz", {"image.npy": npy(voxels)}).read_bytes()
    true = len(npy(voxels)).to_bytes(4, "little")
    for length in (10, 2000, 2**20 - 1, 2**31):
        lie = tmp_path / "lie.npz"
        lie.write_bytes(whole.replace(true, length.to_bytes(4, "little")))
        with pytest.raises(errors.InputError) as caught:
            read("npz", lie)
        assert type(caught.value) in (
            errors.TruncatedFile,
            errors.DecompressionBomb,
            errors.UnreadableFile,
        ), length


def test_damage(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", {"image.npy": npy(IMAGE), "label.npy": npy(LABEL)})
    whole = path.read_bytes()
    (tmp_path / "text.npz").write_bytes(b"no archive")
    refused(errors.UnreadableFile, "npz", tmp_path / "text.npz")
    (tmp_path / "empty.npz").write_bytes(b"")
    refused(errors.EmptyInput, "npz", tmp_path / "empty.npz")
    cut = tmp_path / "cut.npz"
    for length in range(4, len(whole) - 1, 7):
        cut.write_bytes(whole[:length])
        refused(errors.TruncatedFile, "npz", cut)
    for at in range(0, len(whole), 3):
        cut.write_bytes(whole[:at] + b"\xff\xff" + whole[at + 2 :])
        try:
            found = read("npz", cut)
        except errors.InputError:
            continue
        for decoded in found:  # in a field that nobody needs
            expected = IMAGE if decoded.part == "image" else LABEL
            np.testing.assert_array_equal(decoded.array, expected)
