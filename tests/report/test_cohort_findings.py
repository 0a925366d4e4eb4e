"""The cohort's page: who stands out and why, what failures have in common, when nothing is."""

from __future__ import annotations

import itertools
import json
from math import comb
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.cohort.ingests import IngestedEntry, IngestedSubject
from cohortflow.report.clusters import in_common
from cohortflow.report.cohort_known import CohortKnown, numbers_in, traits_of
from cohortflow.report.cohort_page import render_cohort_page
from tests.report.pages import text_of
from tests.report.test_cohort_page import CREATED, roster, status, unit

TILTED = {"code": "gantry-tilt", "message": "tilted", "hint": ""}


def known(count: int, sites: str = "ABCD", **more: Any) -> CohortKnown:
    traits = {
        f"sub-{n:02d}": {
            "site": sites[n % len(sites)],
            "scanner": sites[n % len(sites)].lower(),
            "id": str(n) * 9,
        }
        for n in range(1, count + 1)
    }
    return CohortKnown(traits=traits, **more)


def page(count: int, failed: list[int], **more: Any) -> str:
    units = [
        unit("one", f"sub-{n:02d}", "failed", error=TILTED)
        if n in failed
        else unit("one", f"sub-{n:02d}")
        for n in range(1, count + 1)
    ]
    cause = {"step": "one", "state": "failed", "code": "gantry-tilt", "units": len(failed),
             "hint": "", "message": "tilted", "subjects": [], "replay": ""}  # fmt: skip
    told = status(units, subjects=count, failures=[cause] if failed else [])
    return text_of(render_cohort_page(told, CREATED, known(count, **more)))


def test_all_of_one_site_shows() -> None:
    of_b = [n for n in range(1, 49) if n % 4 == 1]
    told = page(48, of_b)
    assert "gantry-tilt scanner b; site B all 12 100.0 % 0 / 36 &lt; 0.0001" in told


def test_failures_here_and_there_have_nothing_in_common() -> None:
    told = page(48, [1, 2, 3, 4, 8, 15])
    assert "Failures of no cause gather in a site" in told


def test_nothing_failed() -> None:
    assert "Nothing failed" in page(8, [])


@given(st.integers(6, 30), st.data())
def test_chance_is_the_share_of_draws_with_as_many(count: int, data: Any) -> None:
    """Against counting: of all ways in which as many could have failed."""
    members = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=count - 1))
    failed = data.draw(st.sets(st.integers(0, count - 1), min_size=3, max_size=count))
    everyone = {f"s{n}": {"site": "A" if n in members else "B"} for n in range(count)}
    for one in in_common([f"s{n}" for n in failed], everyone):
        inside = one.of
        tail = sum(
            comb(inside, k) * comb(count - inside, len(failed) - k)
            for k in range(one.inside, min(inside, len(failed)) + 1)
        )
        assert one.chance == pytest.approx(2 * tail / comb(count, len(failed)), rel=1e-6)
        assert one.inside + one.others == len(failed)
        assert one.of + one.beside == count


def test_who_was_never_tried_is_no_part_of_it() -> None:
    everyone = {f"s{n}": {"site": "A" if n < 5 else "B"} for n in range(30)}
    (found,) = in_common([*(f"s{n}" for n in range(5)), "stranger"], everyone)
    assert (found.trait, found.inside, found.of, found.others) == ("site A", 5, 5, 0)


def line(score: float, reason: str, flagged: int = 0) -> dict[str, Any]:
    return {"score": score, "reason": reason, "flagged": flagged}


def outliers(count: int, **more: Any) -> str:
    told = status([unit("one", f"sub-{n:02d}") for n in range(1, count + 1)], subjects=count)
    return render_cohort_page(told, CREATED, known(count, **more))


def test_outliers_of_all_pipelines_come_first_and_lead_to_their_pages() -> None:
    lines = {
        "organs": {
            "sub-01": line(0.0, "dice of liver: missed", flagged=1),
            "sub-02": line(4.0, "dice of liver 0.2, the median 0.9"),
            "sub-03": line(1.0, "dice of liver 0.8, the median 0.9"),
        },
        "looks": {"sub-02": line(9.5, "mean 800, the median 40"), "sub-09": line(8.0, "gone")},
    }
    numbers = {f"sub-{n:02d}": {"spacing": 1.0 + (4 if n == 5 else n / 1000)} for n in range(1, 9)}
    html = outliers(8, lines=lines, numbers=numbers)
    told = text_of(html)
    assert "3 of 8 subjects stand out" in told, "sub-09 is no subject of today"
    first = told.index("dice of liver: missed missed, invented or failed organs")
    second = told.index("sub-05"), told.index("sub-02 9.5 mean 800, the median 40")
    assert first < min(second)
    assert "when it was taken in" in told
    assert 'href="organs/subjects/sub-01.html">sub-01</a>' in html
    assert 'href="looks/subjects/sub-02.html">sub-02</a>' in html
    data = roster(html)
    assert data["pages"] == ["organs/subjects/", "looks/subjects/"]
    assert data["within"] == "000-----"
    assert '<a href="organs/subjects.html">Subjects of organs</a>' not in html, "it did not run"


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "The cohort has no subject: nobody can stand out."),
        (1, "1 subject has numbers: outliers are not sought among fewer than 5."),
        (4, "4 subjects have numbers: outliers are not sought among fewer than 5."),
        (6, "Nobody of 6 subjects stands more than 3.5"),
    ],
)
def test_a_cohort_in_which_nobody_stands_out(count: int, told: str) -> None:
    numbers = {f"sub-{n:02d}": {"spacing": 1.0} for n in range(1, count + 1)}
    assert told in text_of(outliers(count, numbers=numbers))


def test_without_numbers_it_says_so() -> None:
    assert "No number of any subject is known" in text_of(outliers(8))


def test_traits_and_numbers_of_a_subject() -> None:
    facts = {"modality": "CT", "spacing_mm": [3.0, 0.75, 0.75], "shape": [60, 64, 64], "tr_s": None}
    entry = IngestedEntry("image", "volume", "image", "k", facts)
    subject = IngestedSubject("s1", columns={"site": "B", "age": None}, entries={"image": entry})
    assert traits_of(subject) == {
        "site": "B",
        "modality of image": "CT",
        "spacing of image": "3 × 0.75 × 0.75",
        "shape of image": "60 × 64 × 64",
    }
    assert numbers_in(subject)["spacing of image along z (mm)"] == 3.0
    assert json.dumps(traits_of(subject)), "texts alone"


def test_traits_that_tell_nobody_apart_are_not_looked_at() -> None:
    everyone = {f"s{n}": {"id": str(n), "all": "alike"} for n in range(120)}
    assert in_common([f"s{n}" for n in range(10)], everyone) == []
    pairs = itertools.pairwise(
        in_common(
            [f"s{n}" for n in range(9)],
            {f"s{n}": {"site": str(n // 9), "odd": str(n % 2)} for n in range(36)},
        )
    )
    assert all(a.chance <= b.chance for a, b in pairs)
