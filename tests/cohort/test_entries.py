from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from cohortflow.cohort.arrays import CHUNK_BYTES, default_chunks, encode_arrays
from cohortflow.cohort.cohort import Cohort, create_cohort, open_cohort
from cohortflow.cohort.entries import Entries, EntryRef
from cohortflow.cohort.entry import Output
from cohortflow.cohort.stored_arrays import StoredArrays
from cohortflow.errors import (
    EntryCorrupt,
    EntryMissing,
    InvalidEntry,
    StoreTooNew,
    UnsafeIdentifier,
)
from tests.cohort import own_processes, samples
from tests.cohort.faults import Crash, CrashingStorage

REF = EntryRef("sub-01", "standardise", samples.key("unit"))


def _arrays(cohort: Cohort, ref: EntryRef = REF) -> str:
    record = cohort.entries.record(ref)
    assert record is not None
    return f"{ref.path}/{record.attempt}/arrays"


def test_the_path_follows_from_the_key() -> None:
    digits = samples.key("unit")[:16]
    assert REF.path == f"subjects/sub-01/standardise@{digits}"
    assert EntryRef(None, "classify", samples.key("unit")).path == f"cohort/classify@{digits}"


def test_what_is_committed_is_opened(cohort: Cohort) -> None:
    output = samples.series(3.5)
    record = cohort.entries.commit(
        REF, "roi_series", output, subjects=["sub-01"], weights=["w"], recipe={"length": 5}
    )
    assert cohort.entries.exists(REF)
    assert cohort.entries.record(REF) == record
    entry = cohort.entries.open(REF)
    assert output.dataset is not None
    xr.testing.assert_identical(entry.dataset.load(), output.dataset)
    assert (entry.kind, entry.facts, record.weights) == ("roi_series", {"value": 3.5}, ["w"])
    assert cohort.entries.verify(REF) == []


def test_opening_reads_no_chunk(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort.entries.commit(REF, "roi_series", samples.series())
    dataset = cohort.entries.open(REF).dataset
    assert not dataset["series"].variable._in_memory


def test_files_are_kept_by_name(cohort: Cohort) -> None:
    cohort.entries.commit(REF, "weights", samples.weights(epochs=2))
    entry = cohort.entries.open(REF)
    assert set(entry.file_names) == {"weights.safetensors", "card.json"}
    assert entry.read_file("card.json") == b"{}"
    with pytest.raises(EntryMissing, match="holds no arrays"):
        entry.dataset  # noqa: B018


def test_plain_xarray_opens_every_array_entry_without_a_warning(cohort: Cohort) -> None:
    cohort.entries.commit(REF, "roi_series", samples.series(2.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = _arrays(cohort)
        dataset = xr.open_zarr(
            cohort.storage.local_path(path) or StoredArrays(cohort.storage, path)
        )
    assert float(dataset["series"].sum()) == 30.0
    assert dataset["region"].values.tolist() == ["region 0", "region 1", "region 2"]
    assert dataset["valid"].dtype == bool


def test_same_input_same_bytes() -> None:
    first, second = (encode_arrays(samples.series().dataset) for _ in range(2))  # type: ignore[arg-type]
    assert first == second


def test_two_cohorts_hold_the_same_digests(tmp_path: Path) -> None:
    records = []
    for name in "ab":
        cohort = create_cohort(tmp_path / name)
        records.append(cohort.entries.commit(REF, "roi_series", samples.series(), subjects=["s"]))
    plain = [{**record.to_json(), "attempt": ""} for record in records]
    assert plain[0] == plain[1]
    assert records[0].attempt != records[1].attempt


def test_the_callers_dataset_is_left_as_it_was() -> None:
    dataset = samples.series().dataset
    assert dataset is not None
    dataset["series"].encoding["chunks"] = (1, 5)
    before = dataset.copy(deep=True)
    encode_arrays(dataset)
    xr.testing.assert_identical(dataset, before)
    assert dataset["series"].encoding == {"chunks": (1, 5)}


def test_chunks_are_those_asked_for(cohort: Cohort) -> None:
    output = samples.series()
    assert output.dataset is not None
    output.dataset["series"].encoding["chunks"] = (1, 5)
    cohort.entries.commit(REF, "roi_series", output)
    metadata = json.loads(cohort.storage.read(f"{_arrays(cohort)}/series/zarr.json"))
    assert metadata["chunk_grid"]["configuration"]["chunk_shape"] == [1, 5]
    codecs = [codec["name"] for codec in metadata["codecs"]]
    assert codecs == ["bytes", "blosc", "crc32c"]
    assert metadata["codecs"][1]["configuration"]["shuffle"] == "bitshuffle"


@pytest.mark.parametrize(
    ("shape", "itemsize", "expected"),
    [
        ((), 8, ()),
        ((0, 4), 8, (1, 4)),
        ((10, 10), 8, (10, 10)),
        ((4, 1024, 1024), 8, (2, 1024, 1024)),
        ((2, 3000, 3000), 8, (1, 375, 3000)),
    ],
)
def test_default_chunks_are_whole_or_at_most_16_mib(
    shape: tuple[int, ...], itemsize: int, expected: tuple[int, ...]
) -> None:
    assert default_chunks(shape, itemsize) == expected
    assert int(np.prod(expected)) * itemsize <= CHUNK_BYTES


@pytest.mark.parametrize("chunks", [None, (2, 2)])
def test_odd_arrays_survive(cohort: Cohort, chunks: tuple[int, int] | None) -> None:
    """Empty, scalar, NaN, all-fill, text of several lengths, coordinates."""
    dataset = xr.Dataset(
        {
            "features": (("item", "feature"), np.array([[np.nan, 0.0], [-0.0, np.inf]])),
            "zeros": (("item", "feature"), np.zeros((2, 2))),
            "none": (("nothing",), np.empty(0)),
            "one": ((), np.float32(2.5)),
            "words": (("item",), np.array(["ä", "longer text"], dtype=object)),
        },
        coords={"item": ("item", np.array(["sub-01", "s2"], dtype=object)), "feature": [3, 1]},
        attrs={"tr_s": float("nan"), "pair": [1, 2]},
    )
    if chunks:
        dataset["features"].encoding["chunks"] = chunks
    cohort.entries.commit(REF, "features", Output(dataset=dataset))
    found = cohort.entries.open(REF).dataset.load()
    for name in dataset.variables:
        np.testing.assert_array_equal(
            found[name].values.astype(dataset[name].dtype), dataset[name].values
        )
    assert np.signbit(found["features"].values[1, 0])
    assert np.isnan(found.attrs["tr_s"])


def test_a_wrong_output_leaves_nothing(cohort: Cohort) -> None:
    with pytest.raises(InvalidEntry):
        cohort.entries.commit(REF, "table", samples.series())
    assert not cohort.storage.list("subjects")


@pytest.mark.parametrize(
    "ref",
    [
        EntryRef("a/b", "s", samples.key("x")),
        EntryRef("..", "s", samples.key("x")),
        EntryRef("a@b", "s", samples.key("x")),
        EntryRef("a", "s/t", samples.key("x")),
        EntryRef("a", "s", "short"),
        EntryRef("a", "s", "G" * 64),
    ],
)
def test_refs_that_lead_elsewhere_are_refused(cohort: Cohort, ref: EntryRef) -> None:
    with pytest.raises(UnsafeIdentifier):
        cohort.entries.commit(ref, "table", samples.table())


def test_the_first_commit_stands(cohort: Cohort) -> None:
    first = cohort.entries.commit(REF, "roi_series", samples.series(1.0))
    second = cohort.entries.commit(REF, "roi_series", samples.series(2.0))
    assert second == first
    assert float(cohort.entries.open(REF).dataset["series"][0, 0]) == 1.0
    assert cohort.storage.list(REF.path) == sorted([first.attempt, "entry.json"])


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 1}', b"null"])
def test_damaged_records_are_named_and_never_taken(cohort: Cohort, content: bytes) -> None:
    cohort.entries.commit(REF, "table", samples.table())
    cohort.storage.write(f"{REF.path}/entry.json", content)
    for look in (cohort.entries.record, cohort.entries.open):
        with pytest.raises(EntryCorrupt, match=r"entry\.json"):
            look(REF)
    assert len(cohort.entries.verify(REF)) == 1


def test_a_record_of_another_key_is_not_mistaken(cohort: Cohort) -> None:
    cohort.entries.commit(REF, "table", samples.table())
    twin = EntryRef(REF.subject, REF.stage, REF.key[:16] + "0" * 48)
    assert twin.path == REF.path
    with pytest.raises(EntryCorrupt, match="another unit's"):
        cohort.entries.open(twin)


def test_a_record_of_a_newer_version_is_refused(cohort: Cohort) -> None:
    cohort.entries.commit(REF, "table", samples.table())
    document = json.loads(cohort.storage.read(f"{REF.path}/entry.json"))
    cohort.storage.write(f"{REF.path}/entry.json", json.dumps({**document, "schema": 9}).encode())
    with pytest.raises(StoreTooNew, match="schema 9"):
        cohort.entries.record(REF)


def test_a_missing_entry_is_named(cohort: Cohort) -> None:
    assert cohort.entries.record(REF) is None
    with pytest.raises(EntryMissing, match="standardise@"):
        cohort.entries.open(REF)


def test_a_flipped_bit_is_found_by_verify_and_by_reading(cohort: Cohort) -> None:
    cohort.entries.commit(REF, "roi_series", samples.series())
    path = f"{_arrays(cohort)}/series/c/0/0"
    data = bytearray(cohort.storage.read(path))
    data[len(data) // 2] ^= 1
    cohort.storage.write(path, bytes(data))
    assert any("series/c/0/0" in problem for problem in cohort.entries.verify(REF))
    with pytest.raises(EntryCorrupt, match="checksum"):
        cohort.entries.open(REF).dataset["series"].load()


def test_a_missing_chunk_is_found_by_verify(cohort: Cohort) -> None:
    cohort.entries.commit(REF, "roi_series", samples.series(0.0))
    cohort.storage.delete(f"{_arrays(cohort)}/series/c/0/0")
    assert any("missing" in problem for problem in cohort.entries.verify(REF))


def test_a_crash_at_any_point_leaves_no_entry_or_a_whole_one(tmp_path: Path) -> None:
    """The commit is cut after each of its changes in turn; the next attempt always succeeds."""
    cohort = create_cohort(tmp_path / "cohort")
    seen: set[bool] = set()
    for after in range(100):
        ref = EntryRef("sub-01", "standardise", samples.key(f"crash {after}"))
        storage = CrashingStorage(cohort.url, after)
        try:
            Entries(storage).commit(ref, "roi_series", samples.series(1.0))
            finished = True
        except Crash:
            finished = False
            assert not cohort.entries.exists(ref)
        seen.add(finished)
        cohort.entries.commit(ref, "roi_series", samples.series(2.0))
        value = float(cohort.entries.open(ref).dataset["series"].mean())
        assert value == (1.0 if finished else 2.0)
        assert cohort.entries.verify(ref) == []
        if finished:
            break
    assert seen == {True, False}
    assert after > 8, "one small dataset is more than a handful of files"


def test_of_eight_processes_exactly_one_commits(tmp_path: Path) -> None:
    cohort = create_cohort(tmp_path / "cohort")
    context = own_processes.context()
    barrier = context.Barrier(8)
    answers = context.Queue()
    workers = [
        context.Process(target=_commit, args=(cohort.url, float(i), barrier, answers))
        for i in range(8)
    ]
    for worker in workers:
        worker.start()
    results = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    attempts = {attempt for _, attempt in results}
    assert len(attempts) == 1, "all were told of the one that stands"
    value = float(cohort.entries.open(REF).dataset["series"].mean())
    assert value in {value for value, _ in results}
    assert cohort.storage.list(REF.path) == sorted([*attempts, "entry.json"])
    assert cohort.entries.verify(REF) == []


def _commit(url: str, value: float, barrier, answers) -> None:  # type: ignore[no-untyped-def]
    cohort = open_cohort(url)
    barrier.wait(timeout=50)
    record = cohort.entries.commit(REF, "roi_series", samples.series(value))
    answers.put((value, record.attempt))


def test_a_commit_without_arrays_is_three_files_at_most(cohort: Cohort) -> None:
    cohort.entries.commit(REF, "table", samples.table())
    files = [path for path, _ in cohort.storage.walk(REF.path)]
    assert len(files) == 2
