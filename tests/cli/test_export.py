"""``cohortflow export`` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np

from cohortflow.geometry import array_to_nifti, nifti_affine
from cohortflow.phantoms.canary import Canary, oriented_grid
from tests.cli.conftest import CommandLine
from tests.exports.samples import GRIDS, labels, run_of, segmented


def test_export_and_again(cli: CommandLine, tmp_path: Path) -> None:
    segmented(tmp_path / "cohort", {"sub-01": GRIDS["RAS"], "sub-02": GRIDS["LPI-oblique"]})
    words = ("export", tmp_path / "cohort", tmp_path / "out", "--as", "nifti")
    first = cli(*words)
    assert first.code == 0, first.err
    assert "2 results" in first.out
    assert (tmp_path / "out" / "sub-02_segment.nii.gz").exists()
    again = cli(*words, "--json")
    assert again.json()["unchanged"] == 2


def test_the_authors_of_a_bids_data_set(cli: CommandLine, tmp_path: Path) -> None:
    segmented(tmp_path / "cohort", {"sub-01": GRIDS["RAS"]})
    words = ("export", tmp_path / "cohort", tmp_path / "out", "--as", "bids")
    assert cli(*words, "--authors", "A. Meier;  B. Okafor").code == 0
    card = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert card["Authors"] == ["A. Meier", "B. Okafor"]


def test_what_is_missing_is_said_and_ends_with_3(cli: CommandLine, tmp_path: Path) -> None:
    cohort = segmented(tmp_path / "cohort", {"sub-01": GRIDS["RAS"], "sub-02": GRIDS["RAS"]})
    rows = [("sub-01", {}, labels(GRIDS["RAS"])), ("sub-02", {}, "failed")]
    run_of(cohort, "organs", {"segment": ("label_map", rows)})
    result = cli("export", cohort.url, tmp_path / "out", "--as", "nifti")
    assert result.code == 3
    assert "sub-02_segment is failed [stage-failed]" in result.err
    assert "1 missing" in result.out


def test_wrong_usage_and_empty_selections(cli: CommandLine, tmp_path: Path) -> None:
    cohort = segmented(tmp_path / "cohort", {"sub-01": GRIDS["RAS"]})
    out = tmp_path / "out"
    assert cli("export", cohort.url, out, "--as", "nifty").code == 2
    assert cli("export", cohort.url, out, "--as", "nifti", "--grid", "mine").code == 2
    assert cli("export", cohort.url, out, "--as", "nifti", "--at", "fold").code == 2
    assert cli("export", cohort.url, out, "--as", "nifti", "--authors", "A. Meier").code == 2
    assert cli("export", cohort.url, out, "--as", "bids", "--authors", " ; ").code == 2
    assert cli("export", cohort.url, out, "--as", "table").code == 4
    assert not out.exists()
    run_of(cohort, "bones", {"segment": ("label_map", [("sub-01", {}, labels(GRIDS["RAS"]))])})
    ambiguous = cli("export", cohort.url, out, "--as", "nifti")
    assert (ambiguous.code, "bones, organs" in ambiguous.err) == (2, True)
    out.mkdir()
    (out / "mine.txt").write_text("x")
    taken = cli("export", cohort.url, out, "--as", "nifti", "--pipeline", "bones")
    assert (taken.code, "export-target-taken" in taken.err) == (5, True)


def test_labels_of_a_resampled_image_land_on_the_original(cli: CommandLine, tmp_path: Path) -> None:
    """From files through ingest, a run that resamples, and back to files."""
    grid = oriented_grid("LPI", spacing_mm=(3.0, 2.4, 2.0), degrees=(5.0, 0.0, 9.0))
    canary = Canary.within(grid)
    for folder, array in (("images", canary.image(grid)), ("labels", canary.labels(grid))):
        (tmp_path / "source" / folder).mkdir(parents=True)
        image = nibabel.Nifti1Image(array_to_nifti(array), nifti_affine(grid))
        nibabel.save(image, tmp_path / "source" / folder / "case1.nii.gz")
    cohort, out = tmp_path / "cohort", tmp_path / "out"
    assert cli("ingest", tmp_path / "source", cohort).code == 0
    assert cli("run", "ct-resample", cohort).code == 0
    said = cli("export", cohort, out, "--as", "nifti")
    assert said.code == 0, said.err
    assert "case1_window: intensities after clip" in said.out
    source = nibabel.load(tmp_path / "source" / "labels" / "case1.nii.gz")
    found = nibabel.load(out / "case1_labels.nii.gz")
    np.testing.assert_allclose(found.affine, source.affine, atol=1e-5)
    there, meant = np.asarray(found.dataobj), np.asarray(source.dataobj)
    assert (there != meant).mean() < 0.002  # there and back, a lone corner may be lost
    assert np.unique(there).tolist() == np.unique(meant).tolist()
    own = cli(
        "export", cohort, tmp_path / "own", "--as", "nifti", "--step", "labels", "--grid", "own"
    )
    assert own.code == 0
    zooms = nibabel.load(tmp_path / "own" / "case1_labels.nii.gz").header.get_zooms()
    np.testing.assert_allclose(zooms, 1.5, atol=1e-5)
