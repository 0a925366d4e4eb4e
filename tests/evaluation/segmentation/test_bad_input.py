"""Named errors, never a number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cohortflow.errors import CohortflowError
from cohortflow.evaluation import evaluate_segmentation
from cohortflow.geometry import Grid

GOOD = np.zeros((4, 5, 6), np.uint8)
GOOD[1:3, 1:3, 1:3] = 1
MATRIX = np.diag([2.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]]
MOVED = MATRIX + np.eye(4, k=3) * 5
NAN = np.full(GOOD.shape, np.nan)


def ask(**changes: Any) -> None:
    asked: dict[str, Any] = {
        "reference": GOOD,
        "prediction": GOOD,
        "spacing_mm": (2.0, 1.0, 1.0),
        "labels": {1: "liver"},
        "metrics": ["dice", "hd"],
    }
    evaluate_segmentation(**(asked | changes))


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("geometry-mismatch", {"prediction": GOOD[:-1]}),
        ("geometry-mismatch", {"grids": (Grid(GOOD.shape, MATRIX), Grid(GOOD.shape, MOVED))}),
        ("geometry-mismatch", {"grids": (Grid((5, 5, 6), MATRIX), None)}),
        ("geometry-mismatch", {"grids": (Grid(GOOD.shape, MATRIX), None), "spacing_mm": [1, 1, 1]}),
        ("geometry-mismatch", {"grids": (Grid(GOOD.shape, MATRIX), None), "spacing_mm": None}),
        ("geometry-mismatch", {"grids": (None, Grid(GOOD.shape, MATRIX)), "spacing_mm": None}),
        ("not-labels", {"prediction": GOOD * np.uint8(3)}),
        ("not-labels", {"prediction": GOOD.astype(np.int16) * -1}),
        ("not-labels", {"prediction": GOOD.astype(np.int64) * 70_000}),
        ("not-labels", {"prediction": GOOD.astype(np.float32)}),
        ("not-labels", {"prediction": GOOD.astype(str)}),
        ("not-labels", {"reference": GOOD[0, 0], "prediction": GOOD[0, 0], "spacing_mm": [1]}),
        ("not-finite", {"prediction": NAN}),
        ("not-labels", {"prediction": np.ma.masked_array(GOOD, GOOD > 0)}),
        ("not-labels", {"prediction": [[1, 2], [1]]}),
        ("impossible-geometry", {"spacing_mm": "two"}),
        ("empty-input", {"reference": GOOD[:0], "prediction": GOOD[:0]}),
        ("no-world-space", {"spacing_mm": None, "metrics": ["nsd@2mm"]}),
        ("no-world-space", {"spacing_mm": None, "metrics": ["dice", "boundary-iou@2mm"]}),
        ("bad-parameter", {"metrics": ["nsd@2voxel"]}),
        ("bad-parameter", {"metrics": []}),
        ("bad-parameter", {"metrics": "dice"}),
        ("bad-parameter", {"metrics": ["dice", "dice"]}),
        ("bad-parameter", {"metrics": ["boundary-iou@0.5mm"]}),
        (
            "bad-parameter",
            {"metrics": ["boundary-iou@2mm"], "spacing_mm": (1, 3, 3), "per": "slice"},
        ),
        (
            "bad-parameter",
            {
                "metrics": ["boundary-iou@2mm"],
                "spacing_mm": (3, 3),
                "reference": GOOD[1],
                "prediction": GOOD[1],
            },
        ),
        ("bad-parameter", {"metrics": ["betti-error/2"], "per": "slice"}),
        ("bad-parameter", {"per": "patient"}),
        ("bad-parameter", {"empty": "transnet"}),
        ("bad-parameter", {"labels": {}}),
        ("bad-parameter", {"labels": {0: "background"}}),
        ("bad-parameter", {"labels": {1.5: "liver"}}),
        ("unknown-name", {"metrics": ["hd95"]}),
        ("unknown-name", {"metrics": ["hd0/pooled"]}),
        ("unknown-name", {"metrics": ["lesion-f1@iou2"]}),
        ("impossible-geometry", {"spacing_mm": (1.0, 1.0)}),
        ("impossible-geometry", {"spacing_mm": (1.0, 0.0, 1.0)}),
        ("impossible-geometry", {"spacing_mm": (1.0, np.nan, 1.0)}),
    ],
)
def test_refused_by_name(code: str, changes: dict[str, Any]) -> None:
    with pytest.raises(CohortflowError) as caught:
        ask(**changes)
    assert caught.value.code == code
    assert str(caught.value)


def test_the_good_one_is_good() -> None:
    ask()
    ask(grids=(Grid(GOOD.shape, MATRIX), Grid(GOOD.shape, MATRIX)))


def test_the_error_of_a_label_names_it_and_the_way_out() -> None:
    with pytest.raises(CohortflowError, match=r"found 3\. Name them in labels") as caught:
        ask(prediction=GOOD * np.uint8(3), where="sub-01")
    assert caught.value.where == "sub-01"
    ask(prediction=GOOD * np.uint8(3), others="background")


@pytest.mark.parametrize("value", [-1, 70_000])
def test_a_value_that_is_no_label_is_sent_to_no_option_that_does_not_help(value: int) -> None:
    with pytest.raises(CohortflowError, match="from 0 to 65535") as caught:
        ask(prediction=GOOD.astype(np.int64) * value, others="background")
    assert "others" not in str(caught.value.hint)
    ask(prediction=GOOD.astype(np.int64) * 65_535, others="background")


def test_one_grid_of_two_is_enough_where_the_spacing_is_said_or_nothing_was_predicted() -> None:
    one: dict[str, Any] = {"labels": {1: "liver"}, "metrics": ["hd"]}
    grid = Grid(GOOD.shape, MATRIX)
    said = evaluate_segmentation(GOOD, GOOD, (2, 1, 1), grids=(grid, None), **one)
    assert said["unit"].tolist() == ["mm"]
    failed = evaluate_segmentation(GOOD, None, grids=(grid, None), **one)
    assert failed["worst"].tolist() == [np.linalg.norm(np.multiply(GOOD.shape, (2, 1, 1)))]
    assert evaluate_segmentation(GOOD, GOOD, **one)["unit"].tolist() == ["voxel"]
    index = evaluate_segmentation(GOOD, GOOD, grids=(Grid(GOOD.shape), None), **one)
    assert index["unit"].tolist() == ["voxel"], "a grid that knows no spacing gives none"


def test_spacing_comes_with_the_grids() -> None:
    table = evaluate_segmentation(
        GOOD,
        np.roll(GOOD, 1, axis=0),
        labels={1: "liver"},
        metrics=["hd"],
        grids=(Grid(GOOD.shape, MATRIX), Grid(GOOD.shape, MATRIX)),
    )
    assert table[["value", "unit"]].to_numpy().tolist() == [[2.0, "mm"]]
