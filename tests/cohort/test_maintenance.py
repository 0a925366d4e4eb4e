"""fsck, gc and disk use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.failures import failures, record_failure
from cohortflow.cohort.gc import DAY_S
from cohortflow.cohort.leases import Lease
from cohortflow.cohort.maintenance import disk_usage, fsck, gc
from cohortflow.cohort.survey import survey
from tests.cohort import samples

KEPT = EntryRef("sub-01", "standardise", samples.key("kept"))
LOOSE = EntryRef("sub-01", "standardise", samples.key("loose"))
MODEL = EntryRef(None, "classify", samples.key("model"))


@pytest.fixture
def used(cohort: Cohort) -> Cohort:
    """Two subjects, one entry that the index names and one that nothing names."""
    samples.ingest(cohort, "sub-01", "sub-02")
    cohort.entries.commit(KEPT, "roi_series", samples.series(), subjects=["sub-01"])
    cohort.entries.commit(LOOSE, "roi_series", samples.series(2), subjects=["sub-01"])
    cohort.entries.commit(MODEL, "weights", samples.weights(), subjects=["sub-01", "sub-02"])
    writer = cohort.indexes("mci").begin({"keys": [KEPT.key]})
    writer.append(samples.part("standardise", [KEPT], "roi_series"))
    writer.append(samples.part("classify", [MODEL], "weights"))
    writer.finish({})
    return cohort


def _at(days: float) -> Callable[[], float]:
    return lambda: 1_700_000_000 + days * DAY_S


def _orphan(cohort: Cohort, ref: EntryRef = KEPT, attempt: str = "a-dead0001") -> str:
    path = f"{ref.path}/{attempt}"
    cohort.storage.write_tree(path, {"arrays/zarr.json": b"{}"})
    return path


# --- fsck ---------------------------------------------------------------------------------------


def test_a_sound_store_has_no_problems(used: Cohort) -> None:
    record_failure(used.storage, EntryRef("sub-02", "diagrams", samples.key("f")), {"code": "x"})
    with Lease.acquire(used.storage, "mci", run_id="r"):
        assert fsck(used, deep=True) == []


def test_fsck_names_every_kind_of_damage(used: Cohort) -> None:
    record = used.entries.record(KEPT)
    assert record is not None
    folder = f"{KEPT.path}/{record.attempt}"
    used.storage.delete(f"{folder}/arrays/valid/c/0")
    used.storage.write(f"{folder}/arrays/series/c/0/0", b"short")
    used.storage.write(f"{folder}/arrays/extra", b"x")
    used.storage.write(f"{LOOSE.path}/entry.json", b"")
    orphan = _orphan(used)
    used.storage.write(f"{KEPT.path}/.tmp-0123", b"half")
    used.storage.write("subjects/notes.txt", b"mine")
    used.storage.write("indexes/other/000001/claim.json", b"{")
    found = {problem.path: problem.code for problem in fsck(used)}
    loose_attempt = next(p for p in found if p.startswith(LOOSE.path) and "/a-" in p)
    assert found.pop(loose_attempt) == "orphan"
    assert found == {
        f"{folder}/arrays/valid/c/0": "missing-file",
        f"{folder}/arrays/series/c/0/0": "damaged-file",
        f"{folder}/arrays/extra": "stranger",
        f"{LOOSE.path}/entry.json": "damaged-record",
        orphan: "orphan",
        f"{KEPT.path}/.tmp-0123": "leftover",
        "subjects/notes.txt": "stranger",
        "indexes/other/000001/claim.json": "damaged-document",
    }


def test_a_flipped_bit_needs_a_deep_look(used: Cohort) -> None:
    record = used.entries.record(KEPT)
    assert record is not None
    path = f"{KEPT.path}/{record.attempt}/arrays/series/c/0/0"
    data = bytearray(used.storage.read(path))
    data[0] ^= 1
    used.storage.write(path, bytes(data))
    assert fsck(used) == []
    assert [(p.path, p.code) for p in fsck(used, deep=True)] == [(path, "damaged-file")]


def test_what_an_index_or_the_ingest_promises_and_is_gone_is_named(used: Cohort) -> None:
    series = EntryRef("sub-02", "series", samples.key("series sub-02"))
    for ref in (MODEL, series):
        used.storage.delete(ref.path)
    assert [(p.path, p.code) for p in fsck(used)] == [
        (MODEL.path, "missing-entry"),
        (series.path, "missing-entry"),
    ]


# --- gc -----------------------------------------------------------------------------------------


def test_gc_removes_what_was_nameless_a_day_ago_too(used: Cohort) -> None:
    orphan = _orphan(used)
    first = gc(used, now=_at(0))
    assert (first.deleted, first.waiting) == ([], sorted([LOOSE.path, orphan]))
    early = gc(used, now=_at(0.9))
    assert early.deleted == []
    due = gc(used, now=_at(1.01))
    assert due.deleted == sorted([LOOSE.path, orphan])
    assert due.bytes > 0
    assert not used.storage.exists(LOOSE.path)
    assert not used.storage.exists(orphan)
    for ref in (KEPT, MODEL, EntryRef("sub-02", "series", samples.key("series sub-02"))):
        assert used.entries.verify(ref) == []
    assert fsck(used) == []


def test_a_dry_run_tells_the_same_and_changes_nothing(used: Cohort) -> None:
    gc(used, now=_at(0))
    before = sorted(used.storage.walk(""))
    told = gc(used, dry_run=True, now=_at(2))
    assert sorted(used.storage.walk("")) == before
    assert gc(used, now=_at(2)).deleted == told.deleted == [LOOSE.path]


def test_what_was_named_in_between_starts_anew(used: Cohort) -> None:
    gc(used, now=_at(0))
    used.indexes("mci").begin({"keys": [KEPT.key, LOOSE.key, MODEL.key]})
    assert gc(used, now=_at(1.5)).deleted == []
    assert used.entries.verify(LOOSE) == []
    used.indexes("mci").delete(2)
    assert gc(used, now=_at(3)).deleted == []
    assert gc(used, now=_at(4.1)).deleted == [LOOSE.path]


def test_an_unfinished_runs_claim_is_enough(used: Cohort) -> None:
    used.indexes("another").begin({"keys": [LOOSE.key]})
    for day in range(4):
        assert gc(used, now=_at(day)).deleted == []


def test_a_selection_keeps_what_it_names(used: Cohort) -> None:
    line = {"subject": "sub-01", "inputs": {"m": [[{}, "standardise", LOOSE.key]]}, "columns": {}}
    used.selections.freeze("q", [line], {})
    for day in range(4):
        assert gc(used, now=_at(day)).deleted == []


def test_only_the_newest_indexes_keep(used: Cohort) -> None:
    """The newest N, and the newest that finished however old it is."""
    for _ in range(10):
        used.indexes("mci").begin({"keys": []})
    result = gc(used, now=_at(0))
    assert result.documents == []
    used.indexes("mci").begin({}).finish({})
    assert gc(used, dry_run=True, now=_at(0)).documents == [
        "indexes/mci/000001",
        "indexes/mci/000002",
    ]
    gc(used, now=_at(0))
    assert used.indexes("mci").numbers() == list(range(3, 13))
    assert {KEPT.path, MODEL.path} <= set(gc(used, now=_at(1.1)).deleted)


def test_failures_go_with_their_unit(used: Cohort) -> None:
    named = EntryRef("sub-01", "diagrams", samples.key("failed and named"))
    stale = EntryRef("sub-01", "diagrams", samples.key("failed and stale"))
    for ref in (named, stale):
        record_failure(used.storage, ref, {"code": "x"})
    used.indexes("mci").begin({"keys": [KEPT.key, LOOSE.key, MODEL.key, named.key]})
    gc(used, now=_at(0))
    assert gc(used, now=_at(1.1)).deleted == [stale.path]
    assert len(failures(used.storage, named)) == 1


def test_work_of_a_live_run_is_left_alone(used: Cohort) -> None:
    used.storage.write(f"work/{LOOSE.key}/part-1", b"checkpoint")
    with Lease.acquire(used.storage, "mci", run_id="r"):
        for day in range(3):
            gc(used, now=_at(day))
        assert used.storage.exists(f"work/{LOOSE.key}/part-1")
    gc(used, now=_at(4))
    assert gc(used, now=_at(5.1)).deleted == [f"work/{LOOSE.key}"]


def test_checkpoints_of_a_pending_unit_are_kept(used: Cohort) -> None:
    pending = samples.key("training was cut short")
    used.indexes("mci").begin({"keys": [pending, KEPT.key, MODEL.key]})
    used.storage.write(f"work/{pending}/part-1", b"checkpoint")
    for day in range(4):
        gc(used, now=_at(day))
    assert used.storage.exists(f"work/{pending}/part-1")


def test_the_record_goes_before_the_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = create_cohort(tmp_path / "cohort")
    cohort.entries.commit(LOOSE, "roi_series", samples.series())
    gc(cohort, now=_at(0))
    order: list[str] = []
    delete = cohort.storage.delete
    monkeypatch.setattr(cohort.storage, "delete", lambda p: (order.append(p), delete(p))[1])
    gc(cohort, now=_at(2))
    of_entry = [path for path in order if path.startswith(LOOSE.path)]
    assert of_entry[0] == f"{LOOSE.path}/entry.json"
    assert len(of_entry) == 2
    assert not cohort.storage.exists("subjects"), "empty folders go too"


def test_an_attempt_begun_during_the_removal_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = create_cohort(tmp_path / "cohort")
    cohort.entries.commit(LOOSE, "roi_series", samples.series(1))
    gc(cohort, now=_at(0))
    delete = cohort.storage.delete

    def delete_and_commit(path: str) -> None:
        delete(path)
        if path == f"{LOOSE.path}/entry.json":
            cohort.entries.commit(LOOSE, "roi_series", samples.series(2))

    monkeypatch.setattr(cohort.storage, "delete", delete_and_commit)
    gc(cohort, now=_at(2))
    assert cohort.entries.verify(LOOSE) == []
    assert float(cohort.entries.open(LOOSE).dataset["series"].mean()) == 2


def test_what_comes_back_waits_a_day_of_its_own(used: Cohort) -> None:
    gc(used, now=_at(0))
    assert gc(used, now=_at(1.1)).deleted == [LOOSE.path]
    used.entries.commit(LOOSE, "roi_series", samples.series(3))
    assert gc(used, now=_at(1.2)).deleted == []
    assert used.entries.verify(LOOSE) == []


def test_two_collections_do_not_run_at_once(used: Cohort) -> None:
    from cohortflow.errors import LeaseHeld

    with (
        Lease.acquire(used.storage, "store-maintenance", run_id="gc"),
        pytest.raises(LeaseHeld),
    ):
        gc(used)


# --- disk use -----------------------------------------------------------------------------------


def test_disk_usage_adds_up(used: Cohort) -> None:
    _orphan(used)
    key = next(f.key for f in survey(used.storage).folders.values() if f.stage == "classify")
    usage = disk_usage(used, {key: "small classify"})
    found = {row["stage"]: row for row in usage}
    assert found["series"]["entries"] == 2
    assert found["standardise"]["entries"] == 2
    assert found["classify"]["files"] == 3
    assert {row["of"] for row in usage} == {"small classify", "(earlier)", ""}
    sizes = [row["bytes"] for row in usage]
    assert sum(sizes) == sum(size for _, size in used.storage.walk(""))
    assert sizes == sorted(sizes, reverse=True)
