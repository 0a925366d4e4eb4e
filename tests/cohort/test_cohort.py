from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

import cohortflow as cf
from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.cohort.local_storage import LocalStorage
from cohortflow.cohort.object_storage import ObjectStorage
from cohortflow.errors import (
    AlreadyExists,
    EntryCorrupt,
    NotACohort,
    StoreError,
    StoreTooNew,
    UnknownName,
)
from tests.cohort import samples


def test_a_created_cohort_opens_as_itself(url: str) -> None:
    created = cf.create_cohort(url, title="rest")
    opened = cf.open_cohort(url)
    assert (opened.id, opened.title) == (created.id, "rest")
    assert opened.subjects == []
    assert list(opened.participants.columns) == ["number", "patient"]


def test_a_second_creation_is_refused(cohort: Cohort) -> None:
    with pytest.raises(AlreadyExists):
        cf.create_cohort(cohort.url)
    assert cf.open_cohort(cohort.url).id == cohort.id


def test_a_file_is_no_cohort(tmp_path: Path) -> None:
    file = tmp_path / "scan.nii"
    file.write_bytes(b"x")
    for call in (cf.open_cohort, cf.create_cohort):
        with pytest.raises(NotACohort, match="a file") as caught:
            call(file)
        assert caught.value.exit_code == 5


def test_an_empty_place_is_no_cohort(url: str) -> None:
    with pytest.raises(NotACohort):
        cf.open_cohort(url)


def test_a_folder_with_other_things_does_not_become_a_cohort(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(NotACohort, match=r"thesis\.tex"):
        cf.create_cohort(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_newer_store_is_refused_by_name(cohort: Cohort) -> None:
    cohort.storage.write("cohort.json", json.dumps({"schema": 2, "id": "x"}).encode())
    with pytest.raises(StoreTooNew, match="schema 2") as caught:
        cf.open_cohort(cohort.url)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("content", [b"", b'{"schema": 1, "id"', b"[]"])
def test_a_damaged_card_is_named(cohort: Cohort, content: bytes) -> None:
    cohort.storage.write("cohort.json", content)
    with pytest.raises(EntryCorrupt, match=r"cohort\.json"):
        cf.open_cohort(cohort.url)


def test_participants_and_entries_by_name(cohort: Cohort) -> None:
    samples.ingest(cohort, "sub-02", "sub-01", patients={"sub-01": "p7"})
    assert cohort.subjects == ["sub-01", "sub-02"]
    table = cohort.participants
    assert table.index.name == "id"
    assert list(table.columns) == ["number", "patient", "age", "group"]
    assert table.loc["sub-01", "patient"] == "p7"
    assert table.loc["sub-02", "patient"] == "sub-02"
    assert cohort["sub-01"]["series"].sizes == {"roi": 3, "time": 5}


def test_unknown_names_suggest_the_nearest(cohort: Cohort) -> None:
    samples.ingest(cohort, "sub-01")
    with pytest.raises(UnknownName, match="Did you mean 'sub-01'"):
        cohort["sub-1"]
    with pytest.raises(UnknownName, match="Did you mean 'series'"):
        cohort["sub-01"]["serie"]


def test_ten_thousand_subjects_open_without_an_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = cf.create_cohort(tmp_path / "cohort")
    entry = samples.IngestedEntry("series", "roi_series", "series", "ab" * 32, {"regions": 3})
    rows = [IngestedSubject(f"sub-{i:05d}", entries={"series": entry}) for i in range(10_000)]
    cohort.ingests.append(rows, {})
    read: list[str] = []
    plain = LocalStorage.read
    monkeypatch.setattr(LocalStorage, "read", lambda s, p: read.append(p) or plain(s, p))
    started = time.perf_counter()
    assert len(cf.open_cohort(tmp_path / "cohort").participants) == 10_000
    assert time.perf_counter() - started < 5
    assert read == ["cohort.json", "ingests/000001.json.gz"]


def test_opening_loads_no_scheduler_and_no_network() -> None:
    code = (
        "import sys, cohortflow as cf; assert 'xarray' not in sys.modules; cf.open_cohort;"
        "print(*sorted({'prefect', 'dask', 'distributed', 'torch', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_store_without_exclusive_creation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ObjectStorage, "create", ObjectStorage.write)
    url = f"memory://{uuid.uuid4()}"
    with pytest.raises(StoreError, match="already there"):
        cf.create_cohort(url)
    assert list(ObjectStorage(url).walk("")) == []
