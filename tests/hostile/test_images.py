"""Files that nobody vouches for: each refused by name, soon and small, and the cohort goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cohortflow.sources.ingest import IngestOptions
from tests.hostile.array_cases import array_cases
from tests.hostile.cases import Case
from tests.hostile.dicom_cases import dicom_cases
from tests.hostile.measuring import ingested, put_good, stored_names, write
from tests.hostile.nifti_cases import nifti_cases
from tests.hostile.series_cases import series_cases
from tests.hostile.text_cases import text_cases
from tests.sources.images.dicom_files import write_series

CASES: dict[str, Callable[[], Iterator[Case]]] = {
    "nifti": nifti_cases,
    "dicom": dicom_cases,
    "series": series_cases,
    "text": text_cases,
    "arrays": array_cases,
}
SECONDS = 5.0


@functools.cache
def cases_of(group: str) -> tuple[Case, ...]:
    return tuple(CASES[group]())


BYTES = 2**30


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group", CASES)
def test_each_is_refused_by_name_and_the_cohort_goes_on(
    group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    put_good(source)
    expected = write(cases_of(group), source)
    measured = ingested(source, monkeypatch)
    assert measured.codes_of(expected) == expected
    good = {"good-dicom", "good-nifti", "zz-good-dicom"}
    assert set(measured.report.new) == good
    assert stored_names(measured.cohort) == good
    assert measured.longest_s < SECONDS
    assert measured.reader_bytes < BYTES
    assert measured.own_bytes < BYTES
    assert measured.deaths == 0, "a known kind of damage ends no process"
    for subject, error in measured.report.refused.items():
        assert subject in error["message"]
        assert str(tmp_path) not in str(error)


@pytest.mark.filterwarnings("ignore")
def test_there_are_many_and_of_many_kinds() -> None:
    cases = [case for group in CASES for case in cases_of(group)]
    assert len(cases) > 600
    assert len({case.code for case in cases}) >= 25


def test_two_series_in_one_folder_are_two_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.hostile.series_cases import MATRIX, VOXELS

    folder = tmp_path / "source" / "sub-1"
    write_series(folder, VOXELS, MATRIX, names="a{}.dcm".format)
    write_series(
        folder, VOXELS[:4], MATRIX, names="b{}.dcm".format,
        series_uid="1.2.826.0.1.3680043.8.498.2", tags={"SeriesNumber": 2},
    )  # fmt: skip
    measured = ingested(tmp_path / "source", monkeypatch)
    assert not measured.codes
    entries = measured.cohort.ingested.subjects["sub-1"].entries
    assert set(entries) == {"image_s1", "image_s2"}


def test_gaps_are_not_filled_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user accepts is resolved within the limits of every other file."""
    from tests.hostile.series_cases import MATRIX, VOXELS

    def far(z: int, dataset: object) -> None:
        if z == 4:
            dataset.ImagePositionPatient = [0, 0, "1e8"]  # type: ignore[attr-defined]

    write_series(tmp_path / "source" / "sub-1", VOXELS, MATRIX, edit=far)
    accept = IngestOptions(accept=("missing-slice", "uneven-slices"))
    assert ingested(tmp_path / "source", monkeypatch, accept).codes == {"sub-1": "too-large"}
