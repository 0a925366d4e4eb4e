"""Places and gains: what must hold of them, whatever is printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.evaluation.published import gains, published_paper, ranks, row_ranks
from cohortflow.evaluation.published.obtained import place_among
from tests.evaluation.published.made import FILE, made, paper_of

VALUES = st.lists(st.none() | st.integers(0, 12).map(float), min_size=1, max_size=9)
PRINTED = st.lists(st.integers(0, 1000), min_size=2, max_size=6)


def test_ties_share_and_the_next_place_is_skipped() -> None:
    assert ranks([3.0, 5.0, None, 5.0, 1.0], "higher") == [3, 1, None, 1, 4]
    assert ranks([3.0, 5.0, None, 5.0, 1.0], "lower") == [2, 3, None, 3, 1]
    assert ranks([3.0, 5.0], "none") == [None, None]


@given(VALUES, st.randoms())
def test_places_do_not_depend_on_the_order_of_rows(values: list[float | None], random) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    places = ranks(values, "higher")
    assert ranks([values[i] for i in order], "higher") == [places[i] for i in order]


@given(VALUES)
def test_a_worse_method_changes_no_place(values: list[float | None]) -> None:
    assert ranks([*values, -1.0], "higher")[:-1] == ranks(values, "higher")
    assert ranks([*values, 99.0], "lower")[:-1] == ranks(values, "lower")


@given(VALUES)
def test_direction_reversed_is_the_mirror(values: list[float | None]) -> None:
    mirrored = [None if value is None else -value for value in values]
    assert ranks(mirrored, "lower") == ranks(values, "higher")
    forth, back = ranks(values, "higher"), ranks(values, "lower")
    known = [value for value in values if value is not None]
    for value, one, other in zip(values, forth, back, strict=True):
        if one is not None and other is not None:
            assert one + other == len(known) + 2 - known.count(value)  # type: ignore[arg-type]


@given(PRINTED)
def test_gain_is_the_difference_and_its_digits_tell_it_or_not(tenths: list[int]) -> None:
    *others, ours = tenths
    (gain,) = gains(paper_of({"A": [f"{n / 10:.1f}" for n in tenths]}).tables[0])
    exact = ours - max(others)
    assert gain.value == exact / 10
    assert gain.half_width == 0.1
    assert gain.told == (abs(exact) > 1)
    assert gain.relative == (pytest.approx(exact / max(others)) if max(others) else None)
    assert gain.over == f"m{others.index(max(others))}"


def test_a_gain_smaller_than_the_digits_can_tell_is_said_so() -> None:
    (gain,) = gains(paper_of({"A": ["80.1", "80.2"]}).tables[0])
    assert (gain.value, gain.told) == (0.1, False)
    (gain,) = gains(paper_of({"A": ["80.10", "80.20"]}).tables[0])
    assert (gain.value, gain.half_width, gain.told) == (0.1, 0.01, True)


def test_lower_is_better_gains_above_zero() -> None:
    percent = {"unit": "mm", "better": "lower", "why": "made"}
    (gain,) = gains(paper_of({"A": ["4.0", "3.0"]}, metrics={"A": percent}).tables[0])
    assert (gain.value, gain.relative) == (1.0, 0.25)


def test_rows_compete_only_with_their_own() -> None:
    paper = published_paper("texture-attack")
    table = paper.table("table4")
    places = dict(
        zip(
            [(row.method, row.labels["source"]) for row in table.rows],
            row_ranks(table, "MedViT"),
            strict=True,
        )
    )
    assert places["SMIA", "DenseNet121"] == 1
    assert places["CycleAdvGAN (ours)", "DenseNet121"] == 2
    assert places["CycleAdvGAN (ours)", "ResNet50"] == 1
    assert places["CycleAdvGAN (ours)", "MedViT"] is None


def test_what_is_no_method_has_no_place() -> None:
    table = published_paper("superpixel-sparse-labels").table("table1-skin")
    assert row_ranks(table, "DuAT Dice")[0] is None
    assert min(r for r in row_ranks(table, "DuAT Dice") if r) == 1
    assert gains(table) == []
    denoised = published_paper("seanet-ldct").table("table1")
    assert "LDCT (input)" not in {gain.over for gain in gains(denoised)}


def test_gains_of_a_real_table() -> None:
    table = published_paper("synergynet").table("table1")
    dice = next(gain for gain in gains(table) if gain.column == "DSC")
    assert (dice.method, dice.over, dice.value, dice.among) == (
        "SynergyNet-8s2h",
        "DeepLabV3+",
        2.02,
        3,
    )
    over = next(gain for gain in gains(table, over="TransUNet") if gain.column == "HD95")
    assert (over.method, over.value) == ("SynergyNet-8s8h", 11.13)


def test_rows_that_compare_by_method_compete_with_none_of_another() -> None:
    table = published_paper("icu-vitals").table("table2")
    assert table.compare == ("method",)
    assert row_ranks(table, "accuracy_before") == [None, None], (
        "two kinds of samples, not two methods"
    )


def test_the_best_is_chosen_among_those_that_print_the_number() -> None:
    text = FILE + '      - {method: "newer", proposed: true, A: null, B: 2.0}\n'
    found = {gain.column: (gain.method, gain.among) for gain in gains(made(text).tables[0])}
    assert found == {"A": ("new", 1), "B": ("newer", 2)}


def test_a_number_of_ours_has_its_place_among_methods_alone() -> None:
    text = FILE + '      - {method: "reader", proposed: false, reference: true, A: 99.0, B: 1.0}\n'
    table = made(text).tables[0]
    assert place_among(table, "A", 81.0, 0) == (2, 3), "more is better"
    assert place_among(table, "B", 2.7, 0) == (2, 3), "less is better"


def test_what_competes_with_nobody_has_no_place() -> None:
    table = published_paper("adlitenet").table("table3")
    assert set(row_ranks(table, "Accuracy")) == {None}, "ten folds and their mean, of one method"
    assert row_ranks(paper_of({"A": ["4.0", "null"]}).tables[0], "A") == [None, None]


def test_a_doubt_about_many_cells_is_said_once() -> None:
    doubts = published_paper("covid-severity").table("table2").doubts()
    (few,) = [one for one in doubts if one.endswith("of a group of a few scans only")]
    assert few.count("; ") == 11
    assert "sex Female, age above 70, gradation_QWK -0.40000" in few
