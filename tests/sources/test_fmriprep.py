"""fMRIPrep derivatives: the confounds are gone, the signal is left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortflow import errors
from cohortflow.sources.fmriprep import (
    MOTION,
    companions,
    confound_matrix,
    read_fmriprep,
    regress,
    repetition_time,
)
from cohortflow.sources.roi_series import RoiSeries
from tests.sources.bold_images import oblique_affine, save, three_spheres, world

SHAPE = (14, 12, 10)
SAMPLES = 60


def confounds(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        rng.standard_normal((SAMPLES, 9)), columns=[*MOTION, "white_matter", "csf", "other"]
    )
    table["trans_x_derivative1"] = table["trans_x"].diff()
    return table


def write_run(root: Path, stem: str, data: np.ndarray, table: pd.DataFrame) -> Path:
    affine = oblique_affine()
    space = f"{stem}_space-MNI152NLin2009cAsym_res-2"
    path = save(root / f"{space}_desc-preproc_bold.nii.gz", data, affine)
    save(root / f"{space}_desc-brain_mask.nii.gz", np.ones(SHAPE, np.uint8), affine)
    (root / f"{space}_desc-preproc_bold.json").write_text(json.dumps({"RepetitionTime": 2.2}))
    table.to_csv(
        root / f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
    )
    return path


def test_what_the_confounds_explain_is_taken_out_of_the_spheres(tmp_path: Path) -> None:
    affine = oblique_affine()
    atlas = three_spheres(affine, SHAPE)
    assert atlas.xyz_mm is not None
    table = confounds()
    matrix = confound_matrix({name: table[name].to_numpy() for name in table})
    assert matrix.shape == (SAMPLES, 26)
    rng = np.random.default_rng(1)
    design = np.column_stack([np.ones(SAMPLES), matrix])
    signal = rng.standard_normal(SAMPLES)
    signal -= design @ np.linalg.lstsq(design, signal, rcond=None)[0]
    noise = matrix @ rng.standard_normal(26)
    near = np.linalg.norm(world(affine, SHAPE) - atlas.xyz_mm[0], axis=-1) < 6
    data = np.zeros((*SHAPE, SAMPLES))
    data[near] = 1000 + signal + noise
    data[~near] = 500 + noise
    series = read_fmriprep(write_run(tmp_path, "sub-01_task-rest", data, table), atlas)
    cleaned = series.values[0] - series.values[0].mean()
    np.testing.assert_allclose(cleaned, signal, atol=1e-8)
    assert series.values[0].mean() == pytest.approx(1000 + noise.mean())
    # b holds nothing but confounds, far lies outside: neither has variance of its own.
    assert series.constant.tolist() == [False, True, True]


def test_regression_equals_least_squares_voxel_by_voxel() -> None:
    rng = np.random.default_rng(3)
    voxels, matrix = rng.standard_normal((5, SAMPLES)), rng.standard_normal((SAMPLES, 4))
    design = np.column_stack([np.ones(SAMPLES), matrix])
    residual = voxels.T - design @ np.linalg.lstsq(design, voxels.T, rcond=None)[0]
    mean = regress(RoiSeries(voxels.mean(axis=0, keepdims=True)), matrix)[0]
    np.testing.assert_allclose(mean - mean.mean(), residual.mean(axis=1), atol=1e-12)


def test_the_24_motion_regressors() -> None:
    table = confounds()
    matrix = confound_matrix({name: table[name].to_numpy() for name in table})
    x = table["trans_x"].to_numpy()
    step = np.concatenate([[0], np.diff(x)])
    for column, expected in {0: x, 6: step, 12: x**2, 18: step**2}.items():
        np.testing.assert_array_equal(matrix[:, column], expected)
    np.testing.assert_array_equal(matrix[:, 24:], table[["white_matter", "csf"]])


def test_companions_know_no_space(tmp_path: Path) -> None:
    path = write_run(tmp_path, "sub-01_ses-1_task-rest_run-1", np.ones((*SHAPE, 3)), confounds())
    files = companions(path)
    assert files.confounds is not None
    assert files.confounds.name == "sub-01_ses-1_task-rest_run-1_desc-confounds_timeseries.tsv"
    assert len(files.present()) == 3
    assert repetition_time(path, files, "s") == 2.2
    assert files.sidecar is not None
    files.sidecar.write_text("{}")
    assert repetition_time(path, files, "s") == 2.0
    files.sidecar.write_text("[")
    with pytest.raises(errors.UnreadableFile, match="sidecar"):
        repetition_time(path, files, "s")


def test_faulty_confounds_have_names(tmp_path: Path) -> None:
    atlas = three_spheres(oblique_affine(), SHAPE)
    data = np.random.default_rng(0).standard_normal((*SHAPE, SAMPLES)).astype(np.float32)
    table = confounds()

    def refuse(broken: pd.DataFrame | None, fault: type[Exception], words: str) -> None:
        path = write_run(tmp_path, "sub-01", data, table if broken is None else broken)
        if broken is None:
            (tmp_path / "sub-01_desc-confounds_timeseries.tsv").unlink()
        with pytest.raises(fault, match=words):
            read_fmriprep(path, atlas, where="sub-01")

    refuse(None, errors.MissingInput, "sub-01: no confounds")
    refuse(table.drop(columns="csf"), errors.MissingInput, "csf")
    refuse(table[:-1], errors.InputError, "59 rows")
    refuse(
        table.assign(rot_y=table["rot_y"].where(table.index != 7)), errors.InputError, "volume 7"
    )
    with pytest.raises(errors.SeriesTooShort, match="more than 27"):
        regress(RoiSeries(np.ones((1, 27))), np.ones((27, 26)))
