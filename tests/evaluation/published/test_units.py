"""One conversion, exact where decimals are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.errors import BadParameter, UnknownName
from cohortflow.evaluation.published import (
    PUBLISHED,
    Correspondence,
    convert,
    convertible,
    published_tables,
)
from cohortflow.evaluation.published.units import UNITS


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (85.0, "percent", "1", 0.85),
        (57.8, "percent", "fraction", 0.578),
        (0.85, "1", "percent", 85.0),
        (3.5, "mm", "mm", 3.5),
        (3.5, "pixel", "voxel", 3.5),
        (250.0, "ms", "s", 0.25),
        (2.0, "h", "s", 7200.0),
        (2.32, "lakh", "count", 232000.0),
        (28.05, "dB", "dB", 28.05),
    ],
)
def test_conversions(value: float, unit: str, to: str, expected: float) -> None:
    assert convert(value, unit, to) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("unit", "to"), [("mm", "voxel"), ("percent", "mm"), ("dB", "1"), ("arbitrary", "arbitrary")]
)
def test_what_measures_something_else_is_refused(unit: str, to: str) -> None:
    assert not convertible(unit, to)
    with pytest.raises(BadParameter, match="measures something else"):
        convert(1.0, unit, to)


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(UnknownName, match="percents"):
        convert(1.0, "percents", "1")


@given(st.floats(-1e6, 1e6), st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)))
def test_there_and_back(value: float, unit: str, to: str) -> None:
    if convertible(unit, to):
        back = convert(convert(value, unit, to), to, unit)
        assert back == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_printed_shares_are_shares() -> None:
    """No unit is told as percent where fractions are printed, nor the other way round."""
    for name in PUBLISHED:
        for table in published_tables(name):
            for column in table.columns:
                metric, unit = table.metrics[column], table.units[column]
                bounded = metric.definition in ("dice", "iou", "sensitivity", "accuracy", "auc")
                if not bounded:
                    continue
                values = [v for row in table.rows if (v := row.values[column]) is not None]
                shares = [convert(value, unit, "1") for value in values]
                assert all(0 <= share <= 1 for share in shares), (name, table.id, column)
                assert max(shares) > 0.1, (name, table.id, column)


def test_a_difference_is_formed_where_both_measure_the_same_and_say_so() -> None:
    told = Correspondence("HD95", "segmentation", ("hd95/pooled",), "", "mm", True, "")
    assert told.comparable("mm")
    assert not told.comparable("voxel"), "nobody knows how large a voxel is"
    assert not told.comparable("1")
    assert not replace(told, stated=False).comparable("mm")
    assert not replace(told, ids=()).comparable("mm")
    assert replace(told, printed_unit="percent").comparable("1")
    assert not replace(told, printed_unit="arbitrary").comparable("arbitrary")
