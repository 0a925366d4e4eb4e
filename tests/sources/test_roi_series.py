"""Readers of ROI series: what is read, and by which name every fault is refused."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cohortflow import errors
from cohortflow.sources.roi_series import read_roi_series

VALUES = np.random.default_rng(0).standard_normal((6, 3))


def text(values: np.ndarray, delimiter: str = "\t") -> str:
    return "".join(delimiter.join(map(repr, row)) + "\n" for row in values.tolist())


def as_npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


WRITERS: dict[str, Callable[[np.ndarray], bytes]] = {
    "s.1D": lambda v: text(v).encode(),
    "s.csv": lambda v: text(v, ",").encode(),
    "s.tsv": lambda v: text(v).encode(),
    "s.npy": as_npy,
    "s.1D.gz": lambda v: gzip.compress(text(v).encode()),
    "s.csv.gz": lambda v: gzip.compress(text(v, ",").encode()),
    "s.npy.gz": lambda v: gzip.compress(as_npy(v)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_numbers_as_roi_by_time(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(WRITERS[name](VALUES))
    series = read_roi_series(path)
    assert series.values.dtype == np.float64
    assert series.values.flags.c_contiguous
    np.testing.assert_array_equal(series.values, VALUES.T)
    np.testing.assert_array_equal(read_roi_series(path, transpose=True).values, VALUES)


@settings(max_examples=40, deadline=None)
@given(
    values=arrays(
        np.float64,
        st.tuples(st.integers(3, 8), st.integers(1, 5)),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    ),
    name=st.sampled_from(sorted(WRITERS)),
)
def test_numbers_survive_to_the_last_bit(
    values: np.ndarray, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bits") / name
    path.write_bytes(WRITERS[name](values))
    np.testing.assert_array_equal(read_roi_series(path).values, values.T)


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        ("a.1D", "#1\t#2\t#3\n", ("1", "2", "3")),
        ("a.1D", "# made by a program\n# left right mid\n", ("left", "right", "mid")),
        ("a.csv", '"WM","Vent, left","3"\n', ("WM", "Vent, left", "3")),
        ("a.csv", "a;b;c\n", ("a", "b", "c")),
        ("a.tsv", "post cingulate 108\tb\tc\n", ("post cingulate 108", "b", "c")),
        ("a.1D", "", None),
        ("a.1D", "# a remark\n", None),
    ],
)
def test_header_names_become_regions(
    name: str, content: str, names: tuple[str, ...] | None, tmp_path: Path
) -> None:
    delimiter = ";" if ";" in content else "," if name.endswith("csv") else "\t"
    (tmp_path / name).write_text(content + text(VALUES, delimiter))
    series = read_roi_series(tmp_path / name)
    assert series.names == names
    np.testing.assert_array_equal(series.values, VALUES.T)


def test_columns_padded_with_spaces_and_fortran_exponents(tmp_path: Path) -> None:
    (tmp_path / "a.1D").write_text("  1.0   2e0\r\n 3 -4.5D1\r\n\r\n  +5 .5\r\n")
    np.testing.assert_array_equal(
        read_roi_series(tmp_path / "a.1D").values, [[1, 3, 5], [2, -45, 0.5]]
    )


def refused(path: Path, fault: type[errors.CohortflowError], *words: str) -> None:
    with pytest.raises(fault) as caught:
        read_roi_series(path, where="sub-07")
    assert type(caught.value) is fault
    message = str(caught.value)
    assert message.startswith("sub-07: ")
    assert str(path.parent) not in message
    for word in words:
        assert word in message


TEXT_FAULTS = {
    "nan": ("#x\t#y\n1\t2\n3\tnan\n5\t6\n", errors.MissingValues, ["'y'", "point 1 ", "line 3"]),
    "infinity": ("1\t2\n3\t4\n-inf\t6\n", errors.MissingValues, ["infinity", "'1'", "line 3"]),
    "overflow": ("1\t2\n3\t1e999\n5\t6\n", errors.MissingValues, ["infinity", "'2'", "line 2"]),
    "two samples": ("#x\t#y\n1\t2\n3\t4\n", errors.SeriesTooShort, ["2 samples", "at least 3"]),
    "text line": ("1\t2\n3\t4\nscanner stopped\n5\t6\n", errors.NotANumber, ["line 3"]),
    "text field": ("1\t2\n3\tx\n5\t6\n", errors.NotANumber, ["line 2, column 2"]),
    "underscore": ("1\t2\n3\t1_0\n5\t6\n", errors.NotANumber, ["line 2, column 2"]),
    "ragged": ("1\t2\n3\t4\t5\n6\t7\n8\t9\n", errors.UnreadableFile, ["line 2", "found 3"]),
    "cut off": ("1\t2\n3\t4\n5\t6\n7", errors.TruncatedFile, ["line 4"]),
    "header alone": ("#x\t#y\n", errors.EmptyInput, ["no numbers"]),
    "blank": ("\n \n", errors.EmptyInput, ["holds nothing"]),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("fault", TEXT_FAULTS)
def test_faulty_text_is_refused_by_name(fault: str, zipped: bool, tmp_path: Path) -> None:
    content, error, words = TEXT_FAULTS[fault]
    path = tmp_path / ("s.1D.gz" if zipped else "s.1D")
    path.write_bytes(gzip.compress(content.encode()) if zipped else content.encode())
    refused(path, error, *words)


def test_empty_fields_of_a_table_are_missing_values(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("a,b\n1,2\n3,\n5,6\n")
    refused(tmp_path / "s.csv", errors.MissingValues, "'b'", "line 3")
    (tmp_path / "s.tsv").write_text("a\tb\n1\t2\nn/a\t4\n5\t6\n")
    refused(tmp_path / "s.tsv", errors.MissingValues, "'a'", "line 3")


def test_text_of_a_faulty_line_stays_out_of_the_message(tmp_path: Path) -> None:
    (tmp_path / "s.1D").write_text("1 2\nErika Mustermann\n3 4\n5 6\n")
    with pytest.raises(errors.NotANumber) as caught:
        read_roi_series(tmp_path / "s.1D")
    assert "Erika" not in str(caught.value.to_json())


def test_broken_files(tmp_path: Path) -> None:
    whole = gzip.compress(text(np.random.default_rng(1).standard_normal((50, 9))).encode())
    cases = {
        "empty.1D": (b"", errors.EmptyInput),
        "empty.1D.gz": (b"", errors.EmptyInput),
        "empty_inside.1D.gz": (gzip.compress(b""), errors.EmptyInput),
        "cut.1D.gz": (whole[: len(whole) // 2], errors.TruncatedFile),
        "cut_at_start.1D.gz": (whole[:5], errors.TruncatedFile),
        "cut_at_end.1D.gz": (whole[:-4], errors.TruncatedFile),
        "damaged.1D.gz": (whole[:60] + b"\0\xff\0\xff" + whole[64:], errors.UnreadableFile),
        "not_zipped.1D.gz": (b"1 2\n3 4\n5 6\n", errors.UnreadableFile),
        "binary.1D": (bytes(range(256)), errors.UnreadableFile),
        "cut.npy": (as_npy(VALUES)[:-8], errors.TruncatedFile),
        "no_magic.npy": (b"1 2 3", errors.UnreadableFile),
        "flat.npy": (as_npy(np.ones(5)), errors.UnreadableFile),
        "words.npy": (as_npy(np.array([["a", "b"]] * 4)), errors.NotANumber),
        "complex.npy": (as_npy(np.ones((4, 2), complex)), errors.NotANumber),
        "none.npy": (as_npy(np.ones((0, 3))), errors.EmptyInput),
        "nan.npy": (as_npy(np.full((4, 2), np.nan)), errors.MissingValues),
        "short.npy": (as_npy(np.ones((2, 5))), errors.SeriesTooShort),
    }
    for name, (content, fault) in cases.items():
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, fault)
    refused(tmp_path / "absent.1D", errors.UnreadableFile, "cannot be opened")
    (tmp_path / "folder.1D").mkdir()
    refused(tmp_path / "folder.1D", errors.UnreadableFile)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    array = np.empty((4, 2), dtype=object)
    array[0, 0] = Bomb()
    np.save(tmp_path / "bomb.npy", array, allow_pickle=True)
    refused(tmp_path / "bomb.npy", errors.UnreadableFile, "never read")
    assert not (tmp_path / "exploded").exists()


def test_a_header_that_claims_a_huge_array_allocates_nothing(tmp_path: Path) -> None:
    small = as_npy(VALUES)
    huge = small.replace(b"(6, 3), }" + b" " * 14, b"(999999999999, 3), }   ")
    assert huge != small
    (tmp_path / "huge.npy").write_bytes(huge)
    refused(tmp_path / "huge.npy", errors.TruncatedFile, "23999999999976 bytes")


def test_decompression_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "bomb.1D.gz").write_bytes(gzip.compress(b"0 0\n" * 2**14))
    with pytest.raises(errors.TooLarge, match="too large"):
        read_roi_series(tmp_path / "bomb.1D.gz", limit=2**15)
    assert read_roi_series(tmp_path / "bomb.1D.gz", limit=2**16).values.shape == (2, 2**14)


@settings(max_examples=150, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.text("0123456789.eE+-\t ,;#\"'\nnaif_", max_size=120).map(str.encode),
        st.binary(max_size=40).map(gzip.compress),
        st.binary(max_size=60).map(lambda b: as_npy(VALUES)[: len(b) * 3] + b),
    ),
    name=st.sampled_from(["s.1D", "s.csv", "s.tsv", "s.npy", "s.1D.gz", "s.npy.gz"]),
)
def test_any_bytes_are_read_whole_or_refused_by_name(
    content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / name
    path.write_bytes(content)
    try:
        series = read_roi_series(path)
    except errors.InputError:
        return
    assert series.values.shape[1] >= 3
    assert np.isfinite(series.values).all()


def test_constant_regions_are_found_and_rounding_is_no_variance(tmp_path: Path) -> None:
    values = np.column_stack(
        [np.zeros(5), np.full(5, 0.1) + np.array([0, 1e-17, 0, 0, 0]), [1, 2, 3, 4, 5.0]]
    )
    (tmp_path / "s.npy").write_bytes(as_npy(values))
    assert read_roi_series(tmp_path / "s.npy").constant.tolist() == [True, True, False]
