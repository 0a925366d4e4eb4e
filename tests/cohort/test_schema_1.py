"""A store that schema 1 wrote still opens: all of it, by today's code and by plain xarray."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import xarray as xr

import cohortflow as cf
from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.failures import failures
from cohortflow.cohort.maintenance import fsck
from tests.cohort import samples

FIXTURE = Path(__file__).parents[1] / "fixtures" / "store_schema_1.json"


@pytest.fixture
def old(tmp_path: Path) -> Cohort:
    for path, content in json.loads(FIXTURE.read_text("utf-8")).items():
        text, coded = content.get("text"), content.get("base64")
        file = tmp_path / "cohort" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if text is not None else base64.b64decode(coded))
    return cf.open_cohort(tmp_path / "cohort")


def test_it_is_whole(old: Cohort) -> None:
    assert old.title == "schema 1"
    assert fsck(old, deep=True) == []


def test_subjects_and_arrays(old: Cohort) -> None:
    assert old.subjects == ["sub-01", "sub-02"]
    assert old.participants.loc["sub-02"].to_dict() == {
        "number": 2,
        "patient": "p2",
        "age": 70,
        "group": "HC",
    }
    expected = samples.series().dataset
    assert expected is not None
    xr.testing.assert_identical(old["sub-01"]["series"].load(), expected)
    record = old.entries.record(EntryRef("sub-02", "series", samples.key("series sub-02")))
    assert record is not None
    folder = old.storage.local_path(f"{record.ref.path}/{record.attempt}/arrays")
    xr.testing.assert_identical(xr.open_zarr(folder).load(), expected)


def test_records(old: Cohort) -> None:
    model = EntryRef(None, "classify", samples.key("model"))
    entry = old.entries.open(model)
    assert (entry.kind, entry.facts) == ("weights", {"epochs": 3})
    assert entry.read_file("weights.safetensors") == b"w"
    failed = EntryRef("sub-02", "diagrams", samples.key("failed"))
    assert failures(old.storage, failed) == [{"code": "missing-values", "message": "NaN"}]
    selection = old.selections.newest("question")
    assert selection is not None
    assert (selection.number, selection.withdrawn) == (1, 0)
    assert selection.digest == "4e04472e281eaf62f053c394ffdb593a349414c3a94e03c157bbe97042162902"
    index = old.indexes("mci").newest(complete_only=True)
    assert index is not None
    assert index.parts() == [samples.part("classify", [model], "weights")]
    assert index.summary == {"done": 1}


def test_it_goes_on_from_there(old: Cohort) -> None:
    assert old.indexes("mci").begin({}).number == 2
    ingested = old.ingests.append(old.ingested.subjects, {})
    assert (ingested.number, ingested.next_number) == (2, 3)
