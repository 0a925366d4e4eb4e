"""Real recordings: 24 subjects of ABIDE with their table, atlas and repetition times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohortflow.cohort.cohort import create_cohort
from cohortflow.sources.ingest import IngestOptions, ingest
from cohortflow.sources.roi_series import read_roi_series


@pytest.fixture
def fmri(test_data: Path) -> Path:
    return test_data / "fmri"


def test_abide(fmri: Path, tmp_path: Path) -> None:
    cohort = create_cohort(tmp_path / "cohort")
    options = IngestOptions(
        participants=fmri / "abide_phenotypic.csv",
        atlas=f"cc200={fmri / 'atlases' / 'CC200_ROI_labels.csv'}",
        repetition_times=str(fmri / "abide_repetition_times.csv"),
    )
    report = ingest(cohort, fmri / "abide_cc200", options)
    assert (len(report.new), report.refused) == (24, {})
    assert set(report.warnings) == {"SDSU_0050184", "SDSU_0050195"}
    people = cohort.participants
    assert people["group"].value_counts().to_dict() == {"autism": 12, "control": 12}
    assert people.loc["Leuven_2_0050722"].to_dict() == {
        "number": 1,
        "patient": "Leuven_2_0050722",
        "group": "control",
        "site": "LEUVEN_2",
        "age": 13.8,
        "sex": "female",
    }
    facts = {s: e.entries["series"].facts for s, e in cohort.ingested.subjects.items()}
    assert {f["rois"] for f in facts.values()} == {200}
    assert {(f["samples"], f["tr_s"]) for f in facts.values()} == {
        (246, 1.656),
        (176, 2.0),
        (196, 1.5),
    }
    assert len(facts["SDSU_0050184"]["constant_regions"]) == 1
    assert len(facts["SDSU_0050195"]["constant_regions"]) == 9
    assert sum(facts["NYU_0050952"]["networks"].values()) == 200
    path = fmri / "abide_cc200" / "NYU_0050952_rois_cc200.1D.gz"
    stored = cohort["NYU_0050952"]["series"]
    np.testing.assert_array_equal(stored["series"], np.loadtxt(path).T)
    again = ingest(cohort, fmri / "abide_cc200", options)
    assert (len(again.unchanged), again.number) == (24, report.number)


def test_quoted_headers_of_a_real_table(fmri: Path) -> None:
    series = read_roi_series(fmri / "fmri_timeseries.csv")
    assert series.values.shape == (31, 250)
    assert series.names is not None
    assert series.names[:3] == ("WM", "Vent", "Brain")
