"""``cohortflow apply --weights``: a file, or a cohort that took weights in or trained them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save

from cohortflow.cohort.cohort import open_cohort
from cohortflow.stages import CATALOGUE
from tests.cli.conftest import CommandLine
from tests.cli.test_files_of_no_subject import STAGES

PROJECT = """
title: Projected
inputs: {series: roi_series}
files: {sam: weights}
steps: [project_regions]
"""
TRAIN = """
title: Trained
inputs: {series: roi_series}
files: {other: weights}
steps:
  - project_regions
  - fine_tune: {reads: {init: other}}
"""
SERIES = np.arange(20.0).reshape(5, 4) ** 2 % 7
LAYER = np.diag([1.0, 2.0, 3.0, 4.0])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, stage in STAGES.items():
        monkeypatch.setitem(CATALOGUE, name, stage)
    (tmp_path / "source").mkdir()
    for name in ("a", "b"):
        np.savetxt(tmp_path / "source" / f"{name}.1D", SERIES)
    (tmp_path / "layer.safetensors").write_bytes(save({"layer": LAYER}))
    (tmp_path / "project.yaml").write_text(PROJECT)
    (tmp_path / "train.yaml").write_text(TRAIN)
    return tmp_path


def applied(cli: CommandLine, here: Path, weights: Path) -> np.ndarray:
    out = here / "out.csv"
    words = ("apply", here / "project.yaml", here / "source" / "a.1D", out, "--overwrite")
    result = cli(*words, "--weights", weights)
    assert result.code == 0, result.err
    return np.asarray(pd.read_csv(out).select_dtypes("number").to_numpy()[:, -1])


def test_a_file_and_the_file_of_a_cohort(cli: CommandLine, here: Path) -> None:
    cohort = here / "cohort"
    file = here / "layer.safetensors"
    assert cli("ingest", here / "source", cohort, "--file", f"sam={file}").code == 0
    expected = LAYER @ SERIES[0]
    np.testing.assert_allclose(applied(cli, here, file), expected)
    np.testing.assert_allclose(applied(cli, here, cohort), expected)


def test_what_a_cohort_trained(cli: CommandLine, here: Path) -> None:
    cohort, file = here / "cohort", here / "layer.safetensors"
    assert cli("ingest", here / "source", cohort, "--file", f"other={file}").code == 0
    none = cli("apply", here / "project.yaml", here / "source" / "a.1D", here / "out.csv",
               "--weights", cohort)  # fmt: skip
    assert (none.code, "0 trained weights" in none.err) == (2, True), none.err
    assert cli("run", here / "train.yaml", cohort, "--cluster", "none").code == 0
    (trained,) = [row for row in open_cohort(cohort).run("train").rows if row.kind == "weights"]
    assert trained.state == "done"
    moved = LAYER + (LAYER @ SERIES[0])[:, None]
    np.testing.assert_allclose(applied(cli, here, cohort), moved @ SERIES[0])
    more = "  - fine_tune: {id: more, reads: {init: fine_tune}}\n"
    (here / "train.yaml").write_text(TRAIN + more)
    assert cli("run", here / "train.yaml", cohort, "--cluster", "none").code == 0
    several = cli("apply", here / "project.yaml", here / "source" / "a.1D", here / "out.csv",
                  "--weights", cohort, "--overwrite")  # fmt: skip
    assert (several.code, "train/more" in several.err) == (2, True), several.err


def test_a_folder_that_is_no_cohort(cli: CommandLine, here: Path) -> None:
    words = ("apply", here / "project.yaml", here / "source" / "a.1D", here / "out.csv")
    result = cli(*words, "--weights", here)
    assert (result.code, "not-a-cohort" in result.err) == (5, True), result.err
    undeclared = here / "plain.yaml"
    undeclared.write_text(PROJECT.replace("files: {sam: weights}\n", ""))
    assert cli("apply", undeclared, *words[2:], "--weights", here).code == 2
