"""What is exported, what is ambiguous, what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import Cohort
from cohortflow.errors import (
    AmbiguousExport,
    KindMismatch,
    SelectionEmpty,
    UnknownName,
    UsageError,
)
from cohortflow.exports.export import export
from cohortflow.exports.selection import Asked, select
from cohortflow.exports.writer import ExportOptions
from tests.cohort.samples import table
from tests.exports.samples import GRIDS, Row, cohort_of, labels, run_of, volume

KINDS = {"volume", "label_map"}
GRID = GRIDS["RAS"]


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    images = {s: {"image": ("volume", volume(GRID))} for s in ("a", "b")}
    found = cohort_of(tmp_path / "cohort", images, refused=["c"])
    rows: list[Row] = [
        (s, {"fold": fold, "variant": "base"}, labels(GRID)) for s in "a" for fold in (0, 1)
    ]
    rows += [
        ("b", {"fold": 0, "variant": "base"}, "failed"),
        ("c", {"fold": 0, "variant": "base"}, "blocked"),
    ]
    steps: dict[str, tuple[str, list[Row]]] = {
        "resample": ("volume", [("a", {}, volume(GRID)), ("b", {}, volume(GRID))]),
        "segment": ("label_map", rows),
        "sizes": ("table", [("a", {}, table())]),
    }
    run_of(found, "organs", steps)
    return found


def stems(cohort: Cohort, asked: Asked) -> list[str]:
    return [item.stem() for item in select(cohort, asked, KINDS).items]


def test_all_steps_of_the_kinds_of_the_only_pipeline(cohort: Cohort) -> None:
    selected = select(cohort, Asked(), KINDS)
    assert {item.stem() for item in selected.items} == {
        "a_resample",
        "b_resample",
        "a_segment_fold-0_variant-base",
        "a_segment_fold-1_variant-base",
    }
    told = [(m.subject, m.name, m.state, m.code) for m in selected.missing]
    assert told == [("b", "segment", "failed", "stage-failed"), ("c", "segment", "blocked", "")]


def test_one_step_some_subjects_some_points(cohort: Cohort) -> None:
    assert stems(cohort, Asked(steps=("resample",))) == ["a_resample", "b_resample"]
    assert stems(cohort, Asked(steps=("resample",), subjects=("b",))) == ["b_resample"]
    at = {"fold": ("1",)}
    assert stems(cohort, Asked(at=at, steps=("segment",))) == ["a_segment_fold-1_variant-base"]
    # a step without the axis is not restricted by it
    assert "a_resample" in stems(cohort, Asked(at=at))
    missing = select(cohort, Asked(steps=("resample",), subjects=("a", "c")), KINDS).missing
    assert [(m.subject, m.state) for m in missing] == [("c", "absent")]


def test_ingested_entries(cohort: Cohort) -> None:
    selected = select(cohort, Asked(entry="image"), KINDS)
    assert [item.stem() for item in selected.items] == ["a_image", "b_image"]
    assert [(m.subject, m.state, m.code) for m in selected.missing] == [
        ("c", "refused", "truncated-file")
    ]


def test_the_newest_run_is_what_counts(cohort: Cohort) -> None:
    run_of(cohort, "organs", {"resample": ("volume", [("a", {}, volume(GRID))])})
    assert stems(cohort, Asked()) == ["a_resample"]


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (Asked(pipeline="organ"), UnknownName, "organs"),
        (Asked(steps=("segmnt",)), UnknownName, "segment"),
        (Asked(steps=("sizes",)), KindMismatch, "table"),
        (Asked(subjects=("z",)), UnknownName, "'z'"),
        (Asked(at={"folds": ("0",)}), UnknownName, "fold"),
        (Asked(at={"fold": ("7",)}), UnknownName, "'7'"),
        (Asked(entry="imag"), UnknownName, "image"),
        (Asked(entry="image", pipeline="organs"), UsageError, "no pipeline"),
    ],
)
def test_what_does_not_exist_is_named(
    cohort: Cohort, asked: Asked, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        select(cohort, asked, KINDS)


def test_several_pipelines_are_listed(cohort: Cohort) -> None:
    run_of(cohort, "bones", {"segment": ("label_map", [("a", {}, labels(GRID))])})
    with pytest.raises(AmbiguousExport, match="bones, organs"):
        select(cohort, Asked(), KINDS)
    assert stems(cohort, Asked(pipeline="bones")) == ["a_segment"]


def test_nothing_to_export(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(SelectionEmpty):
        select(cohort, Asked(), {"image_2d"})
    empty = cohort_of(tmp_path / "empty", {})
    with pytest.raises(SelectionEmpty, match="no pipeline has run"):
        select(empty, Asked(), KINDS)


def test_what_is_missing_stands_in_the_manifest(cohort: Cohort, tmp_path: Path) -> None:
    export(cohort, tmp_path / "out", "nifti", Asked(steps=("segment",)), ExportOptions())
    manifest = json.loads((tmp_path / "out" / "cohortflow-export.json").read_text())
    assert [(m["subject"], m["code"]) for m in manifest["missing"]] == [
        ("b", "stage-failed"),
        ("c", ""),
    ]
    assert [row["key"][:4] for row in manifest["items"]] == [
        item.key[:4] for item in select(cohort, Asked(steps=("segment",)), KINDS).items
    ]


def test_an_entry_that_is_gone_costs_one_subject(cohort: Cohort, tmp_path: Path) -> None:
    item = select(cohort, Asked(steps=("resample",)), KINDS).items[0]
    cohort.storage.delete(f"subjects/a/resample@{item.key[:16]}")
    report = export(cohort, tmp_path / "out", "nifti", Asked(steps=("resample",)), ExportOptions())
    assert [(m.subject, m.code) for m in report.missing] == [("a", "entry-missing")]
    assert (tmp_path / "out" / "b_resample.nii.gz").exists()
