"""NRRD: what is written by hand and by SimpleITK, and every way in which a header can be wrong."""

from __future__ import annotations

import bz2
import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from cohortflow import errors
from tests.sources.images.reading import one, ramp, refused

BASE = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "4 3 2",
    "space directions": "(2,0,0) (0,3,0) (0,0,4)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(1,2,3)",
}
VOXELS = ramp((2, 3, 4))


def nrrd(
    path: Path, data: bytes = VOXELS.tobytes(), magic: str = "NRRD0004", **fields: str | None
) -> Path:
    """``BASE`` with fields changed or, by None, left out; ``space_origin`` is "space origin"."""
    changed = {name.replace("_", " "): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in {**BASE, **changed}.items() if value is not None]
    path.write_bytes("\n".join([magic, *lines, "", ""]).encode() + data)
    return path


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_what_itk_writes(dtype: str, compressed: bool, tmp_path: Path) -> None:
    voxels = ramp((3, 4, 5), dtype)
    path = tmp_path / "a.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(path), compressed)
    decoded = one("nrrd", path)
    assert decoded.array.dtype == voxels.dtype
    np.testing.assert_array_equal(decoded.array, voxels)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("raw", VOXELS.tobytes()),
        ("gzip", gzip.compress(VOXELS.tobytes())),
        ("GZ", gzip.compress(VOXELS.tobytes()[:20]) + gzip.compress(VOXELS.tobytes()[20:])),
        ("bzip2", bz2.compress(VOXELS.tobytes())),
        ("ascii", " ".join(map(str, VOXELS.ravel())).encode()),
        ("text", "\n".join(map(str, VOXELS.ravel())).encode() + b"\n"),
    ],
    ids=["raw", "gzip", "two gzip members", "bzip2", "ascii", "text"],
)
def test_encodings(encoding: str, data: bytes, tmp_path: Path) -> None:
    decoded = one("nrrd", nrrd(tmp_path / "a.nrrd", data, encoding=encoding))
    np.testing.assert_array_equal(decoded.array, VOXELS)
    np.testing.assert_array_equal(decoded.grid.world_mm((0, 0, 0)), (-1, -2, 3))
    assert decoded.grid.spacing_mm == (4, 3, 2)


def test_floats_as_text(tmp_path: Path) -> None:
    voxels = np.array([0.1, -2.5e-3, 7, 1e20] * 6, "f4").reshape(2, 3, 4)
    data = " ".join(map(repr, map(float, voxels.ravel()))).encode()
    path = nrrd(tmp_path / "a.nrrd", data, type="float", encoding="text", endian=None)
    np.testing.assert_array_equal(one("nrrd", path).array, voxels)


def test_the_other_order_of_bytes(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nrrd", VOXELS.astype(">i2").tobytes(), endian="big")
    decoded = one("nrrd", path)
    np.testing.assert_array_equal(decoded.array, VOXELS)
    assert decoded.array.dtype.isnative


def test_lines_and_bytes_before_the_voxels(tmp_path: Path) -> None:
    raw = VOXELS.tobytes()
    path = nrrd(tmp_path / "a.nrrd", b"one\ntwo\n!!!" + raw, line_skip="2", byte_skip="3")
    np.testing.assert_array_equal(one("nrrd", path).array, VOXELS)
    path = nrrd(tmp_path / "b.nrrd", b"anything" + raw, byte_skip="-1")
    np.testing.assert_array_equal(one("nrrd", path).array, VOXELS)
    data = b"one\n" + gzip.compress(b"!!!" + raw)
    path = nrrd(tmp_path / "c.nrrd", data, lineskip="1", byteskip="3", encoding="gzip")
    np.testing.assert_array_equal(one("nrrd", path).array, VOXELS)


def test_windows_line_ends_comments_and_free_text(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nrrd")
    head, _, voxels = path.read_bytes().partition(b"\n\n")
    head = head.replace(b"NRRD0004", b"NRRD0005\n# it: was so\nmy key:=a: b")
    path.write_bytes(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + voxels)
    np.testing.assert_array_equal(one("nrrd", path).array, VOXELS)


def test_names_that_converters_copy_are_known_as_such(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(VOXELS)
    image.SetMetaData("0010|0010", "Doe^Jane")
    image.SetMetaData("0010|0020", "MRN-4711")
    image.SetMetaData("0008|0060", "CT")
    for form, name in (("nrrd", "a.nrrd"), ("metaimage", "a.mha")):
        SimpleITK.WriteImage(image, str(tmp_path / name))
        decoded = one(form, tmp_path / name)
        assert sorted(decoded.persons) == ["Doe^Jane", "MRN-4711"]
        assert "Jane" not in str(decoded.facts)


def test_a_detached_file(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(VOXELS.tobytes())
    path = nrrd(tmp_path / "a.nhdr", b"", data_file="a.raw")
    np.testing.assert_array_equal(one("nrrd", path).array, VOXELS)
    path.write_bytes(path.read_bytes().rstrip(b"\n") + b"\n")  # no empty line is needed then
    np.testing.assert_array_equal(one("nrrd", path).array, VOXELS)


@pytest.mark.parametrize(
    "name", ["../a.raw", "/etc/hostname", "sub/a.raw", "sub\\a.raw", "..", ".", "link", "folder"]
)
def test_a_detached_file_elsewhere(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "folder").mkdir()
    for folder in (tmp_path, source / "sub"):
        (folder / "a.raw").write_bytes(VOXELS.tobytes())
    os.symlink(tmp_path / "a.raw", source / "link")
    refused(errors.OutsideSource, "nrrd", nrrd(source / "a.nhdr", b"", data_file=name))


def test_a_link_within_the_source_is_followed(tmp_path: Path) -> None:
    (tmp_path / "annex").mkdir()
    (tmp_path / "annex" / "x").write_bytes(VOXELS.tobytes())
    (tmp_path / "sub").mkdir()
    os.symlink(tmp_path / "annex" / "x", tmp_path / "sub" / "a.raw")
    path = nrrd(tmp_path / "sub" / "a.nhdr", b"", data_file="a.raw")
    np.testing.assert_array_equal(one("nrrd", path, root=str(tmp_path)).array, VOXELS)
    refused(errors.OutsideSource, "nrrd", path)


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.raw")
    refused(errors.OutsideSource, "nrrd", nrrd(tmp_path / "a.nhdr", b"", data_file="a.raw"))


def test_a_time_axis_wherever_it_stands(tmp_path: Path) -> None:
    series = ramp((5, 2, 3, 4))
    slow = nrrd(
        tmp_path / "slow.nrrd", series.tobytes(), dimension="4", sizes="4 3 2 5",
        space_directions="(2,0,0) (0,3,0) (0,0,4) none", kinds="domain domain domain list",
    )  # fmt: skip
    fast = nrrd(
        tmp_path / "fast.nrrd", np.moveaxis(series, 0, -1).tobytes(), dimension="4",
        sizes="5 4 3 2", space_directions="none (2,0,0) (0,3,0) (0,0,4)", kinds=None,
    )  # fmt: skip
    stepped = nrrd(
        tmp_path / "stepped.nrrd", series.tobytes(), dimension="4", sizes="4 3 2 5",
        space="left-posterior-superior-time", space_origin="(1,2,3,0)",
        space_directions="(2,0,0,0) (0,3,0,0) (0,0,4,0) (0,0,0,2.5)",
        kinds="space space space time",
    )  # fmt: skip
    for path in (slow, fast, stepped):
        refused(errors.SeveralTimes, "nrrd", path)
        refused(errors.SeveralTimes, "nrrd", path, time=5)
        decoded = one("nrrd", path, time=3)
        np.testing.assert_array_equal(decoded.array, series[3])
        assert decoded.facts["times"] == 5
        assert decoded.used == {"time": 3}
        assert decoded.grid.spacing_mm == (4, 3, 2)


def test_channels_come_first(tmp_path: Path) -> None:
    colours = ramp((2, 3, 4, 3), "u1")
    path = nrrd(
        tmp_path / "a.nrrd", colours.tobytes(), type="uchar", dimension="4", sizes="3 4 3 2",
        space_directions="none (2,0,0) (0,3,0) (0,0,4)", kinds="RGB-color domain domain domain",
    )  # fmt: skip
    np.testing.assert_array_equal(one("nrrd", path).array, np.moveaxis(colours, -1, 0))
    refused(errors.NotLabels, "nrrd", path, "label")
    # ITK calls it a vector
    SimpleITK.WriteImage(
        SimpleITK.GetImageFromArray(colours, isVector=True), str(tmp_path / "b.nrrd")
    )
    decoded = one("nrrd", tmp_path / "b.nrrd")
    np.testing.assert_array_equal(decoded.array, np.moveaxis(colours, -1, 0))


def test_an_axis_of_one_is_no_time(tmp_path: Path) -> None:
    path = nrrd(
        tmp_path / "a.nrrd",
        dimension="4",
        sizes="4 3 2 1",
        kinds=None,
        space_directions="(2,0,0) (0,3,0) (0,0,4) none",
    )
    np.testing.assert_array_equal(one("nrrd", path).array, VOXELS)


NOWHERE: list[dict[str, Any]] = [
    {"space": None, "space_directions": None, "spacings": "2 3 4", "space_origin": None},
    {"space": "scanner-xyz"},
    {"space": None, "space_dimension": "3"},
    {"space": "3D-right-handed"},
]


@pytest.mark.parametrize("fields", NOWHERE)
def test_spacing_without_sides(fields: dict[str, Any], tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nrrd", **fields)
    refused(errors.UnknownOrientation, "nrrd", path)
    decoded = one("nrrd", path, accept=frozenset({"unknown-orientation"}), orientation="RAS")
    np.testing.assert_allclose(decoded.grid.direction[:, ::-1], np.eye(3))
    assert decoded.grid.spacing_mm == (4, 3, 2)
    assert decoded.used == {"orientation": "RAS"}
    assert [warning["code"] for warning in decoded.warnings] == ["orientation-assumed"]
    decoded = one("nrrd", path, spacing_mm=(7.0, 6.0, 5.0))
    assert decoded.grid.spacing_mm == (7, 6, 5)
    assert decoded.used == {"orientation": "LPS", "spacing_mm": [7, 6, 5]}


@pytest.mark.parametrize("spacings", [None, "nan nan nan"])
def test_no_spacing_at_all(spacings: str | None, tmp_path: Path) -> None:
    path = nrrd(
        tmp_path / "a.nrrd", space=None, space_directions=None, space_origin=None, spacings=spacings
    )
    refused(errors.UnknownSpacing, "nrrd", path)
    refused(errors.UnknownSpacing, "nrrd", path, accept=frozenset({"unknown-orientation"}))
    assert one("nrrd", path, spacing_mm=(7.0, 6.0, 5.0)).grid.spacing_mm == (7, 6, 5)


def test_no_origin_is_told(tmp_path: Path) -> None:
    decoded = one("nrrd", nrrd(tmp_path / "a.nrrd", space_origin=None))
    np.testing.assert_array_equal(decoded.grid.world_mm((0, 0, 0)), (0, 0, 0))
    assert [warning["code"] for warning in decoded.warnings] == ["origin-assumed"]


def test_units(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nrrd", space_units='"um" "um" "um"')
    np.testing.assert_allclose(one("nrrd", path).grid.spacing_mm, (0.004, 0.003, 0.002))
    path = nrrd(tmp_path / "b.nrrd", space_units='"mm" "mm" "um"')
    refused(errors.ImpossibleGeometry, "nrrd", path)


FAULTS: list[tuple[type[errors.CohortflowError], dict[str, Any]]] = [
    (errors.UnreadableFile, {"magic": "NRRD0009"}),
    (errors.UnreadableFile, {"magic": "P5"}),
    (errors.BadHeader, {"type": None}),
    (errors.UnsupportedData, {"type": "block"}),
    (errors.UnsupportedData, {"type": "Doe^Jane"}),
    (errors.BadHeader, {"dimension": None}),
    (errors.BadHeader, {"dimension": "three"}),
    (errors.BadHeader, {"dimension": "4"}),
    (errors.UnsupportedData, {"dimension": "2", "sizes": "4 6"}),
    (errors.UnsupportedData, {"dimension": "-3"}),
    (errors.UnsupportedData, {"dimension": "1000000"}),
    (errors.BadHeader, {"sizes": "4 3"}),
    (errors.BadHeader, {"sizes": "4 3 0"}),
    (errors.BadHeader, {"sizes": "4 3 -2"}),
    (errors.BadHeader, {"sizes": "4 3 2.0"}),
    (errors.BadHeader, {"sizes": "4 3 1_0"}),
    (errors.BadHeader, {"sizes": "4 3 " + "9" * 5000}),
    (errors.TooLarge, {"sizes": "4 3 999999999999999999"}),
    (errors.TooLarge, {"sizes": "100000 100000 100000"}),
    (errors.TruncatedFile, {"sizes": "4 3 3"}),
    (errors.TruncatedFile, {"sizes": "800 800 800", "encoding": "gzip"}),
    (errors.BadHeader, {"endian": None}),
    (errors.BadHeader, {"endian": "middle"}),
    (errors.BadHeader, {"encoding": None}),
    (errors.UnsupportedData, {"encoding": "hex"}),
    (errors.UnsupportedData, {"encoding": "lzma"}),
    (errors.UnreadableFile, {"encoding": "gzip"}),
    (errors.UnreadableFile, {"encoding": "bzip2"}),
    (errors.BadHeader, {"encoding": "text", "data": b"1 2 x " + b"4 " * 21}),
    (errors.BadHeader, {"encoding": "text", "data": b"99999 " * 24}),
    (errors.BadHeader, {"encoding": "text", "data": b"1 " * 25}),
    (errors.TruncatedFile, {"encoding": "text", "data": b"1 " * 23}),
    (errors.BadHeader, {"kinds": "domain domain"}),
    (errors.UnsupportedData, {"space_directions": "(2,0,0) (0,3,0) (0,0,0)"}),
    (errors.UnsupportedData, {"space_directions": "(2,0,0) (0,3,0) none"}),
    (errors.BadHeader, {"space_directions": "(2,0,0) (0,3,0)"}),
    (errors.BadHeader, {"space_directions": "(2,0) (0,3) (1,1)"}),
    (errors.BadHeader, {"space_directions": "(2,0,0) (0,3,0) (0,0,four)"}),
    (errors.ImpossibleGeometry, {"space_directions": "(2,0,0) (0,3,0) (0,0,nan)"}),
    (errors.ImpossibleGeometry, {"space_directions": "(2,0,0) (0,3,0) (0,0,inf)"}),
    (errors.ImpossibleGeometry, {"space_directions": "(2,0,0) (0,3,0) (0,0,1e100)"}),
    (errors.ImpossibleGeometry, {"space_directions": "(2,0,0) (0,3,0) (2,3,0)"}),
    (errors.ImpossibleGeometry, {"space_origin": "(nan,0,0)"}),
    (errors.BadHeader, {"space_origin": "none"}),
    (errors.BadHeader, {"line_skip": "99999999"}),
    (errors.BadHeader, {"line_skip": "-5"}),
    (errors.BadHeader, {"line_skip": "3"}),
    (errors.TruncatedFile, {"byte_skip": "5"}),
    (errors.BadHeader, {"byte_skip": "99999999999"}),
    (errors.BadHeader, {"byte_skip": "-2"}),
    (errors.UnsupportedData, {"data_file": "LIST"}),
    (errors.UnsupportedData, {"data_file": "a%03d.raw 1 10 1"}),
    (errors.MissingInput, {"data_file": "Doe_Jane.raw"}),
    (errors.OutsideSource, {"data_file": ""}),
]


@pytest.mark.parametrize(("error", "fields"), FAULTS)
def test_faults(
    error: type[errors.CohortflowError], fields: dict[str, Any], tmp_path: Path
) -> None:
    told = refused(error, "nrrd", nrrd(tmp_path / "a.nrrd", **fields))
    assert "Doe" not in str(told)
    assert "Jane" not in str(told)


def test_one_thing_twice(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nrrd")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\nsizes: 4 3 2\n", 1))
    refused(errors.BadHeader, "nrrd", path)


def test_a_header_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.nrrd"
    path.write_bytes(b"NRRD0004\n" + b"# and so on\n" * 200_000)
    refused(errors.BadHeader, "nrrd", path)


def test_truncation_anywhere(tmp_path: Path) -> None:
    packed = gzip.compress(np.random.default_rng(0).bytes(48))
    for encoding, data in (("raw", VOXELS.tobytes()), ("gzip", packed)):
        whole = nrrd(tmp_path / "a.nrrd", data, encoding=encoding).read_bytes()
        cut = tmp_path / "cut.nrrd"
        for length in range(1, len(whole), 3):
            cut.write_bytes(whole[:length])
            with pytest.raises(errors.InputError) as caught:
                one("nrrd", cut)
            names = (
                errors.EmptyInput,
                errors.TruncatedFile,
                errors.UnreadableFile,
                errors.BadHeader,
            )
            assert type(caught.value) in names, length
            if length > whole.index(b"\n\n") + 1:
                assert type(caught.value) is errors.TruncatedFile, length


def test_damaged_bytes_in_the_stream(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 9, (20, 30, 40)).astype("i2")
    packed = gzip.compress(voxels.tobytes())
    for at in range(30, len(packed) - 40, 997):
        data = packed[:at] + bytes(32) + packed[at + 32 :]
        path = nrrd(tmp_path / "a.nrrd", data, sizes="40 30 20", encoding="gzip")
        with pytest.raises(errors.InputError):
            one("nrrd", path)


def test_a_bomb(tmp_path: Path) -> None:
    data = gzip.compress(bytes(64 * 2**20))
    refused(errors.DecompressionBomb, "nrrd", nrrd(tmp_path / "a.nrrd", data, encoding="gzip"))
