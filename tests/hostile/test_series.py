"""Series and tables that nobody vouches for: parsed where they can take nothing down."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cohortflow import errors
from cohortflow.sources.images.decoded import Request, SeriesOptions
from cohortflow.sources.images.reader_process import ReaderProcess
from cohortflow.sources.ingest import IngestOptions
from tests.hostile.bold_cases import SERIES, bold_cases, table_cases, text_series_cases
from tests.hostile.cases import Case
from tests.hostile.measuring import ingested, stored_names, write
from tests.hostile.seeds import nifti

ATLAS = IngestOptions(atlas="dosenbach160")
GOOD = b"".join(b"%d\t%d\n" % (n, n * n % 7) for n in range(20))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("cases", "options", "good", "data"),
    [
        (bold_cases, ATLAS, "a.nii", nifti(SERIES)),
        (text_series_cases, None, "a.1D", GOOD),
        (table_cases, None, "a.nii", nifti()),
    ],
)
def test_each_is_refused_by_name_and_the_cohort_goes_on(
    cases: Callable[[], Iterator[Case]], options: IngestOptions | None, good: str, data: bytes,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    source = tmp_path / "source"
    expected = write(cases(), source)
    for name in ("good-first", "zz-good-last"):
        (source / name).mkdir()
        (source / name / good).write_bytes(data)
    measured = ingested(source, monkeypatch, options)
    assert measured.codes == expected
    assert set(measured.report.new) == stored_names(measured.cohort)
    assert stored_names(measured.cohort) == {"good-first", "zz-good-last"}
    assert measured.longest_s < 5
    assert measured.reader_bytes < 2**30
    assert measured.own_bytes < 2**28, "nothing of it is held here"
    assert measured.deaths == 0


def test_what_kills_its_reader_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    good = tmp_path / "good.1D"
    good.write_bytes(GOOD)
    pipe = tmp_path / "waits.1D"
    os.mkfifo(pipe)
    with ReaderProcess(timeout_s=2) as reader:
        with pytest.raises((errors.ReaderTimeout, errors.EmptyInput)):
            reader.read(Request("roi_series", (str(pipe),), "series", "s"))
        wide = tmp_path / "much.1D"
        wide.write_bytes(b"1 2 3 4 5 6 7 8\n" * 2_000_000)
        small = ReaderProcess(memory_bytes=2**27)
        with small, pytest.raises(errors.TooLarge, match="memory"):
            small.read(Request("roi_series", (str(wide),), "series", "s"))
        (series,) = reader.read(
            Request("roi_series", (str(good),), "series", "s", series=SeriesOptions())
        )
    assert series.array.shape == (2, 20)
    assert series.facts["names"] is None
