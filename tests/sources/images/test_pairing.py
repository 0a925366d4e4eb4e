"""Which picture a mask is of: by its name, then by its size, never by a guess."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from cohortflow.cohort.cohort import create_cohort, open_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.sources.ingest import IngestReport, ingest

SMALL, LARGE = (6, 8), (7, 9)
Sizes = dict[str, tuple[int, int]]


def taken(tmp_path: Path, sizes: Sizes) -> IngestReport:
    """An ingest of one subject's pictures and masks, each with pixels of its own."""
    for number, (name, size) in enumerate(sizes.items(), start=1):
        path = tmp_path / "source" / "s" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full(size, number, np.uint8)
        pixels[0, :2] = 0, 1
        PIL.Image.fromarray(pixels).save(path)
    return ingest(create_cohort(tmp_path / "cohort"), tmp_path / "source")


def pairs(tmp_path: Path) -> dict[str, str]:
    """Mask → picture, as the keys of the label maps have them."""
    root, cohort = tmp_path / "source" / "s", open_cohort(tmp_path / "cohort")
    name = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.relative_to(root).as_posix()
        for path in root.rglob("*.png")
    }
    found = {}
    for entry in cohort.ingested.subjects["s"].entries.values():
        record = cohort.entries.record(EntryRef("s", entry.stage, entry.key))
        assert record is not None
        if entry.kind == "label_map":
            found[name[record.recipe["source"]]] = name[record.recipe["image"]]
    return found


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (
            {"b.png": SMALL, "a.png": SMALL, "a_mask.png": SMALL, "b-label.png": SMALL},
            {"a_mask.png": "a.png", "b-label.png": "b.png"},
        ),
        (
            {"(1).png": SMALL, "(2).png": SMALL, "(2)_mask_1.png": SMALL, "(1)_seg.png": SMALL},
            {"(2)_mask_1.png": "(2).png", "(1)_seg.png": "(1).png"},
        ),
        (
            {"images/a.png": SMALL, "images/b.png": SMALL, "masks/B.png": SMALL},
            {"masks/B.png": "images/b.png"},
        ),
        ({"a.png": SMALL, "b.png": LARGE, "x_mask.png": LARGE}, {"x_mask.png": "b.png"}),
        ({"a.png": SMALL, "mask.png": SMALL}, {"mask.png": "a.png"}),
        ({"a.png": SMALL, "b.png": SMALL, "mask.png": SMALL}, {"mask.png": "a.png"}),
    ],
)
def test_by_name_and_else_by_size(sizes: Sizes, expected: dict[str, str], tmp_path: Path) -> None:
    assert not taken(tmp_path, sizes).refused
    assert pairs(tmp_path) == expected


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        ({"a.png": SMALL, "b.png": LARGE, "a_mask.png": LARGE}, "geometry-mismatch"),
        ({"a.png": SMALL, "x_mask.png": LARGE}, "geometry-mismatch"),
        ({"a.png": SMALL, "b.png": SMALL, "x_mask.png": SMALL}, "ambiguous-label"),
        ({"a.png": SMALL, "b.png": SMALL, "c.png": LARGE, "mask.png": SMALL}, "ambiguous-label"),
        ({"a.png": SMALL, "a.bmp": SMALL, "a_mask.png": SMALL}, "ambiguous-label"),
    ],
)
def test_what_cannot_be_told_is_refused(sizes: Sizes, code: str, tmp_path: Path) -> None:
    report = taken(tmp_path, sizes)
    assert {name: error["code"] for name, error in report.refused.items()} == {"s": code}
