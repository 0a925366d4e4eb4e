"""``cohortflow export`` as a person types it."""

from __future__ import annotations

from pathlib import Path

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
    assert cli("export", cohort.url, out, "--as", "table").code == 4
    assert not out.exists()
    run_of(cohort, "bones", {"segment": ("label_map", [("sub-01", {}, labels(GRIDS["RAS"]))])})
    ambiguous = cli("export", cohort.url, out, "--as", "nifti")
    assert (ambiguous.code, "bones, organs" in ambiguous.err) == (2, True)
    out.mkdir()
    (out / "mine.txt").write_text("x")
    taken = cli("export", cohort.url, out, "--as", "nifti", "--pipeline", "bones")
    assert (taken.code, "export-target-taken" in taken.err) == (5, True)
