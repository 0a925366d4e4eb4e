from __future__ import annotations

import math
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.errors import EmptyInput, InvalidEntry, UsageError
from cohortflow.evaluation.aggregate import aggregate
from cohortflow.evaluation.denominator import CaseValue, counted
from cohortflow.evaluation.measurement import Measurement, measured, undefined, write_measurements

CASES = ("a", "b", "c", "d")


def rows(metric: str, *values: float, unit: str = "") -> list[Measurement]:
    return [
        measured(metric, value, 10, unit=unit, case=case)
        for case, value in zip(CASES, values, strict=False)
    ]


def test_who_has_no_row_counts_as_the_worst_of_the_definition() -> None:
    (mean,) = aggregate(rows("ssim", 0.9, 0.7), CASES[:3])
    assert mean.value == pytest.approx((0.9 + 0.7 - 1.0) / 3)
    assert (mean.n, mean.unit) == (3, "1")
    told = [*rows("ssim", 0.9, 0.7), undefined("ssim", 4, "too small", case="c")]
    assert aggregate(told, CASES[:3]) == [mean]
    (median,) = aggregate(rows("ssim", 0.9, 0.7), CASES, how="median")
    assert median.value == pytest.approx((0.7 - 1.0) / 2)


def test_without_a_worst_value_there_is_no_aggregate() -> None:
    (row,) = aggregate(rows("psnr", 30.0, 40.0), CASES)
    assert math.isnan(row.value)
    assert row.reason == "2 of 4 cases have no value, and psnr has no worst one"
    (row,) = aggregate(rows("psnr", 30.0, 40.0), CASES, worst={"psnr": 0.0})
    assert row.value == 70 / 4
    with pytest.raises(UsageError, match="is not the worst"):
        aggregate(rows("psnr", 30.0, 40.0), CASES, worst={"psnr": 35.0})


@given(
    st.lists(st.floats(-1, 1), min_size=4, max_size=4),
    st.integers(0, 3),
    st.sampled_from(["mean", "median"]),
)
def test_losing_a_case_never_improves_an_aggregate(
    values: list[float], lost: int, how: Literal["mean", "median"]
) -> None:
    all_rows = rows("ssim", *values)
    (then,) = aggregate(all_rows, CASES, how=how)
    (now,) = aggregate([r for i, r in enumerate(all_rows) if i != lost], CASES, how=how)
    assert now.value <= then.value + 1e-12
    assert now.n == then.n == 4


def test_a_metric_that_every_case_lost_does_not_vanish() -> None:
    ssim, psnr = aggregate([], CASES, metrics=["ssim", "psnr"])
    assert (ssim.value, ssim.n, ssim.unit) == (-1.0, 4, "1")
    assert psnr.reason == "4 of 4 cases have no value, and psnr has no worst one"
    assert len(aggregate(rows("ssim", 0.9), CASES, metrics=["ssim"])) == 1


def test_rows_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(EmptyInput):
        aggregate([], ())
    with pytest.raises(InvalidEntry, match="not expected"):
        aggregate(rows("ssim", 0.1), ("z",))
    with pytest.raises(InvalidEntry, match="twice"):
        aggregate(rows("ssim", 0.1) * 2, CASES)
    with pytest.raises(UsageError, match="each once"):
        aggregate(rows("ssim", 0.9), ("a", "a", "b"))
    with pytest.raises(UsageError, match="each once"):
        aggregate(rows("ssim", 0.9), "ab")
    with pytest.raises(UsageError, match="not the worst"):
        aggregate(rows("ssim", 0.9), CASES, worst={"ssim": 0.9})
    mixed = [*rows("mae", 1.0, unit="mm"), measured("mae", 2.0, 1, unit="HU", case="b")]
    with pytest.raises(InvalidEntry, match="two units"):
        aggregate(mixed, CASES)


def test_the_table_says_case_and_label_where_a_row_does() -> None:
    import io

    import pandas as pd

    def columns(*given_rows: Measurement) -> Any:
        return list(pd.read_parquet(io.BytesIO(write_measurements(given_rows))).columns)

    plain = ["metric", "value", "unit", "n", "low", "high", "interval", "reason"]
    assert columns(measured("ssim", 1.0, 1)) == plain
    assert columns(measured("ssim", 1.0, 1, case="a")) == [*plain, "case"]
    assert columns(measured("auc/class", 1.0, 1, label="A")) == [*plain, "label"]


def test_who_is_left_out_is_in_no_mean_and_who_is_lost_is() -> None:
    found = counted(
        [
            CaseValue("a", 0.8, 0.0),
            CaseValue("b", math.nan, 0.0),
            CaseValue("c", math.nan, 0.0, left_out=True),
            CaseValue("d", 0.4, 0.0),
        ]
    )
    assert (found.names, found.values) == (("a", "b", "d"), (0.8, 0.0, 0.4))
    assert (found.cases, found.missing, found.left_out, found.bottomless) == (4, 1, 1, 0)
    assert found.centre("mean") == pytest.approx(0.4)
    assert found.centre("median") == 0.4


def test_expected_cases_without_any_row_are_refused_and_no_empty_answer() -> None:
    with pytest.raises(EmptyInput, match="no metric is named"):
        aggregate([], ["sub-01"])
    (lost,) = aggregate([], ["sub-01"], metrics=["ssim"])
    assert (lost.value, lost.n) == (-1.0, 1)
