"""``cohortflow apply``: one recording in, one file out, nothing kept."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from cohortflow.cohort.source_map import home
from cohortflow.errors import UsageError
from cohortflow.geometry import Reorientation
from cohortflow.phantoms.canary import Canary, oriented_grid
from flows.apply import _the_one
from tests.cli.conftest import CommandLine
from tests.sources.images.dicom_files import write_series
from tests.sources.images.test_ingest_images import BACKWARDS, nifti

GRID = oriented_grid("LPS", shape=(14, 12, 13), spacing_mm=(3.0, 2.0, 2.0))
CANARY = Canary.within(GRID)
PIPELINE = """
title: Small steps
inputs: {image: volume}
steps:
  - resample: {spacing_mm: [1.5, 1.0, 1.0]}
  - normalise: {method: zscore}
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(PIPELINE)
    return path


def test_back_on_the_grid_and_the_scale_of_the_recording(
    cli: CommandLine, pipeline: Path, tmp_path: Path
) -> None:
    nifti(tmp_path / "scan.nii.gz", CANARY.image(GRID), GRID.matrix)
    out = tmp_path / "results" / "scan.nii.gz"
    maps = set((home() / "source-maps").glob("*"))
    result = cli("apply", pipeline, tmp_path / "scan.nii.gz", out)
    assert result.code == 0, result.err
    found = nibabel.load(out)
    assert found.shape == GRID.shape[::-1]
    np.testing.assert_allclose(found.affine, GRID.matrix @ BACKWARDS, atol=1e-4)
    inside = (slice(1, -1),) * 3
    truth = CANARY.image(GRID).transpose(2, 1, 0)
    np.testing.assert_allclose(found.get_fdata()[inside], truth[inside], atol=1e-2)
    assert sorted(path.name for path in out.parent.iterdir()) == [out.name]
    assert set((home() / "source-maps").glob("*")) == maps, "who it was is not kept"


def test_a_series_and_its_own_grid(cli: CommandLine, pipeline: Path, tmp_path: Path) -> None:
    tags = {"PatientName": "DOE^JANE", "PatientID": "4711"}
    array = CANARY.image(GRID).astype(np.int16)
    write_series(tmp_path / "doe-4711", array, GRID.matrix, tags=tags)
    out = tmp_path / "out.nii.gz"
    words = ("apply", pipeline, tmp_path / "doe-4711", out, "--grid", "own", "--step", "resample")
    assert cli(*words).code == 0
    found = nibabel.load(out)
    np.testing.assert_allclose(found.header.get_zooms(), (1.0, 1.0, 1.5), rtol=1e-5)
    assert b"DOE" not in out.read_bytes()


def test_what_stands_is_not_replaced_unless_asked(
    cli: CommandLine, pipeline: Path, tmp_path: Path
) -> None:
    nifti(tmp_path / "scan.nii.gz", CANARY.image(GRID), GRID.matrix)
    out = tmp_path / "out.nii.gz"
    out.write_bytes(b"mine")
    words = ("apply", pipeline, tmp_path / "scan.nii.gz", out)
    refused = cli(*words)
    assert (refused.code, out.read_bytes()) == (5, b"mine")
    assert cli(*words, "--overwrite").code == 0
    assert nibabel.load(out).shape == GRID.shape[::-1]


def test_what_cannot_be_is_said_by_name_and_leaves_nothing(
    cli: CommandLine, pipeline: Path, tmp_path: Path
) -> None:
    image = CANARY.image(GRID)
    image[0, 0, 0] = np.nan
    nifti(tmp_path / "nan.nii.gz", image, GRID.matrix)
    turned = Reorientation.towards(GRID, "RAS")
    for name in "ab":
        nifti(
            tmp_path / f"two/{name}.nii.gz", turned.apply(CANARY.image(GRID)), turned.after.matrix
        )
    out = tmp_path / "out.nii.gz"
    for source, target, code, said in (
        ("nan.nii.gz", out, 1, "not-finite"),
        ("two", out, 2, "one recording at a time"),
        ("gone.nii.gz", out, 5, "no-such-source"),
        ("nan.nii.gz", tmp_path / "out.mp3", 2, ".nii.gz"),
        ("nan.nii.gz", tmp_path / "out.csv", 2, "no step"),
    ):
        result = cli("apply", pipeline, tmp_path / source, target)
        assert (result.code, said in result.err) == (code, True), result.err
        assert not target.exists()
    wrong = cli("apply", pipeline, tmp_path / "nan.nii.gz", out, "--step", "resampel")
    assert (wrong.code, "resample" in wrong.err) == (2, True)


def test_a_failed_step_is_the_error(cli: CommandLine, pipeline: Path, tmp_path: Path) -> None:
    nifti(tmp_path / "flat.nii.gz", np.full(GRID.shape, 7, np.float32), GRID.matrix)
    result = cli("apply", pipeline, tmp_path / "flat.nii.gz", tmp_path / "out.nii.gz")
    assert (result.code, "undefined-result" in result.err) == (1, True), result.err


def test_of_several_results_none_is_guessed(tmp_path: Path) -> None:
    assert _the_one([tmp_path / "a.csv"], "scores") == tmp_path / "a.csv"
    for made in ([], [tmp_path / "a_cases.csv", tmp_path / "a_metrics.csv"]):
        with pytest.raises(UsageError, match="several results"):
            _the_one(made, "scores")
