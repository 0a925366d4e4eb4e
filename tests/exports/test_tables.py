"""Tables, read by pandas and the csv module."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from cohortflow.cohort.entry import Output
from cohortflow.exports.export import export
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from tests.exports.samples import Row, cohort_of, run_of


def parquet(**columns: object) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def test_tables_scores_and_features(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path / "cohort", {"Ä": {}, "b": {}})
    sizes: list[Row] = [
        (
            s,
            {"fold": f},
            Output(
                files={"table.parquet": parquet(organ=["liver, left", "Nr. 2"], ml=[f + 0.1, 2])}
            ),
        )
        for s in ("Ä", "b")
        for f in (0, 1)
    ]
    features = Output(
        xr.Dataset(
            {"features": (("roi", "feature"), np.arange(6.0).reshape(3, 2))},
            coords={"feature": np.array(["mean", "sd"])},
        )
    )
    scores = Output(
        files={
            "cases.parquet": parquet(subject=["Ä", "b"], fold=[3, 4]),
            "metrics.parquet": parquet(metric=["dice"], value=[0.5]),
        }
    )
    steps: dict[str, tuple[str, list[Row]]] = {
        "sizes": ("table", sizes),
        "shape": ("features", [("b", {}, features)]),
        "score": ("scores", [(None, {"fold": 0}, scores)]),
    }
    run_of(cohort, "organs", steps)
    out = tmp_path / "out"
    report = export(cohort, out, "table", Asked(), ExportOptions())
    assert report.missing == []
    found = pd.read_parquet(out / "sizes.parquet")
    assert list(found.columns) == ["subject", "fold", "organ", "ml"]
    assert found.subject.tolist() == ["Ä"] * 4 + ["b"] * 4
    assert found.ml.tolist() == [0.1, 2, 1.1, 2] * 2
    lines = list(csv.reader((out / "sizes.csv").read_text("utf-8").splitlines()))
    assert lines[:2] == [["subject", "fold", "organ", "ml"], ["Ä", "0", "liver, left", "0.1"]]
    assert pd.read_parquet(out / "shape.parquet").to_dict("list") == {
        "subject": ["b"] * 3,
        "roi": [0, 1, 2],
        "mean": [0, 2, 4],
        "sd": [1, 3, 5],
    }
    cases = pd.read_parquet(out / "score_cases.parquet")
    assert list(cases.columns) == ["axis_fold", "subject", "fold"]
    assert pd.read_csv(out / "score_metrics.csv").to_dict("list") == {
        "fold": [0],
        "metric": ["dice"],
        "value": [0.5],
    }
    assert export(cohort, out, "table", Asked(), ExportOptions()).written == 0


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path / "cohort", {"a": {}})
    broken = Output(files={"table.parquet": b"PAR1 no"})
    run_of(cohort, "organs", {"sizes": ("table", [("a", {}, broken)])})
    report = export(cohort, tmp_path / "out", "table", Asked(), ExportOptions())
    assert [m.code for m in report.missing] == ["invalid-entry"]
