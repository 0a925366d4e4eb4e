"""The quality check of a report: outliers first, tables of all, pictures with contours."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.pipeline.stage import Context
from cohortflow.report.blocks import Figure, Note, Table
from cohortflow.report.outliers import deviations
from cohortflow.report.sections.quality import MOST_PICTURES, quality
from cohortflow.stages.preview import STAGE, Preview
from tests.report.fake import FakeSource

GRID = oriented_grid("RAS", shape=(12, 12, 12), spacing_mm=(3.0, 2.0, 2.0))
CANARY = Canary.within(GRID)


def source(count: int, strange: int | None = None) -> FakeSource:
    made = FakeSource(
        pipeline={"steps": [{"id": "preview", "stage": "preview"}], "axes": {}},
        participants=pd.DataFrame(),
        refused=[],
        environment={},
    )
    for number in range(count):
        image = CANARY.image(GRID) * (1 + 0.01 * number)
        image += 500.0 if number == strange else 0.0
        inputs = {
            "image": _entry("volume", "image", image),
            "label": _entry("label_map", "label", CANARY.labels(GRID)),
        }
        output = STAGE.function(Preview(), Context(subject=f"s{number:02d}"), **inputs)
        made.add("preview", "preview", output, subject=f"s{number:02d}")
        facts = {"space": "world", "spacing_mm": [3, 2, 2], "orientation": "RAS", "dtype": "int16"}
        facts |= {"orientation": "LPS"} if number == 1 else {}
        made.ingested.append(
            {"subject": f"s{number:02d}", "entry": "image", "facts": facts, "warnings": []}
        )
    return made


def _entry(kind: str, name: str, array: np.ndarray) -> Entry:
    dataset = xr.Dataset({name: (("z", "y", "x"), array)}, attrs=GRID.attributes())
    return Entry.in_memory(kind, Output(dataset=dataset))


def blocks(section: Any, kind: type) -> list[Any]:
    return [block for block in section.blocks if isinstance(block, kind)]


def test_the_outlier_comes_first_and_says_why() -> None:
    section = quality(source(9, strange=4))
    geometries, images = blocks(section, Table)
    assert images.rows[0]["subject"] == "s04"
    assert images.rows[0]["score"] > 10
    assert "above the median" in images.rows[0]["reason"]
    figures = blocks(section, Figure)
    assert figures[0].caption.startswith("s04")
    assert "robust SD" in figures[0].caption
    assert [row["n"] for row in geometries.rows] == [1, 8]
    assert geometries.rows[0]["example"] == "s01"


def test_few_images_are_not_judged() -> None:
    section = quality(source(3))
    assert any("not sought" in note.text for note in blocks(section, Note))
    table = blocks(section, Table)[1]
    assert {row["score"] for row in table.rows} == {None}
    assert "score" not in [column.name for column in table.columns]


def test_pictures_end_and_the_table_does_not() -> None:
    section = quality(source(MOST_PICTURES + 3))
    assert len(blocks(section, Figure)) == MOST_PICTURES
    assert len(blocks(section, Table)[1].rows) == MOST_PICTURES + 3
    assert any("3 more images" in note.text for note in blocks(section, Note))


def test_a_picture_is_three_planes_to_scale_with_outlines_of_all_labels() -> None:
    figure = blocks(quality(source(1)), Figure)[0]
    assert figure.svg.count("<image ") == figure.svg.count("data:image/png;base64,") == 3
    assert figure.data["labels"] == [1, 2, 3, 4, 5, 6]
    assert figure.svg.count("<path ") >= 6
    scales = [
        (float(x) * 12, float(y) * 12)
        for x, y in re.findall(r"scale\(([\d.]+) ([\d.]+)\)", figure.svg)
    ]
    (wide, high), (_, tall), (_, also) = scales
    assert wide == pytest.approx(high)  # 12 voxels of 2 mm both ways
    assert tall == also == pytest.approx(1.5 * high, rel=1e-3)  # 3 mm up


def test_contours_surround_their_label() -> None:
    from cohortflow.report.plane_figure import contours

    label = np.zeros((8, 8), np.uint8)
    label[2:5, 3:6] = 7
    (drawn,) = re.findall(r'd="([^"]+)"', contours(label, label.shape))
    points = np.array([[float(n) for n in pair.split()] for pair in re.split("[ML]", drawn)[1:]])
    assert points.min(axis=0).tolist() == [3.0, 2.0]
    assert points.max(axis=0).tolist() == [6.0, 5.0]


def test_without_previews_the_section_says_so() -> None:
    empty = source(1)
    empty.pipeline = {"steps": [], "axes": {}}
    assert any("no step of stage preview" in n.text for n in blocks(quality(empty), Note))


def test_robust_distances() -> None:
    rows = {f"s{n}": {"a": float(n), "b": 1.0} for n in range(9)} | {"far": {"a": 100.0, "b": 1.0}}
    found = deviations(rows)
    values = np.array([*range(9), 100.0])
    spread = 1.4826 * np.median(np.abs(values - np.median(values)))
    assert found["far"].score == pytest.approx((100 - np.median(values)) / spread)
    assert found["far"].reason.startswith("a 100")


def test_one_that_differs_from_all_equal_others_stands_out() -> None:
    rows = {f"s{n}": {"spacing": 1.0} for n in range(20)} | {"odd": {"spacing": 3.0}}
    found = deviations(rows)
    assert found["odd"].score > 3.5
    assert found["s0"].score == 0.0


def test_equal_numbers_and_few_subjects_are_no_outliers() -> None:
    assert deviations({f"s{n}": {"a": 1.0} for n in range(4)}) == {}
    assert {d.score for d in deviations({f"s{n}": {"a": 2.0} for n in range(6)}).values()} == {0.0}
