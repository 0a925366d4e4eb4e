"""Ratings: files nobody vouches for, kept once, superseded, never written over, forgotten."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohortflow.cohort import maintenance
from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.gc import DAY_S
from cohortflow.cohort.ratings import MOST_BYTES, all_ratings, current, read_ratings, store_ratings
from cohortflow.errors import BadRatings, EntryCorrupt, TooLarge
from tests.cohort import samples

NOW = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.UTC)
PERSON = "Müller^Änne"


@pytest.fixture
def rated(cohort: Cohort) -> Cohort:
    """A cohort on which a pipeline has run."""
    samples.ingest(cohort, "ann-1", "bob-1", "eve-1", patients={"ann-1": "ann"})
    cohort.indexes("organs").begin({"run": "r", "keys": []}).finish({})
    return cohort


def line(subject: str, verdict: str = "pass", at: str = "10:00", **more: Any) -> dict[str, Any]:
    return {"subject": subject, "verdict": verdict, "rated": f"2026-03-02T{at}:00Z", **more}


def document(cohort: Cohort, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {"schema": 1, "kind": "cohortflow ratings", "cohort": cohort.id, "pipeline": "organs"}
    return {**told, "rater": "r1", "ratings": list(lines), **more}


def store(cohort: Cohort, *lines: dict[str, Any], **more: Any) -> Any:
    data = json.dumps(document(cohort, *lines, **more)).encode()
    return store_ratings(cohort, data, now=NOW)


def verdicts(cohort: Cohort) -> dict[tuple[str, str], str]:
    return {(r.rater, r.subject): r.verdict for r in current(all_ratings(cohort, "organs"))}


def test_kept_once_however_often_and_however_written(rated: Cohort) -> None:
    assert store(rated, line("ann-1"), line("bob-1", "fail")).new
    again = document(rated, line("bob-1", "fail"), line("ann-1"))
    text = json.dumps(again, indent=7).replace("10:00:00Z", "11:00:00+01:00")
    assert not store_ratings(rated, text.encode(), now=NOW).new
    assert len(all_ratings(rated)) == 2


def test_two_raters_stand_side_by_side_and_the_later_word_of_one_holds(rated: Cohort) -> None:
    store(rated, line("ann-1", "fail", "10:00"))
    store(rated, line("ann-1", "doubtful", "10:30"), rater="r2")
    later = store(rated, line("ann-1", "pass", "11:00"))
    assert later.superseded == 1
    earlier = store(rated, line("ann-1", "doubtful", "09:00", comment="found on another machine"))
    assert earlier.superseded == 0
    assert verdicts(rated) == {("r1", "ann-1"): "pass", ("r2", "ann-1"): "doubtful"}
    assert [r.verdict for r in all_ratings(rated) if r.rater == "r1"] == [
        "doubtful",
        "fail",
        "pass",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"schema": 2},
        {"schema": "1"},
        {"kind": "ratings"},
        {"cohort": "another"},
        {"pipeline": "never-ran"},
        {"pipeline": "../organs"},
        {"rater": PERSON},
        {"rater": "Anna"},
        {"rater": "r"},
        {"rater": "r1\n"},
        {"rater": "x" * 16 + "1"},
        {"ratings": []},
        {"ratings": None},
        {"extra": PERSON},
        {PERSON: 1},
        {"ratings": [line("ann-1"), line("ann-1", "fail")]},
        {"ratings": [line("ann-1", "good")]},
        {"ratings": [line("ann-1", PERSON)]},
        {"ratings": [line("ann-1", comment="x" * 501)]},
        {"ratings": [line("ann-1", comment="\x1b[2J")]},
        {"ratings": [line("ann-1", comment="\x9b2J")]},
        {"ratings": [line("ann-1", comment="\u202eliaf")]},
        {"ratings": [line("ann-1", page="../../x")]},
        {"ratings": [line("ann-1", extra=PERSON)]},
        {"ratings": [{"subject": "ann-1", "verdict": "pass"}]},
        {"ratings": [{**line("ann-1"), "rated": "2026-03-02T10:00:00"}]},
        {"ratings": [{**line("ann-1"), "rated": "2036-03-02T10:00:00Z"}]},
        {"ratings": [{**line("ann-1"), "rated": "soon"}]},
        {"ratings": [{**line("ann-1"), "rated": "0001-01-01T00:00:00+14:00"}]},
        {"ratings": [line(PERSON)]},
        {"ratings": [line("x" * 201)]},
        {"ratings": [line("")]},
        {"ratings": [7]},
        {"ratings": {"0": line("ann-1")}},
    ],
)
def test_what_is_no_rating_is_refused_and_never_repeated(
    rated: Cohort, changed: dict[str, Any]
) -> None:
    whole = {**document(rated, line("ann-1")), **changed}
    with pytest.raises(BadRatings) as refused:
        store_ratings(rated, json.dumps(whole).encode(), now=NOW)
    assert PERSON not in json.dumps(refused.value.to_json(), ensure_ascii=False)
    assert refused.value.where.startswith("the ratings")
    assert all_ratings(rated) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b'{"schema": NaN}', b'"' + b"x" * 99],
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(BadRatings):
        read_ratings(data)


@pytest.mark.parametrize("name", ["verdict", "rater"])
def test_a_member_that_stands_twice_is_refused(rated: Cohort, name: str) -> None:
    text = json.dumps(document(rated, line("ann-1")))
    with pytest.raises(BadRatings):
        read_ratings(text.replace(f'"{name}": ', f'"{name}": "r2", "{name}": ').encode())


def test_too_much_is_refused_unread() -> None:
    with pytest.raises(TooLarge):
        read_ratings(b" " * (MOST_BYTES + 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON, st.sampled_from(["schema", "rater", "ratings", "verdict", "rated", "comment"]))
def test_any_other_content_is_refused_by_name(rated: Cohort, value: Any, member: str) -> None:
    whole = document(rated, line("ann-1"))
    (whole if member in whole else whole["ratings"][0])[member] = value
    with contextlib.suppress(BadRatings):  # and nothing else
        store_ratings(rated, json.dumps(whole).encode(), now=NOW)


def test_lines_of_subjects_that_are_not_here_are_left_out_when_asked(rated: Cohort) -> None:
    whole = document(rated, line("ann-1"), line("gone-1"))
    data = json.dumps(whole).encode()
    with pytest.raises(BadRatings, match="1 of 2 ratings"):
        store_ratings(rated, data, now=NOW)
    assert store_ratings(rated, data, leave_out_unknown=True, now=NOW).left_out == 1
    assert verdicts(rated) == {("r1", "ann-1"): "pass"}


def test_gc_keeps_them_and_fsck_knows_them(rated: Cohort) -> None:
    store(rated, line("ann-1"))
    for days in (0, 2, 4):
        at = 1_700_000_000 + days * DAY_S
        gone = maintenance.gc(rated, now=lambda at=at: at).deleted  # type: ignore[misc]
        assert not any("ratings" in path for path in gone)
    assert verdicts(rated) == {("r1", "ann-1"): "pass"}
    assert maintenance.fsck(rated, deep=True) == []


def test_forgetting_takes_ones_lines_and_leaves_the_others(rated: Cohort) -> None:
    store(rated, line("ann-1", "fail"), line("bob-1", comment="as dark as ann-1"))
    store(rated, line("ann-1", "fail", "11:00"), rater="r2")
    store(rated, line("eve-1"), rater="r3")
    result = maintenance.forget(rated, "ann")
    assert verdicts(rated) == {("r1", "bob-1"): "pass", ("r3", "eve-1"): "pass"}
    assert not any("ratings" in path for path in result.pending)
    for path, _ in rated.storage.walk("cohort"):
        assert b"ann-1" not in rated.storage.read(path)
    assert maintenance.fsck(rated, deep=True) == []
    with pytest.raises(BadRatings):
        store(rated, line("ann-1", at="11:30"))


def test_ratings_that_were_changed_are_not_believed(rated: Cohort) -> None:
    store(rated, line("ann-1", "fail"))
    (path,) = [p for p, _ in rated.storage.walk("cohort") if p.endswith("ratings.json")]
    rated.storage.write(path, rated.storage.read(path).replace(b'"fail"', b'"pass"'))
    with pytest.raises(EntryCorrupt):
        all_ratings(rated)


def test_ratings_that_are_not_those_of_their_key_are_not_believed(rated: Cohort) -> None:
    """Changed in the file and in the record of the file: the address still tells."""
    store(rated, line("ann-1", "fail"))
    (path,) = [p for p, _ in rated.storage.walk("cohort") if p.endswith("ratings.json")]
    (record,) = [p for p, _ in rated.storage.walk("cohort") if p.endswith("entry.json")]
    before = rated.storage.read(path)
    after = before.replace(b'"fail"', b'"pass"')
    rated.storage.write(path, after)
    old, new = (hashlib.sha256(data).hexdigest().encode() for data in (before, after))
    said = rated.storage.read(record)
    assert said.index(b'"files"') < said.index(old) < said.index(b'"key"')
    rated.storage.write(record, said.replace(old, new, 1))
    with pytest.raises(EntryCorrupt, match="what their key says"):
        all_ratings(rated)


def pages(cohort: Cohort, *subjects: str) -> None:
    for subject in subjects:
        cohort.storage.write(f"reports/organs/subjects/{subject}.html", b"a page")
    cohort.storage.write("reports/organs/subjects.html", b"all of them")
    cohort.storage.write("reports/organs/subjects/pages.json.gz", b'{"subjects": {"bob-1": {}}}')


def test_forgetting_takes_the_pages_of_all_as_they_show_everybodys_numbers(rated: Cohort) -> None:
    pages(rated, "ann-1", "bob-1")
    rated.storage.write("reports/organs/000001/report.json", b'"ann-1"')
    rated.storage.write("reports/organs/000001/report.html", b"only the first rows")
    maintenance.forget(rated, "ann-1")
    assert rated.storage.list("reports/organs") == []
    pages(rated, "eve-1")
    maintenance.forget(rated, "bob-1")
    assert rated.storage.list("reports/organs") == [], "the ledger names one whose page is gone"


def test_forgetting_leaves_the_pages_of_a_pipeline_that_never_saw_them(rated: Cohort) -> None:
    pages(rated, "bob-1")
    maintenance.forget(rated, "eve-1")
    assert rated.storage.exists("reports/organs/subjects/bob-1.html")


def test_gc_takes_pages_of_nobody(rated: Cohort) -> None:
    pages(rated, "bob-1", "left-1")
    rated.storage.write("reports/removed/subjects/bob-1.html", b"of a pipeline without an index")
    for days in (0, 2):
        at = 1_700_000_000 + days * DAY_S
        maintenance.gc(rated, now=lambda at=at: at)  # type: ignore[misc]
    assert rated.storage.list("reports/organs/subjects") == ["bob-1.html", "pages.json.gz"]
    assert rated.storage.list("reports") == ["organs"]
