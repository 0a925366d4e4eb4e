"""Splits from participants columns: no patient in two parts, strata balanced,
order of no matter."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.cohort.ingests import IngestedSubject
from cohortflow.errors import PipelineError, UnknownName
from cohortflow.pipeline.model import Split
from cohortflow.pipeline.splits import Assignment, assign
from tests.pipeline.world import scan

PARTS = ("train", "validation", "test")


def people(*rows: IngestedSubject) -> dict[str, IngestedSubject]:
    for row in rows:
        row.patient = row.patient or row.id
    return {row.id: row for row in rows}


def many(n: int, visits: int = 1, **columns: Any) -> dict[str, IngestedSubject]:
    return people(
        *(
            scan(f"p{i:02d}-{v}", patient=f"p{i:02d}", **{k: c(i, v) for k, c in columns.items()})
            for i in range(n)
            for v in range(visits)
        )
    )


def group(i: int, v: int) -> str:
    return "MCI" if i % 3 == 0 else "HC"


def parts_by_fold(assignment: Assignment) -> list[dict[str, frozenset[str]]]:
    return [
        {part: assignment.part(part, fold) for part in PARTS}
        for fold in assignment.folds or (None,)
    ]


@given(
    st.integers(2, 40),
    st.integers(1, 3),
    st.integers(2, 6),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.integers(0, 5),
)
def test_folds_part_all_subjects_and_tear_no_patient(
    n: int, visits: int, folds: int, validation: float, seed: int
) -> None:
    subjects = many(n, visits, group=group)
    split = Split("cv", folds=folds, validation=validation, stratify=("group",), seed=seed)
    if n < folds:
        with pytest.raises(PipelineError, match="cannot be made"):
            assign(split, subjects, "")
        return
    assignment = assign(split, subjects, "")
    tested: Counter[str] = Counter()
    for parts in parts_by_fold(assignment):
        assert frozenset.union(*parts.values()) == set(subjects)
        owners = [{subjects[s].patient for s in parts[part]} for part in PARTS]
        assert sum(map(len, owners)) == n, "a patient stands in two parts"
        tested.update(parts["test"])
    assert tested == Counter(dict.fromkeys(subjects, 1)), "each subject is tested once"


def test_strata_are_balanced_over_folds() -> None:
    subjects = many(30, group=group)
    assignment = assign(Split("cv", folds=5, stratify=("group",)), subjects, "")
    for parts in parts_by_fold(assignment):
        found = Counter(subjects[s].columns["group"] for s in parts["test"])
        assert found == {"MCI": 2, "HC": 4}


def test_a_test_share_is_taken_from_each_stratum() -> None:
    subjects = many(20, group=lambda i, v: "MCI" if i < 5 else "HC")
    split = Split("paper", test=0.2, validation=0.2, stratify=("group",))
    (parts,) = parts_by_fold(assign(split, subjects, ""))
    counts = {p: Counter(subjects[s].columns["group"] for s in parts[p]) for p in PARTS}
    assert counts["test"] == counts["validation"] == {"MCI": 1, "HC": 3}
    assert counts["train"] == {"MCI": 3, "HC": 9}


def test_a_split_depends_on_its_seed_and_name_and_not_on_the_order_of_subjects() -> None:
    subjects = many(24)
    backwards = dict(reversed(subjects.items()))
    split = Split("cv", folds=4)
    first = assign(split, subjects, "")
    assert assign(split, backwards, "") == first
    assert assign(Split("cv", folds=4, seed=1), subjects, "") != first
    assert assign(Split("other", folds=4), subjects, "") != first


def test_the_stratum_of_a_patient_does_not_depend_on_the_order_of_visits() -> None:
    subjects = many(12, visits=2, group=lambda i, v: "HC" if v or i % 2 else "MCI")
    backwards = dict(reversed(subjects.items()))
    split = Split("cv", folds=3, stratify=("group",))
    assert assign(split, backwards, "") == assign(split, subjects, "")


def test_by_groups_by_any_column() -> None:
    subjects = many(12, family=lambda i, v: f"f{i // 4}")
    assignment = assign(Split("cv", folds=3, by="family"), subjects, "")
    for parts in parts_by_fold(assignment):
        assert len({subjects[s].columns["family"] for s in parts["test"]}) == 1


def test_subjects_without_a_group_stand_alone() -> None:
    subjects = many(12, family=lambda i, v: "f" if i < 2 else None)
    assignment = assign(Split("cv", folds=11, by="family"), subjects, "")
    sizes = sorted(len(parts["test"]) for parts in parts_by_fold(assignment))
    assert sizes == [1] * 10 + [2]


def test_folds_each_leaves_one_site_out() -> None:
    subjects = many(9, site=lambda i, v: f"site{i % 3}")
    assignment = assign(Split("loso", folds="each", column="site"), subjects, "")
    assert assignment.folds == ("site0", "site1", "site2")
    for fold, parts in zip(assignment.folds, parts_by_fold(assignment), strict=True):
        assert {subjects[s].columns["site"] for s in parts["test"]} == {fold}
        assert parts["train"] == set(subjects) - parts["test"]


def test_a_patient_seen_at_two_sites_is_not_trained_on_where_tested() -> None:
    subjects = many(4, visits=2, site=lambda i, v: "A" if (i, v) in {(0, 0), (1, 0)} else "B")
    assignment = assign(Split("loso", folds="each", column="site"), subjects, "")
    assert assignment.part("test", "A") == {"p00-0", "p01-0"}
    assert assignment.part("train", "A") == {"p02-0", "p02-1", "p03-0", "p03-1"}
    by_subject = assign(Split("loso", folds="each", column="site", by="subject"), subjects, "")
    assert "p00-1" in by_subject.part("train", "A")


def test_a_published_split() -> None:
    subjects = many(6, subset=lambda i, v: ("train", "test", "validation", None)[i % 4])
    (parts,) = parts_by_fold(assign(Split("paper", column="subset"), subjects, ""))
    assert parts["train"] == {"p00-0", "p04-0"}
    assert parts["test"] == {"p01-0", "p05-0"}
    assert parts["validation"] == {"p02-0"}


def test_a_published_split_of_strange_words() -> None:
    subjects = many(3, subset=lambda i, v: "trian")
    with pytest.raises(PipelineError, match=r"\['trian'\].*expected train, test or validation"):
        assign(Split("paper", column="subset"), subjects, "")


@pytest.mark.parametrize(
    "split",
    [
        Split("cv", folds=2, by="famly"),
        Split("cv", folds=2, stratify=("famly",)),
        Split("cv", folds="each", column="famly"),
        Split("cv", column="famly"),
    ],
)
def test_an_unknown_column_names_the_nearest(split: Split) -> None:
    subjects = many(4, family=lambda i, v: "train")
    with pytest.raises(UnknownName, match="Did you mean 'family'"):
        assign(split, subjects, "")
