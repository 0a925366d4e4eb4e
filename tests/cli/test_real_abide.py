"""The main job on real recordings: 24 subjects, four sites, three repetition times,
constant regions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

SLUG = "autism-persistent-homology"
LEFT_OUT = ["SDSU_0050184", "SDSU_0050195"]
QUICK = (
    "--set", "axes.network=[FP]", "--set", "axes.degree=[0]", "--set", "diagrams.max_degree=0",
    "--set", "axes.seed=[0]", "--set", "classify.model=random_forest",
    "--set", "classify_correlation.model=random_forest", "--set", "peak.epochs=2",
)  # fmt: skip
ALLOW = ("--set", "standardise.mixed_tr=allow")


@pytest.mark.slow
def test_autism_against_control_in_one_network(
    cli: CommandLine, test_data: Path, tmp_path: Path
) -> None:
    fmri, cohort = test_data / "fmri", tmp_path / "cohort"
    ingested = cli(
        "ingest", fmri / "abide_cc200", cohort,
        "--participants", fmri / "abide_phenotypic.csv",
        "--atlas", f"cc200={fmri / 'atlases' / 'CC200_ROI_labels.csv'}",
        "--repetition-times", fmri / "abide_repetition_times.csv",
    )  # fmt: skip
    assert ingested.code == 0, ingested.err
    assert "24 new" in ingested.out

    refused = cli("run", SLUG, cohort, *QUICK)
    assert refused.code == 5
    assert "error [mixed-repetition-times]" in refused.err

    run = cli("run", SLUG, cohort, *QUICK, *ALLOW, "--json")
    assert run.code == 0, run.err
    report = json.loads(Path(run.json()["report"]).with_suffix(".json").read_text())
    left_out = _rows(report, "left_out", "left_out")
    assert {row["step"] for row in left_out} >= {"rank_sum_map", "classify", "score"}
    assert all(row["subjects"] == LEFT_OUT for row in left_out)
    (accuracy,) = _rows(report, "accuracy", "accuracy")
    correct, cases = accuracy["hits"]
    assert cases == 22, "24 subjects, two of them without a valid series in the network"
    low, high = accuracy["interval"]
    assert low <= correct / cases <= high
    assert "mixed_tr=allow" in json.dumps(report)

    again = cli("run", SLUG, cohort, *QUICK, *ALLOW)
    assert (again.code, "nothing to do" in again.out) == (0, True)


def _rows(report: dict, section: str, table: str) -> list[dict]:
    blocks = report["sections"][section]["blocks"]
    return next(block["rows"] for block in blocks if block.get("name") == table)
