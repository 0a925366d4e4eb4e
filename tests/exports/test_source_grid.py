"""What was computed on a resampled grid goes back to the grid of the original image, or stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from cohortflow.cohort.cohort import Cohort
from cohortflow.exports.export import export
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from cohortflow.phantoms.canary import Canary, oriented_grid
from tests.exports.samples import cohort_of, labels, run_of, volume
from tests.geometry.strangers import by_nibabel

SOURCE = oriented_grid("LPS", (20, 20, 20), (2.0, 2.0, 2.0), (17.0, -11.0, 23.0))
FINE = oriented_grid("LPS", (40, 40, 40), (1.0, 1.0, 1.0), (17.0, -11.0, 23.0))


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    matrix = np.asarray(SOURCE.index_to_world).tolist()
    came = {"source_shape": list(SOURCE.shape), "source_index_to_world": matrix}
    found = cohort_of(tmp_path / "cohort", {"a": {"image": ("volume", volume(SOURCE))}})
    run_of(found, "organs", {"segment": ("label_map", [("a", {}, labels(FINE, **came))])})
    return found


def test_its_own_grid(cohort: Cohort, tmp_path: Path) -> None:
    export(cohort, tmp_path / "out", "nifti", Asked(), ExportOptions(grid="own"))
    seen = by_nibabel(tmp_path / "out" / "a_segment.nii.gz").zyx()
    assert np.abs(seen.positions - FINE.positions_mm()).max() < 1e-4
    np.testing.assert_array_equal(seen.voxels, Canary.within(FINE).label_at(seen.positions))


def test_the_grid_of_the_original_image(cohort: Cohort, tmp_path: Path) -> None:
    report = export(cohort, tmp_path / "out", "nifti", Asked(), ExportOptions())
    assert report.missing == []
    seen = by_nibabel(tmp_path / "out" / "a_segment.nii.gz").zyx()
    assert np.abs(seen.positions - SOURCE.positions_mm()).max() < 1e-4
    drawn = Canary.within(FINE).label_at(seen.positions)
    assert set(np.unique(seen.voxels)) == set(range(7))
    assert (seen.voxels != drawn).mean() < 0.05


def test_what_is_done_to_intensities_is_undone_or_said(tmp_path: Path) -> None:
    undone = volume(SOURCE, intensity=[{"op": "z-score", "scale": [2.0], "offset": [10.0]}])
    stands = volume(SOURCE, intensity=[{"op": "clip"}])
    images = {"a": {"image": ("volume", undone)}, "b": {"image": ("volume", stands)}}
    found = cohort_of(tmp_path / "cohort", images)
    report = export(found, tmp_path / "out", "nifti", Asked(entry="image"), ExportOptions())
    assert report.notes == ["b_image: intensities after clip"]
    plain = Canary.within(SOURCE).image(SOURCE)
    for subject, meant in (("a", 2 * plain + 10), ("b", plain)):
        seen = by_nibabel(tmp_path / "out" / f"{subject}_image.nii.gz").zyx()
        np.testing.assert_allclose(seen.voxels, meant, rtol=1e-5)
    export(found, tmp_path / "own", "nifti", Asked(entry="image"), ExportOptions(grid="own"))
    np.testing.assert_array_equal(
        by_nibabel(tmp_path / "own" / "a_image.nii.gz").zyx().voxels, plain
    )


def test_labels_go_back_under_the_image_they_came_from(cohort: Cohort, tmp_path: Path) -> None:
    export(cohort, tmp_path / "out", "ome-zarr", Asked(), ExportOptions())
    group = zarr.open_group(tmp_path / "out" / "a_image.ome.zarr", mode="r")
    assert group["labels/segment/0"].shape == group["0"].shape == SOURCE.shape
