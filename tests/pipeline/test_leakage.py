"""No patient, group or recording on both sides of a split, and none scored that was seen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.errors import Leakage, PipelineError, SeenSubject
from cohortflow.pipeline.leakage import refuse_leakage, refuse_torn, same_recording, twins
from cohortflow.pipeline.model import Split
from cohortflow.pipeline.splits import Assignment, Subjects, assign
from tests.pipeline.test_splits import PARTS, many, parts_by_fold, people
from tests.pipeline.world import World, scan, scans, who

PUBLISHED = """
inputs: {image: volume, label: label_map}
splits: {paper: {column: subset%s}}
steps:
  - learn: {where: {split: paper/train}}
  - segment: {where: {split: paper/test}}
  - score: {reads: {prediction: segment, reference: label}}
"""


def checked(split: Split, subjects: Subjects) -> Assignment:
    assignment = assign(split, subjects, "")
    refuse_leakage(split, assignment, subjects, "")
    return assignment


def copies(subject: str, *recordings: str, **columns: Any) -> IngestedSubject:
    one = scan(subject, **columns)
    one.source = {"digest": f"all of {subject}", "recordings": list(recordings)}
    return one


def test_a_published_split_that_tears_patients_is_refused_by_number() -> None:
    subjects = many(5, visits=2, subset=lambda i, v: "train" if v or i > 1 else "test")
    with pytest.raises(Leakage, match=r"2 groups by 'patient' in split 'paper' of 5") as caught:
        checked(Split("paper", column="subset"), subjects)
    assert "p00" not in str(caught.value), "the error names nobody"
    assert "test and train" in str(caught.value)
    (parts,) = parts_by_fold(checked(Split("paper", column="subset", by="subject"), subjects))
    assert parts["test"] == {"p00-0", "p01-0"}


def test_folds_by_site_may_not_tear_a_patient_who_was_at_two() -> None:
    subjects = many(6, visits=2, site=lambda i, v: f"site{(i + (v if i == 0 else 0)) % 3}")
    with pytest.raises(Leakage, match=r"1 patients in split 'cv', fold"):
        checked(Split("cv", folds=3, by="site"), subjects)
    checked(Split("cv", folds=3, by="site"), many(6, visits=2, site=lambda i, v: f"s{i % 3}"))
    checked(Split("cv", folds=3), subjects)


def test_one_site_left_out_by_family_may_not_tear_a_patient() -> None:
    subjects = many(4, visits=2, site=lambda i, v: "AB"[v], family=lambda i, v: f"f{i}-{v}")
    with pytest.raises(Leakage, match="4 patients in split 'loso', fold 'A'"):
        checked(Split("loso", folds="each", column="site", by="family"), subjects)
    kept = checked(Split("loso", folds="each", column="site"), subjects)
    assert kept.part("train", "A") == frozenset(), "held back, as their patient is tested"


@given(st.integers(4, 20), st.integers(1, 3), st.integers(2, 4), st.integers(0, 9))
def test_a_split_that_is_made_by_patient_never_leaks(
    n: int, visits: int, folds: int, seed: int
) -> None:
    subjects = many(n, visits=visits, site=lambda i, v: f"s{(i + v) % 3}")
    checked(Split("cv", folds=folds, validation=0.2, seed=seed), subjects)
    checked(Split("paper", test=0.3, validation=0.2, seed=seed), subjects)
    checked(Split("loso", folds="each", column="site", seed=seed), subjects)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(PARTS)), max_size=9))
def test_what_is_torn_against_its_definition(rows: Any) -> None:
    parts = {str(i): part for i, (_, part) in enumerate(rows)}
    groups = {str(i): group for i, (group, _) in enumerate(rows)}
    torn = [g for g in "abc" if len({part for group, part in rows if group == g}) > 1]
    if not torn:
        refuse_torn(parts, groups, what="patients")
        return
    with pytest.raises(Leakage, match=f"^{len(torn)} patients of {len(set(groups.values()))} "):
        refuse_torn(parts, groups, what="patients")


def test_the_same_recording_under_two_ids_is_found_through_any_of_its_files() -> None:
    subjects = people(
        copies("a", "x"), copies("b", "x", "y"), copies("c", "y"), copies("d", "z"), scan("e")
    )
    assert same_recording(subjects) == {"a": "a", "b": "a", "c": "a"}
    assert twins(subjects)["b"] == {"a", "c"}
    assert set(twins(subjects)) == {"a", "b", "c"}
    late = people(copies("a", "x"), copies("b", "y"), copies("c", "x", "z"), copies("d", "y", "z"))
    assert same_recording(late) == dict.fromkeys("abcd", "a"), "two groups that meet at the end"


def test_series_are_compared_by_the_digest_of_all_their_files() -> None:
    one, other, third = scan("a"), scan("b"), scan("c")
    one.source = other.source = {"digest": "x", "bytes": 5}
    third.source = {"digest": "y", "bytes": 5}
    assert set(twins(people(one, other, third))) == {"a", "b"}


def test_equal_label_maps_are_no_equal_recordings() -> None:
    subjects = people(copies("a"), copies("b"))
    for subject in subjects.values():
        subject.source["digest"] = "same"
    assert twins(subjects) == {}


def test_copies_on_both_sides_are_refused_also_by_subject() -> None:
    subjects = people(
        copies("a", "x", subset="train"),
        copies("b", "x", subset="test"),
        copies("c", "z", subset="test"),
    )
    for by in ("patient", "subject"):
        with pytest.raises(Leakage, match="1 recordings under several ids"):
            checked(Split("paper", column="subset", by=by), subjects)
    subjects["b"].patient = "a"
    checked(Split("cv", folds=2), subjects)


def test_the_plan_refuses_a_split_that_leaks() -> None:
    subjects = [
        scan("a1", patient="a", subset="train"),
        scan("a2", patient="a", subset="test"),
        scan("b", subset="test"),
    ]
    with pytest.raises(Leakage, match="1 groups by 'patient'") as caught:
        World(PUBLISHED % "", subjects).plan()
    assert isinstance(caught.value, PipelineError)
    assert caught.value.exit_code == 2
    # Where somebody says that patients may be torn, no score of the torn one is given all the same.
    with pytest.raises(SeenSubject, match="'a2'"):
        World(PUBLISHED % ", by: subject", subjects).plan()


def test_a_copy_of_a_seen_recording_is_seen() -> None:
    text = """
inputs: {image: volume, label: label_map}
steps:
  - learn: {where: {column: {site: A}}}
  - segment: {where: %s}
  - score: {reads: {prediction: segment, reference: label}}
"""
    subjects = [copies("a", "x", site="A"), copies("b", "x", site="B"), *scans(2, site="B")]
    with pytest.raises(SeenSubject, match="'b'"):
        World(text % "{column: {site: B}}", subjects).plan()
    plan = World(text % "{unseen_by: learn}", subjects).plan()
    assert who(plan, "score") == {"sub-01", "sub-02"}
