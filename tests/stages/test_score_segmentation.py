"""Scores of label maps as a stage: what it is handed, what it refuses, what it keeps."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import GeometryMismatch, NotLabels, NoWorldSpace
from cohortflow.evaluation import evaluate_segmentation
from cohortflow.evaluation.segmentation.label_tables import label_table
from cohortflow.evaluation.segmentation.metrics import COUNTS, VOLUMES
from cohortflow.evaluation.segmentation.score_tables import COLUMNS
from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.stages.score_segmentation import STAGE, ScoreSegmentation
from tests.golden.check import assert_golden
from tests.stages.examples import run
from tests.stages.image_examples import label_map

GRID = oriented_grid("LPS", shape=(12, 16, 20), spacing_mm=(2.5, 3.0, 2.0))
REFERENCE = Canary.within(GRID).labels(GRID)
VALUES = sorted(set(np.unique(REFERENCE).tolist()) - {0})
PREDICTION = np.where(np.roll(REFERENCE, 1, axis=2) == VALUES[1], 0, np.roll(REFERENCE, 1, axis=2))
LABELS = {value: f"letter {value}" for value in VALUES}


def scored(
    parameters: dict[str, Any] | None = None,
    reference: np.ndarray = REFERENCE,
    prediction: np.ndarray | None = PREDICTION,
    grid: Grid = GRID,
) -> tuple[Output, pd.DataFrame]:
    entries: dict[str, Entry] = {"reference": label_map(reference, grid)}
    if prediction is not None:
        entries["prediction"] = label_map(prediction, grid)
    output = run(STAGE, parameters, None, **entries)
    return output, pd.read_parquet(io.BytesIO(output.files["metrics.parquet"]))


def test_golden() -> None:
    output, _ = scored({"labels": LABELS, "metrics": ["dice", "hd95/pooled", "nsd@2mm"]})
    assert_golden(STAGE, output)


def test_counts_are_there_where_they_are_wanted() -> None:
    _, table = scored({"labels": LABELS, "metrics": ["dice"], "counts": True})
    ids = ["dice", *VOLUMES, *COUNTS]
    truth = evaluate_segmentation(
        REFERENCE, PREDICTION, GRID.spacing_mm, labels=LABELS, metrics=ids
    )
    pd.testing.assert_frame_equal(table, truth, check_dtype=False)
    sums = table[table["metric"].isin(COUNTS)].groupby("label")["value"].sum()
    assert set(sums) == {float(REFERENCE.size)}
    with pytest.raises(ValueError, match="say counts: true"):
        ScoreSegmentation(metrics=["dice/voxels"])


def test_the_table_is_that_of_evaluate_segmentation_with_volumes() -> None:
    output, table = scored({"labels": LABELS, "metrics": ["dice", "assd"]})
    assert tuple(table.columns) == COLUMNS
    ids = ["dice", "assd", "volume/reference", "volume/prediction"]
    truth = evaluate_segmentation(
        REFERENCE, PREDICTION, GRID.spacing_mm, labels=LABELS, metrics=ids
    )
    pd.testing.assert_frame_equal(table, truth, check_dtype=False)
    volumes = table[table["metric"] == "volume/reference"]
    assert set(volumes["unit"]) == {"ml"}
    millilitres = [np.count_nonzero(value == REFERENCE) * 0.015 for value in VALUES]
    assert volumes["value"].tolist() == pytest.approx(millilitres)
    assert output.facts == {
        "measured": len(VALUES) - 1, "missed": 1, "invented": 0, "absent": 0, "failed": 0,
    }  # fmt: skip
    (warning,) = output.warnings
    assert warning["code"] == "label-missed"
    assert warning["message"].endswith(f"misses: letter {VALUES[1]}")


def test_without_a_prediction_every_metric_is_its_worst() -> None:
    output, table = scored({"labels": LABELS, "metrics": ["dice", "hd"]}, prediction=None)
    assert set(table["state"]) == {"failed"}
    values = table.pivot(index="label", columns="metric", values="value")
    assert (values["dice"] == 0).all()
    diagonal = np.linalg.norm(np.multiply(REFERENCE.shape, GRID.spacing_mm))
    np.testing.assert_allclose(values["hd"], diagonal)
    assert (values["volume/reference"] > 0).all()
    assert values["volume/prediction"].isna().all()
    assert [warning["code"] for warning in output.warnings] == ["missing-prediction"]


def test_index_space_is_in_voxels_and_refuses_millimetres() -> None:
    index = Grid(REFERENCE.shape)
    _, table = scored({"metrics": ["hd95/pooled"]}, grid=index)
    assert set(table["unit"]) == {"voxel"}
    assert table["name"].tolist()[:3] == [str(VALUES[0])] * 3
    with pytest.raises(NoWorldSpace, match="nsd@2mm"):
        scored({"metrics": ["nsd@2mm"]}, grid=index)


def test_values_that_no_label_names_are_refused() -> None:
    with pytest.raises(NotLabels) as caught:
        scored({"labels": {VALUES[0]: "one"}})
    assert caught.value.where == ""
    _, table = scored({"labels": {VALUES[0]: "one"}, "others": "background"})
    assert set(table["label"]) == {VALUES[0]}


def test_another_grid_is_refused() -> None:
    moved = np.array(GRID.matrix)
    moved[0, 3] += 2
    entries = {
        "reference": label_map(REFERENCE, GRID),
        "prediction": label_map(PREDICTION, Grid(GRID.shape, moved)),
    }
    with pytest.raises(GeometryMismatch):
        run(STAGE, None, None, **entries)


def test_slices_are_images_of_their_own() -> None:
    _, table = scored({"labels": LABELS, "metrics": ["dice"], "per": "slice"})
    assert table["slice"].unique().tolist() == list(range(len(REFERENCE)))
    one = table[(table["slice"] == 5) & (table["metric"] == "dice")]
    truth = evaluate_segmentation(REFERENCE[5], PREDICTION[5], labels=LABELS, metrics=["dice"])
    np.testing.assert_array_equal(one["value"], truth["value"])


def test_maps_without_labels_are_a_case() -> None:
    nothing = np.zeros_like(REFERENCE)
    output, table = scored({}, nothing, nothing)
    assert output.facts["absent"] == 1
    assert set(table["state"]) == {"absent"}


@pytest.mark.parametrize("wrong", [
    {"metrics": ["dise"]}, {"metrics": []}, {"metrics": ["dice", "dice"]}, {"labels": "totalseg"},
    {"labels": {}}, {"labels": {0: "background"}}, {"empty": "kind"}, {"per": "case"},
], ids=str)  # fmt: skip
def test_parameters_are_refused_before_anything_runs(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ScoreSegmentation(**wrong)


def test_a_published_list_has_its_names() -> None:
    names = label_table("totalsegmentator")
    assert list(names) == list(range(1, 118))
    assert (names[1], names[5], names[13], names[90]) == (
        "spleen",
        "liver",
        "lung_middle_lobe_right",
        "brain",
    )
    assert len(set(names.values())) == 117


MEASURE = """
import json, sys
from pathlib import Path
import numpy as np
from cohortflow.phantoms.canary import oriented_grid
from cohortflow.stages.score_segmentation import STAGE
from tests.stages.examples import run
from tests.stages.image_examples import label_map

grid = oriented_grid("LPS", (60, 256, 256), (3.0, 0.8, 0.8))
blocks = np.random.default_rng(0).integers(0, 12, (6, 8, 8)).astype(np.int16)
label = blocks.repeat(10, 0).repeat(32, 1).repeat(32, 2)
maps = {"reference": label_map(label, grid), "prediction": label_map(np.roll(label, 3, 2), grid)}
given = {"metrics": json.loads(sys.argv[1])}
written = sum(map(len, run(STAGE, given, **maps).files.values()))
cost = STAGE.cost(STAGE.parameters(**given), [maps["reference"].facts])
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
json.dump([[peak, cost.memory_bytes], [written, cost.disk_bytes]], sys.stdout)
"""


@pytest.mark.slow
@pytest.mark.parametrize("metrics", [
    ["dice", "hd95/pooled"], ["hd95/surface-weighted", "hd/filled"], ["cldice", "lesion-f1@any"],
], ids=str)  # fmt: skip
def test_memory_and_disk_stay_within_the_projection(metrics: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, json.dumps(metrics)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    for measured, projected in json.loads(done.stdout):
        assert measured <= projected
