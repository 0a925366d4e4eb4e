"""MetaImage: written by hand and by SimpleITK, and every way in which a header can be wrong."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from cohortflow import errors
from tests.sources.images.reading import one, ramp, refused

BASE = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "1 2 3",
    "CenterOfRotation": "0 0 0",
    "AnatomicalOrientation": "RAI",
    "ElementSpacing": "2 3 4",
    "DimSize": "4 3 2",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}
VOXELS = ramp((2, 3, 4))
PACKED_BYTES = str(len(zlib.compress(VOXELS.tobytes())))


def metaimage(path: Path, data: bytes = VOXELS.tobytes(), **fields: str | None) -> Path:
    every = {**BASE, **fields}
    every["ElementDataFile"] = every.pop("ElementDataFile")
    lines = [f"{name} = {value}" for name, value in every.items() if value is not None]
    path.write_bytes("\n".join([*lines, ""]).encode() + data)
    return path


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", "i8"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", ["mha", "mhd"])
def test_what_itk_writes(dtype: str, compressed: bool, suffix: str, tmp_path: Path) -> None:
    voxels = ramp((3, 4, 5), dtype)
    path = tmp_path / f"a.{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(path), compressed)
    decoded = one("metaimage", path)
    assert decoded.array.dtype == voxels.dtype
    np.testing.assert_array_equal(decoded.array, voxels)


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({}, VOXELS.tobytes()),
        (
            {"CompressedData": "True", "CompressedDataSize": PACKED_BYTES},
            zlib.compress(VOXELS.tobytes()),
        ),
        ({"BinaryData": "False"}, " ".join([*map(str, VOXELS.ravel()), ""]).encode()),
        ({"BinaryDataByteOrderMSB": "True"}, VOXELS.astype(">i2").tobytes()),
        ({"BinaryDataByteOrderMSB": None, "ElementByteOrderMSB": "False"}, VOXELS.tobytes()),
        ({"Offset": None, "Origin": "1 2 3"}, VOXELS.tobytes()),
        ({"TransformMatrix": None, "Rotation": BASE["TransformMatrix"]}, VOXELS.tobytes()),
    ],
)
def test_ways_to_write_it(fields: dict[str, Any], data: bytes, tmp_path: Path) -> None:
    path = metaimage(tmp_path / "a.mha", data, **fields)
    decoded = one("metaimage", path)
    np.testing.assert_array_equal(decoded.array, VOXELS)
    np.testing.assert_array_equal(decoded.grid.world_mm((0, 0, 0)), (-1, -2, 3))
    assert decoded.grid.spacing_mm == (4, 3, 2)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path)), VOXELS)


def test_channels_come_first(tmp_path: Path) -> None:
    colours = ramp((2, 3, 4, 3), "u1")
    path = tmp_path / "a.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(colours, isVector=True), str(path))
    np.testing.assert_array_equal(one("metaimage", path).array, np.moveaxis(colours, -1, 0))
    refused(errors.NotLabels, "metaimage", path, "label")


def test_a_series_in_time(tmp_path: Path) -> None:
    series = ramp((5, 2, 3, 4))
    path = tmp_path / "a.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(series, isVector=False), str(path))
    refused(errors.SeveralTimes, "metaimage", path)
    decoded = one("metaimage", path, time=3)
    np.testing.assert_array_equal(decoded.array, series[3])
    assert decoded.facts["times"] == 5
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(series[:1], isVector=False), str(path))
    np.testing.assert_array_equal(one("metaimage", path).array, series[0])


def test_channels_in_time(tmp_path: Path) -> None:
    voxels = ramp((5, 2, 3, 4, 2))
    matrix = " ".join(str(int(n)) for n in np.eye(4).ravel())
    path = metaimage(
        tmp_path / "a.mha", voxels.tobytes(), NDims="4", DimSize="4 3 2 5",
        TransformMatrix=matrix, Offset="1 2 3 0", ElementSpacing="2 3 4 1",
        ElementNumberOfChannels="2",
    )  # fmt: skip
    decoded = one("metaimage", path, time=4)
    np.testing.assert_array_equal(decoded.array, np.moveaxis(voxels[4], -1, 0))


def test_a_header_of_some_bytes_before_the_voxels(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"12345" + VOXELS.tobytes())
    for size in ("5", "-1"):
        path = metaimage(tmp_path / "a.mhd", b"", HeaderSize=size, ElementDataFile="a.raw")
        np.testing.assert_array_equal(one("metaimage", path).array, VOXELS)


@pytest.mark.parametrize("name", ["../a.raw", "/etc/hostname", "sub/a.raw", "link"])
def test_a_detached_file_elsewhere(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for folder in (tmp_path, source / "sub"):
        (folder / "a.raw").write_bytes(VOXELS.tobytes())
    os.symlink(tmp_path / "a.raw", source / "link")
    path = metaimage(source / "a.mhd", b"", ElementDataFile=name)
    refused(errors.OutsideSource, "metaimage", path)


def test_what_the_header_leaves_open(tmp_path: Path) -> None:
    path = metaimage(tmp_path / "a.mha", TransformMatrix=None)
    refused(errors.UnknownOrientation, "metaimage", path)
    accepted = frozenset({"unknown-orientation"})
    assert one("metaimage", path, accept=accepted).grid.spacing_mm == (4, 3, 2)
    assert one("metaimage", path, spacing_mm=(7.0, 6.0, 5.0)).grid.spacing_mm == (7, 6, 5)
    path = metaimage(tmp_path / "b.mha", ElementSpacing=None, ElementSize="2 3 4")
    refused(errors.UnknownSpacing, "metaimage", path)
    refused(errors.UnknownSpacing, "metaimage", path, accept=accepted)
    assert one("metaimage", path, spacing_mm=(7.0, 6.0, 5.0)).grid.spacing_mm == (7, 6, 5)
    decoded = one("metaimage", metaimage(tmp_path / "c.mha", Offset=None))
    assert [warning["code"] for warning in decoded.warnings] == ["origin-assumed"]


FAULTS: list[tuple[type[errors.CohortflowError], dict[str, Any]]] = [
    (errors.UnreadableFile, {"ObjectType": None, "NDims": None}),
    (errors.UnsupportedData, {"ObjectType": "Mesh"}),
    (errors.BadHeader, {"NDims": None}),
    (errors.BadHeader, {"NDims": "many"}),
    (errors.UnsupportedData, {"NDims": "2", "DimSize": "4 6"}),
    (errors.UnsupportedData, {"NDims": "-1"}),
    (errors.BadHeader, {"DimSize": None}),
    (errors.BadHeader, {"DimSize": "4 3"}),
    (errors.BadHeader, {"DimSize": "4 3 0"}),
    (errors.BadHeader, {"DimSize": "4 3 1e9"}),
    (errors.TooLarge, {"DimSize": "99999 99999 99999"}),
    (errors.TooLarge, {"ElementNumberOfChannels": "999999999"}),
    (errors.BadHeader, {"ElementNumberOfChannels": "0"}),
    (errors.TruncatedFile, {"DimSize": "4 3 3"}),
    (errors.TruncatedFile, {"DimSize": "800 800 800", "CompressedData": "True"}),
    (errors.UnreadableFile, {"CompressedData": "True"}),
    (errors.BadHeader, {"CompressedData": "perhaps"}),
    (errors.TruncatedFile, {"CompressedData": "True", "data": zlib.compress(bytes(20))}),
    (errors.TruncatedFile, {"CompressedData": "True", "data": zlib.compress(bytes(48))[:-5]}),
    (errors.DecompressionBomb, {"CompressedData": "True", "data": zlib.compress(bytes(2**25))}),
    (errors.BadHeader, {"ElementType": None}),
    (errors.UnsupportedData, {"ElementType": "MET_STRING"}),
    (errors.BadHeader, {"BinaryDataByteOrderMSB": None}),
    (errors.BadHeader, {"BinaryDataByteOrderMSB": "Doe^Jane"}),
    (errors.BadHeader, {"BinaryData": "False", "data": b"1 " * 25}),
    (errors.BadHeader, {"TransformMatrix": "1 0 0 0 1 0 0 0"}),
    (errors.BadHeader, {"TransformMatrix": "1 0 0 0 1 0 0 0 x"}),
    (errors.ImpossibleGeometry, {"TransformMatrix": "1 0 0 0 1 0 0 0 0"}),
    (errors.ImpossibleGeometry, {"TransformMatrix": "1 0 0 0 1 0 0 0 nan"}),
    (errors.ImpossibleGeometry, {"ElementSpacing": "2 3 0"}),
    (errors.ImpossibleGeometry, {"ElementSpacing": "2 3 -4"}),
    (errors.ImpossibleGeometry, {"ElementSpacing": "2 3 inf"}),
    (errors.ImpossibleGeometry, {"Offset": "1e30 0 0"}),
    (errors.ImpossibleGeometry, {"DistanceUnits": "parsec"}),
    (errors.BadHeader, {"Offset": "0 0"}),
    (errors.BadHeader, {"Origin": "0 0 0"}),
    (errors.UnsupportedData, {"ElementDataFile": "LIST"}),
    (errors.UnsupportedData, {"ElementDataFile": "a%03d.raw 1 2 1"}),
    (errors.MissingInput, {"ElementDataFile": "Doe_Jane.raw"}),
    (errors.OutsideSource, {"ElementDataFile": ""}),
    (errors.BadHeader, {"ElementDataFile": "a.mha", "HeaderSize": "-7"}),
    (errors.UnsupportedData, {
        "NDims": "5", "DimSize": "1 1 1 1 1", "ElementSpacing": "1 1 1 1 1",
    }),
    (errors.BadHeader, {
        "NDims": "4", "DimSize": "4 3 2 1", "ElementSpacing": "1 1 1 1", "Offset": "0 0 0 0",
        "TransformMatrix": "1 0 0 1 0 1 0 0 0 0 1 0 0 0 0 1",
    }),
]  # fmt: skip


@pytest.mark.parametrize(("error", "fields"), FAULTS)
def test_faults(
    error: type[errors.CohortflowError], fields: dict[str, Any], tmp_path: Path
) -> None:
    told = refused(error, "metaimage", metaimage(tmp_path / "a.mha", **fields))
    assert "Doe" not in str(told)
    assert "Jane" not in str(told)


def test_truncation_anywhere(tmp_path: Path) -> None:
    packed = zlib.compress(np.random.default_rng(0).bytes(48))
    for compressed, data in (("False", VOXELS.tobytes()), ("True", packed)):
        path = metaimage(tmp_path / "a.mha", data, CompressedData=compressed)
        whole = path.read_bytes()
        for length in range(1, len(whole), 3):
            (tmp_path / "cut.mha").write_bytes(whole[:length])
            with pytest.raises(errors.InputError) as caught:
                one("metaimage", tmp_path / "cut.mha")
            names = (
                errors.EmptyInput, errors.TruncatedFile, errors.UnreadableFile, errors.MissingInput,
                errors.OutsideSource, errors.BadHeader,
            )  # fmt: skip
            assert type(caught.value) in names, length
            if length > whole.index(b"LOCAL") + 5:
                assert type(caught.value) is errors.TruncatedFile, length


def test_a_header_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mha"
    path.write_bytes(b"ObjectType = Image\n" + b"\n" * 2**21)
    refused(errors.BadHeader, "metaimage", path)
