"""Failures, indexes, selections and ingests: numbered, exclusive, read back as written."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.documents import digest
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.failures import failures, record_failure
from cohortflow.cohort.ingests import IngestedFile, IngestedSubject
from cohortflow.cohort.selections import Selection
from cohortflow.errors import (
    AlreadyExists,
    EntryCorrupt,
    ParticipantDuplicate,
    UnsafeIdentifier,
)
from tests.cohort import samples

REF = EntryRef("sub-01", "diagrams", samples.key("unit"))


# --- failures -----------------------------------------------------------------------------------


def test_failures_are_numbered_and_make_no_entry(cohort: Cohort) -> None:
    assert failures(cohort.storage, REF) == []
    first = {"code": "missing-values", "message": "NaN at region 3", "transient": False}
    assert record_failure(cohort.storage, REF, first) == 1
    assert record_failure(cohort.storage, REF, {"code": "unit-timeout"}) == 2
    assert failures(cohort.storage, REF) == [first, {"code": "unit-timeout"}]
    assert not cohort.entries.exists(REF)


def test_a_commit_after_failures_stands(cohort: Cohort) -> None:
    record_failure(cohort.storage, REF, {"code": "worker-lost"})
    cohort.entries.commit(REF, "table", samples.table())
    assert cohort.entries.exists(REF)
    assert cohort.entries.verify(REF) == []


def test_failures_at_once_all_get_a_number(cohort: Cohort) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda i: record_failure(cohort.storage, REF, {"run": i}), range(24)))
    assert sorted(taken) == list(range(1, 25))
    assert sorted(failure["run"] for failure in failures(cohort.storage, REF)) == list(range(24))


# --- indexes ------------------------------------------------------------------------------------


def test_an_index_holds_its_claim_parts_and_summary(cohort: Cohort) -> None:
    book = cohort.indexes("mci")
    assert book.newest() is None
    writer = book.begin({"keys": [REF.key]})
    unfinished = book.newest()
    assert unfinished is not None
    assert (unfinished.number, unfinished.summary, unfinished.parts()) == (1, None, [])
    parts = [samples.part("diagrams", [REF], warnings={"0": [{"code": c}]}) for c in "abc"]
    for part in parts:
        writer.append(part)
    writer.finish({"done": 3})
    index = book.newest()
    assert index is not None
    assert index.parts() == parts
    assert index.summary == {"done": 3}
    assert index.keys() == {REF.key}


def test_parts_keep_their_order_beyond_ten(cohort: Cohort) -> None:
    writer = cohort.indexes("mci").begin({})
    for i in range(12):
        writer.append({"key": [], "i": i})
    index = cohort.indexes("mci").newest()
    assert index is not None
    assert [part["i"] for part in index.parts()] == list(range(12))


def test_newest_complete_steps_over_an_interrupted_run(cohort: Cohort) -> None:
    book = cohort.indexes("mci")
    book.begin({"run": "a"}).finish({})
    book.begin({"run": "b"})
    newest, complete = book.newest(), book.newest(complete_only=True)
    assert newest is not None
    assert complete is not None
    assert (newest.number, complete.number) == (2, 1)
    assert book.numbers() == [1, 2]


def test_pipelines_have_indexes_of_their_own(cohort: Cohort) -> None:
    cohort.indexes("a").begin({})
    assert cohort.indexes("b").newest() is None
    with pytest.raises(UnsafeIdentifier):
        cohort.indexes("../a")


def test_runs_at_once_get_numbers_of_their_own(cohort: Cohort) -> None:
    with ThreadPoolExecutor(8) as pool:
        writers = list(pool.map(lambda i: cohort.indexes("mci").begin({"run": i}), range(16)))
    assert sorted(writer.number for writer in writers) == list(range(1, 17))


def test_a_finished_index_is_not_finished_again(cohort: Cohort) -> None:
    writer = cohort.indexes("mci").begin({})
    writer.finish({"done": 1})
    with pytest.raises(AlreadyExists):
        writer.finish({"done": 2})


@pytest.mark.parametrize("damage", [b"", b"{", gzip.compress(b'{"key": []}', mtime=0)[:-9]])
def test_a_damaged_part_is_named(cohort: Cohort, damage: bytes) -> None:
    cohort.indexes("mci").begin({}).append({"key": []})
    path = "indexes/mci/000001/part-0000.json.gz"
    cohort.storage.write(path, damage)
    index = cohort.indexes("mci").newest()
    assert index is not None
    with pytest.raises(EntryCorrupt, match=r"part-0000\.json\.gz"):
        index.parts()


# --- selections ---------------------------------------------------------------------------------


def _line(subject: str) -> dict[str, Any]:
    return {
        "subject": subject,
        "patient": subject,
        "inputs": {"matrices": [[{}, "diagrams", samples.key(subject)]]},
        "columns": {"group": "HC"},
    }


def test_a_selection_is_frozen_once(cohort: Cohort) -> None:
    assert cohort.selections.newest("q") is None
    frozen = cohort.selections.freeze("q", [_line("b"), _line("a")], {"step": "classify"})
    assert (frozen.number, frozen.withdrawn) == (1, 0)
    assert [line["subject"] for line in frozen.subjects] == ["a", "b"]
    assert cohort.selections.newest("q") == frozen
    assert frozen.keys() == {samples.key("a"), samples.key("b")}


def test_the_digest_is_of_the_subjects_in_order(cohort: Cohort) -> None:
    lines = [_line("a"), _line("b")]
    frozen = cohort.selections.freeze("q", reversed(lines), {"any": "thing"})
    assert frozen.digest == digest(lines)
    assert cohort.selections.freeze("other", lines, {}).digest == frozen.digest
    assert cohort.selections.freeze("third", lines[:1], {}).digest != frozen.digest


def test_a_refresh_takes_the_next_number(cohort: Cohort) -> None:
    cohort.selections.freeze("q", [_line("a")], {})
    second = cohort.selections.freeze("q", [_line("a"), _line("b")], {})
    assert second.number == 2
    assert cohort.selections.newest("q") == second
    assert [s.number for s in cohort.selections.all()] == [1, 2]


def test_of_two_that_freeze_at_once_both_read_the_one_that_stands(cohort: Cohort) -> None:
    standing = cohort.selections.freeze("q", [_line("a")], {})
    late = Selection("q", 1, "other", [], {})
    assert cohort.selections.create(late) == standing


# --- ingests ------------------------------------------------------------------------------------


def test_numbers_are_given_once_and_for_ever(cohort: Cohort) -> None:
    first = cohort.ingests.append([IngestedSubject("b"), IngestedSubject("a")], {})
    assert {s.id: s.number for s in first.subjects.values()} == {"a": 1, "b": 2}
    cohort.ingests.append([IngestedSubject("b")], {})
    again = cohort.ingests.append([IngestedSubject(i) for i in "abc"], {})
    assert {s.id: s.number for s in again.subjects.values()} == {"a": 1, "b": 2, "c": 3}
    assert cohort.ingests.newest() == again


def test_files_of_no_subject_stay_unless_others_are_named(cohort: Cohort) -> None:
    sam = IngestedFile("sam", "weights", "0" * 64, "1" * 64, 7)
    cohort.ingests.append([IngestedSubject("a")], {}, {"sam": sam})
    cohort.ingests.append([IngestedSubject("a"), IngestedSubject("b")], {})
    assert cohort.ingested.files == {"sam": sam}
    cohort.ingests.append([IngestedSubject("a")], {}, {})
    assert cohort.ingested.files == {}


def test_an_ingest_is_read_back_whole(cohort: Cohort) -> None:
    samples.ingest(cohort, "sub-02", "sub-01")
    refused = IngestedSubject("sub-03", error={"code": "missing-values", "message": "NaN"})
    before = cohort.ingested
    written = cohort.ingests.append({**before.subjects, "sub-03": refused}, {"atlas": "x"})
    found = cohort.ingests.newest()
    assert found == written
    assert found is not None
    assert list(found.subjects) == ["sub-01", "sub-02", "sub-03"]
    assert found.subjects["sub-01"].entries["series"].facts == {"regions": 3}
    assert found.subjects["sub-03"].error == refused.error


@pytest.mark.parametrize(
    "name", ["", "a/b", "a\\b", "a@b", ".hidden", "..", " a", "a\n", "Mu\u0308ller", "x" * 201]
)
def test_unsafe_ids_are_refused_where_they_enter(cohort: Cohort, name: str) -> None:
    with pytest.raises(UnsafeIdentifier):
        cohort.ingests.append([IngestedSubject("ok"), IngestedSubject(name)], {})
    assert cohort.ingests.newest() is None


@pytest.mark.parametrize("name", ["sub-01_ses-02", "50184", "Müller 3", "SDSU_0050184", "a.b"])
def test_ordinary_ids_are_kept_as_they_are(cohort: Cohort, name: str) -> None:
    cohort.ingests.append([IngestedSubject(name)], {})
    assert cohort.subjects == [name]


def test_ids_that_differ_in_case_only_are_refused(cohort: Cohort) -> None:
    with pytest.raises(UnsafeIdentifier, match="differ in case only"):
        cohort.ingests.append([IngestedSubject("Sub-01"), IngestedSubject("sub-01")], {})


def test_a_newcomer_may_not_clash_with_one_who_left(cohort: Cohort) -> None:
    cohort.ingests.append([IngestedSubject("Sub-01"), IngestedSubject("x")], {})
    cohort.ingests.append([IngestedSubject("x")], {})
    with pytest.raises(UnsafeIdentifier, match="differ in case only"):
        cohort.ingests.append([IngestedSubject("x"), IngestedSubject("sub-01")], {})


def test_an_id_that_comes_twice_is_refused(cohort: Cohort) -> None:
    with pytest.raises(ParticipantDuplicate, match="'a' comes twice"):
        cohort.ingests.append(
            [IngestedSubject("a"), IngestedSubject("b"), IngestedSubject("a")], {}
        )
