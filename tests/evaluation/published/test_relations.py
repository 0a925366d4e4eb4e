"""Each relation: what rounding explains is no finding, what it cannot is."""

from __future__ import annotations

from typing import Any

import pytest

from cohortflow.errors import BadPublishedTable, UnknownName
from cohortflow.evaluation.published import findings, published_paper
from cohortflow.evaluation.published.related import broken
from tests.evaluation.published.made import made, paper_of


def told(columns: dict[str, list[Any]], relation: dict[str, Any]) -> list[str]:
    paper = paper_of(columns, relations=[relation])
    (table,) = paper.tables
    return [one.about for one in broken(table.relations[0], table, paper)]


MEAN = {"kind": "mean", "column": "M", "of": ["A", "B"]}
F1 = {"kind": "harmonic", "column": "M", "of": ["A", "B"]}
IOU = {"kind": "overlap", "iou": "A", "dice": "B"}


@pytest.mark.parametrize(
    ("columns", "relation", "found"),
    [
        # 80.1 and 80.2 average to 80.15 ± 0.05: both neighbours may be printed, 80.3 may not.
        ({"A": [80.1], "B": [80.2], "M": ["80.1"]}, MEAN, 0),
        ({"A": [80.1], "B": [80.2], "M": ["80.2"]}, MEAN, 0),
        ({"A": [80.1], "B": [80.2], "M": ["80.3"]}, MEAN, 1),
        ({"A": [10.0], "B": [50.0], "M": ["40.0"]}, MEAN | {"weights": [1, 3]}, 0),
        ({"A": [10.0], "B": [50.0], "M": ["30.0"]}, MEAN | {"weights": [1, 3]}, 1),
        ({"A": [10.0], "B": ["null"], "M": ["30.0"]}, MEAN, 0),
        ({"A": [90.0], "B": [60.0], "M": ["72.0"]}, F1, 0),
        ({"A": [90.0], "B": [60.0], "M": ["75.0"]}, F1, 1),
        ({"A": [90.0], "B": [60.0], "M": ["65.0"]}, F1, 1),
        # A mean over cases may be below the harmonic mean of the means, never above.
        ({"A": [90.0], "B": [60.0], "M": ["65.0"]}, F1 | {"averaged": True}, 0),
        ({"A": [90.0], "B": [60.0], "M": ["75.0"]}, F1 | {"averaged": True}, 1),
        ({"A": [50.0], "B": [10.0], "M": ["64.3"]}, F1 | {"of": ["A"], "complements": ["B"]}, 0),
        ({"A": [0.0], "B": [60.0], "M": ["0.0"]}, F1, 0),
        # IoU of a Dice of 80: 66.7 where pooled, and from there to 80 where averaged.
        ({"A": [66.7], "B": [80.0]}, IOU | {"pooled": True}, 0),
        ({"A": [70.0], "B": [80.0]}, IOU | {"pooled": True}, 1),
        ({"A": [70.0], "B": [80.0]}, IOU, 0),
        ({"A": [66.0], "B": [80.0]}, IOU, 1),
        ({"A": [80.2], "B": [80.0]}, IOU, 1),
        ({"A": [1], "B": [2], "M": ["4"]}, MEAN | {"kind": "sum"}, 0),
        ({"A": [1], "B": [2], "M": ["4"]}, MEAN | {"kind": "sum", "exact": True}, 1),
        ({"A": [1], "B": [2], "M": ["3"]}, MEAN | {"kind": "sum", "exact": True}, 0),
        (
            {"A": [1003], "B": [1323], "M": ["43.12"]},
            {"kind": "share", "column": "M", "part": "A", "of": ["A", "B"]},
            0,
        ),
        (
            {"A": [1003], "B": [1323], "M": ["42.62"]},
            {"kind": "share", "column": "M", "part": "A", "of": ["A", "B"]},
            1,
        ),
        ({"A": [95.0]}, {"kind": "counts", "columns": ["A"], "n": [20]}, 0),
        ({"A": [94.7]}, {"kind": "counts", "columns": ["A"], "n": [20]}, 1),
        ({"A": [94.7]}, {"kind": "counts", "columns": ["A"], "n": [19, 20]}, 0),
        (
            {"A": [74.0], "B": [50.0], "C": [80.0]},
            {
                "kind": "rates",
                "accuracy": "A",
                "sensitivity": "B",
                "specificity": "C",
                "positives": 0.2,
            },
            0,
        ),
        (
            {"A": [82.0], "B": [50.0], "C": [80.0]},
            {
                "kind": "rates",
                "accuracy": "A",
                "sensitivity": "B",
                "specificity": "C",
                "positives": 0.2,
            },
            1,
        ),
        (
            {"A": [0.0, "1.47"], "B": [21.60, 23.06]},
            {"kind": "distance", "column": "A", "of": "B", "origin": "m0"},
            1,
        ),
        (
            {"A": [0.0, "1.46"], "B": [21.60, 23.06]},
            {"kind": "distance", "column": "A", "of": "B", "origin": "m0"},
            0,
        ),
        ({"A": [26.02], "B": [20.0]}, {"kind": "peak", "psnr": "A", "rmse": "B", "range": 400}, 0),
        ({"A": [22.83], "B": [20.0]}, {"kind": "peak", "psnr": "A", "rmse": "B", "range": 400}, 1),
    ],
)
def test_relations(columns: dict[str, list[Any]], relation: dict[str, Any], found: int) -> None:
    assert len(told(columns, relation)) == found


ROWS = """
system: synergynet
title: "A made paper"
year: 2024
tables:
  - id: table1
    printed_in: "Table 1"
    about: "folds"
    metrics: {{A: {{unit: percent, better: higher, why: "made"}}}}
    columns: [A]
    relations:
      - {{kind: row-mean, label: fold, over: [a, b, c], columns: [A], rows: {{fold: mean}}}}
    rows:
      - {{method: m, proposed: true, fold: a, A: 79.0}}
      - {{method: m, proposed: true, fold: b, A: 80.0}}
      - {{method: m, proposed: true, fold: c, A: 81.0}}
      - {{method: m, proposed: true, fold: mean, A: {{mean: {mean}, sd: {sd}}}}}
"""


@pytest.mark.parametrize(
    ("mean", "sd", "found"),
    [
        ("80.0", "1.0", []),
        ("80.0", "0.82", []),
        ("80.0", "0.77", []),  # the rows may be up to 0.05 nearer to each other
        ("80.0", "1.1", []),  # from 1.05 on, by its own digits
        ("80.0", "1.10", ["sd 1.10 is printed where the rows' is 1 (sample) or 0.82 (population)"]),
        ("80.0", "0.70", ["sd 0.70 is printed where the rows' is 1 (sample) or 0.82 (population)"]),
        ("80.2", "1.0", ["80.2 is printed where rows average 80.00"]),
    ],
)
def test_a_row_is_the_mean_of_others_and_has_their_spread(
    mean: str, sd: str, found: list[str]
) -> None:
    paper = made(ROWS.format(mean=mean, sd=sd))
    assert [one.about for one in findings(paper)] == found
    assert str(paper.tables[0].rows[-1].numbers["A"]) == f"{mean} ± {sd}"


def test_a_finding_says_what_the_other_numbers_give() -> None:
    assert told({"A": [80.10], "B": [80.20], "M": ["81.00"]}, MEAN) == [
        "81.00 is printed as the mean of columns whose mean is 80.150"
    ]


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        ({"over": "m0", "gain": 2.0, "digits": 1}, 0),
        ({"over": "m0", "gain": 3.0, "digits": 1}, 1),
        ({"over": "m0", "gain": 2.0, "digits": 1, "unit": "points"}, 0),
        ({"over": "m0", "gain": 2.5, "digits": 1, "unit": "percent"}, 0),
        ({"over": "m0", "gain": 2.0, "digits": 1, "unit": "percent"}, 1),
        ({"over": ["m0", "m1"], "gain": 0.5, "digits": 1}, 0),
        ({"rank": 1}, 1),
        ({"rank": 2}, 0),
    ],
)
def test_claims_against_their_own_table(claim: dict[str, Any], found: int) -> None:
    columns = {"A": ["80.0", "83.0", "82.0"]}
    paper = paper_of(columns, claims=[{"method": "m2", "columns": ["A"], **claim}])
    assert len(findings(paper)) == found


def test_a_claim_about_one_of_several_rows_says_which() -> None:
    found = findings(published_paper("texture-attack"))
    assert [(one.row, one.column) for one in found] == [
        ("CycleAdvGAN (ours), source DenseNet121", "ResNet50"),
        ("CycleAdvGAN (ours), source DenseNet121", "MedViT"),
        ("CycleAdvGAN (ours), source InceptionV3", "MedViT"),
        ("CycleAdvGAN (ours), source MedViT", "DenseNet121"),
    ]


def test_a_flagged_table_is_told_from_one_that_is_not() -> None:
    claim = {"method": "m1", "columns": ["A"], "rank": 1}
    for flags in ([], ["odd"]):
        (found,) = findings(paper_of({"A": [2.0, 1.0]}, claims=[claim], flags=flags))
        assert found.flagged == bool(flags)


def test_what_a_relation_or_claim_names_must_be_there() -> None:
    same = {"kind": "same", "table": "table9", "methods": {"m0": "x"}, "columns": {"A": "A"}}
    with pytest.raises(UnknownName, match="table9"):
        findings(paper_of({"A": [1.0]}, relations=[same]))
    with pytest.raises(BadPublishedTable, match="not there once"):
        findings(paper_of({"A": [1.0]}, relations=[same | {"table": "table1"}]))
    with pytest.raises(BadPublishedTable, match="not there once"):
        findings(paper_of({"A": [1.0]}, claims=[{"method": "x", "columns": ["A"], "rank": 1}]))
