"""A cohort of a stranger: it may be wrong, and is then told to be, but leads nowhere."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohortflow import errors
from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.pipeline import blame
from tests.cohort import samples
from tests.hostile.seeds import zeros_zipped

REF = EntryRef("sub-01", "standardise", samples.key("unit"))
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    cohort = create_cohort(tmp_path / "cohort")
    cohort.entries.commit(REF, "roi_series", samples.series(), subjects=["sub-01"])
    other = EntryRef("sub-02", "standardise", REF.key)
    cohort.entries.commit(other, "roi_series", samples.series(2.0), subjects=["sub-02"])
    return cohort


def root(cohort: Cohort) -> Path:
    return Path(cohort.storage.url)


def record(cohort: Cohort) -> Path:
    return root(cohort) / REF.path / "entry.json"


def group(cohort: Cohort) -> Path:
    return next((root(cohort) / REF.path).glob("a-*")) / "arrays" / "zarr.json"


def read(cohort: Cohort) -> None:
    cohort.entries.open(REF).dataset.load()


def refused(cohort: Cohort) -> None:
    with pytest.raises((errors.EntryCorrupt, errors.EntryMissing, errors.StoreTooNew)):
        read(cohort)
    good = cohort.entries.open(EntryRef("sub-02", "standardise", REF.key)).dataset.load()
    assert np.all(good["series"] == 2.0)


RECORDS = {
    "empty": b"", "text": b"no record", "list": b"[]", "number": b"7", "cut": b'{"schema": 1, "sub',
    "nan": b'{"schema": NaN}', "nested": b'{"a":' * 100_000, "latin": b'{"a": "\xff"}',
    "nothing": b"{}", "bomb": zeros_zipped(2048),
    "bomb-of-text": gzip.compress(b" " * 2**24) * 60, "cut-gzip": gzip.compress(b"{}")[:12],
}  # fmt: skip


@pytest.mark.parametrize("case", RECORDS)
def test_a_record_that_is_none(case: str, cohort: Cohort) -> None:
    record(cohort).write_bytes(RECORDS[case])
    refused(cohort)


FIELDS: dict[str, Edit] = {
    "schema-newer": lambda d: d.update(schema=99),
    "schema-text": lambda d: d.update(schema="1"),
    "schema-none": lambda d: d.update(schema=None),
    "another-subject": lambda d: d.update(subject="sub-02"),
    "subject-above": lambda d: d.update(subject="../../etc"),
    "another-key": lambda d: d.update(key=samples.key("other")),
    "attempt-above": lambda d: d.update(attempt="../../../elsewhere"),
    "attempt-absolute": lambda d: d.update(attempt="/etc"),
    "attempt-parent": lambda d: d.update(attempt=".."),
    "attempt-number": lambda d: d.update(attempt=7),
    "attempt-gone": lambda d: d.update(attempt="a-00000000"),
    "files-list": lambda d: d.update(files=["arrays/zarr.json"]),
    "files-none": lambda d: d.update(files={}),
    "files-wrong": lambda d: d["files"].update({"arrays/zarr.json": {"sha256": "0", "bytes": 1}}),
    "facts-text": lambda d: d.update(facts="none"),
    "arrays-text": lambda d: d.update(arrays="yes"),
    "no-kind": lambda d: d.pop("kind"),
    "no-attempt": lambda d: d.pop("attempt"),
}


@pytest.mark.parametrize("case", FIELDS)
def test_a_record_that_lies(case: str, cohort: Cohort) -> None:
    document = json.loads(record(cohort).read_text())
    FIELDS[case](document)
    record(cohort).write_text(json.dumps(document))
    refused(cohort)


def array(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["consolidated_metadata"]["metadata"]["series"]
    return found


def chunks(document: dict[str, Any], *shape: Any) -> None:
    array(document)["chunk_grid"]["configuration"]["chunk_shape"] = list(shape)


GROUPS: dict[str, Edit] = {
    "huge": lambda d: array(d).update(shape=[2**40, 2**40]),
    "negative": lambda d: array(d).update(shape=[-3, 5]),
    "text": lambda d: array(d).update(shape=["a", 5]),
    "three-axes": lambda d: array(d).update(shape=[3, 5, 5]),
    "huge-chunks": lambda d: (array(d).update(shape=[2**20, 2**20]), chunks(d, 2**20, 2**20)),
    "no-chunks": lambda d: chunks(d, 0, 5),
    "many-chunks": lambda d: (array(d).update(shape=[2**30, 5]), chunks(d, 1, 1)),
    "type": lambda d: array(d).update(data_type="object"),
    "codec": lambda d: array(d).update(codecs=[{"name": "pickle", "configuration": {}}]),
    "no-codec": lambda d: array(d).update(codecs=[]),
    "grid": lambda d: array(d)["chunk_grid"].update(name="labyrinth"),
    "no-arrays": lambda d: d.pop("consolidated_metadata"),
    "format": lambda d: d.update(zarr_format=9),
    "node": lambda d: d.update(node_type="array"),
}


@pytest.mark.parametrize("case", GROUPS)
def test_arrays_that_cannot_be(case: str, cohort: Cohort) -> None:
    """Forged with the digest that belongs to it."""
    path = group(cohort)
    document = json.loads(path.read_text())
    GROUPS[case](document)
    data = json.dumps(document).encode()
    path.write_bytes(data)
    about = json.loads(record(cohort).read_text())
    about["files"]["arrays/zarr.json"] = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
    record(cohort).write_text(json.dumps(about))
    refused(cohort)


@pytest.mark.parametrize("case", ["changed", "cut", "gone", "a-link"])
def test_a_group_that_is_not_the_one_committed(case: str, cohort: Cohort, tmp_path: Path) -> None:
    path = group(cohort)
    data = path.read_bytes()
    path.unlink()
    if case == "a-link":
        (tmp_path / "elsewhere.json").write_bytes(data + b" ")
        path.symlink_to(tmp_path / "elsewhere.json")
    elif case != "gone":
        path.write_bytes(data[:99] if case == "cut" else data.replace(b"roi", b"ROI"))
    refused(cohort)


@pytest.mark.parametrize("case", ["bit", "cut", "empty", "zeros", "gone", "longer"])
def test_damaged_chunks(case: str, cohort: Cohort) -> None:
    chunk = next(group(cohort).parent.glob("series/c/0/0"))
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 4
    other = {"bit": bytes(data), "cut": bytes(data[:-3]), "empty": b"", "zeros": bytes(len(data)),
             "longer": bytes(data) + b"more"}  # fmt: skip
    chunk.unlink()
    if case != "gone":
        chunk.write_bytes(other[case])
    with pytest.raises((errors.EntryCorrupt, errors.EntryMissing)) as raised:
        read(cohort)
    # In a unit, it is told as it was raised.
    named = blame.named(raised.value, cohort, [REF], "unit")
    assert isinstance(named, (errors.EntryCorrupt, errors.EntryMissing))
    assert cohort.entries.verify(REF)
