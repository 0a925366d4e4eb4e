"""forget: nothing in the store names the subject, save weights, which are listed."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from cohortflow.cohort import maintenance
from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.failures import failures, record_failure
from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.cohort.leases import Lease
from cohortflow.cohort.maintenance import ForgetResult, fsck, gc
from cohortflow.cohort.source_map import SourceFile
from cohortflow.errors import LeaseHeld, UnknownName
from tests.cohort import samples
from tests.cohort.faults import Crash, CrashingStorage

OWN = {s: EntryRef(s, "diagrams", samples.key(f"diagrams {s}")) for s in ("ann-1", "ann-2", "bob")}
POOLED = EntryRef(None, "by_roi", samples.key("by_roi"))
MODEL = EntryRef(None, "classify", samples.key("classify"))
NEIGHBOURS = EntryRef(None, "neighbours", samples.key("neighbours"))
SCORE = EntryRef("bob", "score", samples.key("score by classify"))
VOTES = EntryRef("bob", "score", samples.key("score by neighbours"))
FAILED = EntryRef(None, "rank_sum_map", samples.key("failed"))
ALL = ["ann-1", "ann-2", "bob"]


def _line(subject: str) -> dict[str, Any]:
    inputs = {"diagrams": [[{}, "diagrams", OWN[subject].key]]}
    return {"subject": subject, "patient": subject[:3], "inputs": inputs, "columns": {}}


@pytest.fixture
def full(cohort: Cohort) -> Cohort:
    """A patient with two occasions, another with one, and everything a run makes of them."""
    samples.ingest(cohort, *ALL, patients={"ann-1": "ann", "ann-2": "ann", "bob": "bob"})
    for subject, ref in OWN.items():
        cohort.entries.commit(ref, "table", samples.table(), subjects=[subject])
    entries, weights = cohort.entries, samples.weights
    entries.commit(POOLED, "table", samples.table(), subjects=ALL)
    entries.commit(MODEL, "weights", weights(), subjects=ALL)
    entries.commit(NEIGHBOURS, "weights", weights(holds_rows=True), subjects=ALL)
    entries.commit(SCORE, "table", samples.table(), subjects=["bob"], weights=[MODEL.key])
    entries.commit(VOTES, "table", samples.table(), subjects=["bob"], weights=[NEIGHBOURS.key])
    record_failure(cohort.storage, FAILED, {"code": "x", "inputs": [OWN["ann-1"].path]})
    cohort.selections.freeze("q", [_line(s) for s in ALL], {"note": "without ann-2"})
    for run in ("r1", "r2"):
        writer = cohort.indexes("mci").begin({"run": run, "keys": [r.key for r in OWN.values()]})
        refs = list(OWN.values())
        told = {
            "0": [{"code": "c", "message": "ann-1 has a constant region"}],
            "2": [{"code": "d"}],
        }
        writer.append(samples.part("diagrams", refs, warnings=told))
        cohort_units = [POOLED, MODEL, NEIGHBOURS]
        for ref in cohort_units:
            left_out = {"0": [{"code": "left-out", "message": "ann-1, bob left out"}]}
            writer.append(samples.part(ref.stage, [ref], warnings=left_out))
        writer.append(samples.part("score", [SCORE, VOTES]))
        writer.finish({"failed": ["ann-2"], "done": 8})
    cohort.storage.write(f"logs/r1/diagrams/ann-1-{OWN['ann-1'].key[:16]}.log", b"started")
    cohort.storage.write("logs/r1/by_roi/cohort-0123456789abcdef.log", b"read ann-2")
    cohort.storage.write("logs/r1/diagrams/bob-0123456789abcdef.log", b"ann-10 is another")
    cohort.storage.write("reports/mci/report.html", b"<td>ann-1</td>")
    cohort.storage.write("notes.txt", b"ann-1 moved in the scanner")
    cohort.storage.write(f"work/{POOLED.key}/part", b"1")
    file = SourceFile("/data/x", 1, 1.0, "x")
    cohort.source_map.update({s: [file] for s in ALL}, {"source": "/data"})
    gc(cohort)
    return cohort


def _texts(cohort: Cohort) -> dict[str, str]:
    found = {}
    for path, _ in cohort.storage.walk(""):
        data = cohort.storage.read(path)
        data = gzip.decompress(data) if path.endswith(".gz") else data
        found[path] = f"{path}\n{data.decode('utf-8', errors='replace')}"
    return found


def _naming(cohort: Cohort, *words: str) -> set[str]:
    return {
        path
        for path, text in _texts(cohort).items()
        if any(word in text.replace("ann-10", "") for word in words)
    }


def test_a_patient_goes_with_all_occasions(full: Cohort) -> None:
    result = maintenance.forget(full, "ann")
    assert result.subjects == ["ann-1", "ann-2"]
    assert full.subjects == ["bob"]
    assert list(full.participants.index) == ["bob"]
    assert full.storage.list("subjects") == ["bob"]
    assert _naming(full, "ann-1", "ann-2") == {f"{MODEL.path}/entry.json", "notes.txt"}
    assert result.weights == [MODEL.path]
    assert result.mentions == ["notes.txt"]
    assert result.source_rows == ["ann-1", "ann-2"]
    assert set(full.source_map.subjects) == {"bob"}
    assert fsck(full, deep=True) == []


def test_lineage_ends_at_weights(full: Cohort) -> None:
    result = maintenance.forget(full, "ann-1")
    gone = {POOLED, NEIGHBOURS, VOTES}
    assert set(result.pending) == {ref.path for ref in gone}
    assert {*result.pending, OWN["ann-1"].path} <= set(result.removed)
    for ref in (POOLED, NEIGHBOURS, VOTES, OWN["ann-1"]):
        assert not full.entries.exists(ref)
    for ref in (MODEL, SCORE, OWN["ann-2"], OWN["bob"]):
        assert full.entries.verify(ref) == []
    assert not full.storage.exists(f"work/{POOLED.key}")


def test_every_index_is_written_anew_in_order(full: Cohort) -> None:
    result = maintenance.forget(full, "ann-1")
    book = full.indexes("mci")
    assert book.numbers() == [3, 4]
    assert result.indexes == [book.path(3), book.path(4)]
    newest = book.newest(complete_only=True)
    assert newest is not None
    assert newest.claim["run"] == "r2"
    own, *pooled, scores = newest.parts()
    assert own["subject"] == ["ann-2", "bob"]
    assert own["key"] == [OWN["ann-2"].key, OWN["bob"].key]
    assert own["warnings"] == {"1": [{"code": "d"}]}
    assert [part["state"] for part in pooled] == [["pending"], ["done"], ["pending"]]
    assert pooled[0]["warnings"]["0"][0]["message"] == "[withdrawn], bob left out"
    assert scores["state"] == ["done", "pending"]
    assert newest.summary == {"failed": ["ann-2"], "done": 8}


def test_a_selection_keeps_its_digest_and_counts_up(full: Cohort) -> None:
    before = full.selections.newest("q")
    maintenance.forget(full, "ann-1")
    maintenance.forget(full, "ann-2")
    after = full.selections.newest("q")
    assert before is not None
    assert after is not None
    assert after.digest == before.digest
    assert after.withdrawn == 2
    assert [line["subject"] for line in after.subjects] == ["bob"]
    assert after.described == {"note": "without [withdrawn]"}
    assert len(full.selections.all()) == 1


def test_a_number_is_not_given_again(full: Cohort) -> None:
    maintenance.forget(full, "bob")
    kept = full.ingested.subjects
    again = full.ingests.append(
        [*kept.values(), IngestedSubject("new"), IngestedSubject("bob")], {}
    )
    assert {s.id: s.number for s in again.subjects.values()} == {
        "ann-1": 1,
        "ann-2": 2,
        "bob": 4,
        "new": 5,
    }


def test_failures_and_logs_that_name_them_go(full: Cohort) -> None:
    result = maintenance.forget(full, "ann")
    assert failures(full.storage, FAILED) == []
    assert result.failures == [f"{FAILED.path}/failures/000001.json"]
    assert full.storage.list("logs/r1/diagrams") == ["bob-0123456789abcdef.log"]
    assert full.storage.list("logs/r1/by_roi") == []


def test_nobody_of_that_name(full: Cohort) -> None:
    with pytest.raises(UnknownName, match="ann-1"):
        maintenance.forget(full, "ann-11")
    assert full.subjects == ALL


def test_not_while_a_run_works(full: Cohort) -> None:
    with Lease.acquire(full.storage, "mci", run_id="nightly"), pytest.raises(LeaseHeld):
        maintenance.forget(full, "ann")
    assert full.subjects == ALL
    assert full.entries.exists(POOLED)


def test_a_subject_that_left_the_source_is_forgotten_too(full: Cohort) -> None:
    kept = {i: s for i, s in full.ingested.subjects.items() if i != "bob"}
    full.ingests.append(kept, {})
    maintenance.forget(full, "bob")
    assert "bob" not in str(full.ingests.newest())
    assert not full.storage.exists("subjects/bob")


@pytest.mark.parametrize("number_id", ["1", "12"])
def test_a_bare_number_strikes_no_other_number(cohort: Cohort, number_id: str) -> None:
    samples.ingest(cohort, number_id, "121")
    refs = [EntryRef(i, "diagrams", samples.key(i)) for i in (number_id, "121")]
    claim = {"text": "degree: 1 # 12", "settings": ["a=1"], "failed": [number_id, "121"]}
    writer = cohort.indexes("mci").begin(claim)
    writer.append(samples.part("diagrams", refs, reason=["new", "length 12→1"]))
    cohort.storage.write("logs/r/s/121-0123456789abcdef.log", b"took 1 s of 12")
    maintenance.forget(cohort, number_id)
    index = cohort.indexes("mci").newest()
    assert index is not None
    assert index.claim["text"] == "degree: 1 # 12"
    assert (index.claim["settings"], index.claim["failed"]) == (["a=1"], ["121"])
    assert index.parts()[0]["reason"] == ["length 12→1"]
    assert cohort.storage.exists("logs/r/s/121-0123456789abcdef.log")


@pytest.mark.parametrize("url", ["local"], indirect=True)  # crashes are injected on a disk
def test_an_interrupted_call_is_finished_by_calling_it_again(
    full: Cohort, request: pytest.FixtureRequest
) -> None:
    plain = full.storage
    for after in range(0, 400, 7):
        storage = CrashingStorage(full.url, after)
        try:
            result = _forget_with(full, storage)
        except Crash:
            continue
        assert isinstance(result, ForgetResult)
        break
    else:
        pytest.fail("never finished")
    assert after > 40, "it was cut many times"
    again = Cohort(plain, {"id": full.id})
    assert again.subjects == ["bob"]
    remaining = {f"{MODEL.path}/entry.json", "notes.txt"}
    assert _naming(again, "ann-1", "ann-2") == remaining
    assert fsck(again) == []
    newest = again.indexes("mci").newest()
    assert newest is not None
    assert newest.claim["run"] == "r2"


def _forget_with(full: Cohort, storage: CrashingStorage) -> ForgetResult | None:
    cohort = Cohort(storage, {"id": full.id})
    _void_leases(full)
    return maintenance.forget(cohort, "ann")


def _void_leases(cohort: Cohort) -> None:
    """The dead process' leases: in this test it is our own process that died."""
    cohort.storage.delete("leases")
