"""Whose a file is: every rule, prefixes that must not cut a number, unusable ids."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from cohortflow.errors import BadParameter, UnsafeIdentifier
from cohortflow.sources.roi_series import SUFFIXES
from cohortflow.sources.subject_id import (
    bids_label,
    check_identifier,
    check_rule,
    fold,
    identify,
    longest_prefix,
)


def subject(path: str, rule: str | None = None, known: tuple[str, ...] = ()) -> str:
    return identify(PurePath(path), (*SUFFIXES, ".nii.gz"), rule, known).subject


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("sub-01_task-rest_bold.1D", "sub-01"),
        ("sub-01_ses-02_task-rest.1D.gz", "sub-01_ses-02"),
        ("sub-01/ses-02/func/rest.1D", "sub-01_ses-02"),
        ("site/sub-01/rest.1D", "sub-01"),
        ("patient7/day1/rest.1D", "patient7"),
        ("NYU_0050952_rois_cc200.1D.gz", "NYU_0050952_rois_cc200"),
        ("a.b.1D", "a.b"),
        ("Müller 3.csv", "Müller 3"),
    ],
)
def test_label_else_folder_else_name(path: str, expected: str) -> None:
    assert subject(path) == expected


def test_rules_by_name() -> None:
    path = "siteA/sub-01_ses-02_bold.1D"
    assert subject(path, "name") == "sub-01_ses-02_bold"
    assert subject(path, "folder") == "siteA"
    assert subject(path, "bids") == "sub-01_ses-02"
    assert subject("siteA/x_0012_y.1D", r"regex:_(\d+)_") == "0012"
    assert identify(PurePath(path), SUFFIXES, "name").patient == "sub-01"


@pytest.mark.parametrize(
    ("path", "rule"), [("a.1D", "folder"), ("a.1D", "bids"), ("a.1D", r"regex:(\d+)")]
)
def test_a_rule_that_does_not_fit_a_file_refuses_it_without_its_name(path: str, rule: str) -> None:
    with pytest.raises(UnsafeIdentifier, match=r"^file-[0-9a-f]{16}: "):
        subject(path, rule)


@pytest.mark.parametrize("rule", ["nmae", "regex:(", "regex:abc", "regex:(a)(b)", ""])
def test_rules_that_are_none(rule: str) -> None:
    with pytest.raises(BadParameter):
        check_rule(rule)


def test_the_longest_id_of_the_table_that_begins_the_name_is_taken_and_said() -> None:
    found = identify(
        PurePath("NYU_0050952_rois.1D"), SUFFIXES, None, ("NYU", "NYU_0050952", "NYU_00")
    )
    assert (found.subject, found.patient, found.from_table) == ("NYU_0050952", "NYU_0050952", True)
    exact = identify(PurePath("S1.1D"), SUFFIXES, None, ("S1", "S"))
    assert (exact.subject, exact.from_table) == ("S1", False)
    assert subject("NYU/NYU_0050952_rois.1D", None, ("NYU_0050952",)) == "NYU_0050952"
    assert subject("S1_day2/rest.1D", None, ("S1",)) == "S1"


@pytest.mark.parametrize("name", ["S10_rest", "S1", "S", "xS1", "control1"])
def test_a_prefix_never_cuts_a_number_or_a_word(name: str) -> None:
    expected = {"S1": "S1"}.get(name)
    assert longest_prefix(name, {"S1", "con", "control"} - {"control"}) == expected


def test_bids_subjects_keep_their_session_whatever_the_table_lists() -> None:
    assert subject("sub-01_ses-02_bold.1D", None, ("sub-01",)) == "sub-01_ses-02"
    assert bids_label(PurePath("my-sub-01.1D")) is None


@pytest.mark.parametrize(
    "name", ["", " ", "..", ".hidden", "-rf", "a/b", "a\\b", "a@b", "a\nb", "a:b", "x" * 101, "a."]
)
def test_ids_that_cannot_be_folders_are_refused_without_being_repeated(name: str) -> None:
    with pytest.raises(UnsafeIdentifier) as caught:
        check_identifier(name)
    assert not name.strip() or len(name) < 3 or name not in str(caught.value)


def test_ids_that_differ_in_case_or_form_only_are_one_folder_somewhere() -> None:
    assert fold("S01") == fold("s01")
    assert fold("Mu\u0308ller") == fold("M\u00fcller")
    assert subject("Mu\u0308ller.1D") == "M\u00fcller"
