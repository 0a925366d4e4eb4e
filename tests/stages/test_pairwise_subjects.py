from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.cohort.tiles import whole_matrix
from cohortflow.errors import RegionCountMismatch, UndefinedResult
from cohortflow.stages import by_roi, pairwise_subjects
from cohortflow.topology import wasserstein_distance
from cohortflow.topology.ragged import unpack
from tests.golden.check import assert_golden
from tests.stages.examples import Cohort, as_entry, many, run, without_region


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return Cohort(subjects=4, regions=3, samples=40, max_degree=2)


@pytest.fixture(scope="module")
def gathered(cohort: Cohort) -> Entry:
    return as_entry(by_roi.STAGE, run(by_roi.STAGE, diagrams=many(cohort.diagrams)))


def test_golden_by_roi(gathered: Entry):
    assert_golden(by_roi.STAGE, Output(dataset=gathered.dataset, facts=gathered.facts))


def test_golden_pairwise_subjects(gathered: Entry):
    assert_golden(
        pairwise_subjects.STAGE, run(pairwise_subjects.STAGE, {"roi": 2}, diagrams=gathered)
    )


def test_region_major_holds_the_same_bars(cohort: Cohort, gathered: Entry):
    assert gathered.dataset["subject"].values.tolist() == list(cohort.diagrams)
    for degree in range(3):
        for s, entry in enumerate(cohort.diagrams.values()):
            for r, expected in enumerate(unpack(entry.dataset, degree, 0, 3)):
                cell = r * 4 + s
                (found,) = unpack(gathered.dataset, degree, cell, cell + 1)
                np.testing.assert_array_equal(found, expected)


def test_every_cell_can_be_computed_again(cohort: Cohort, gathered: Entry):
    output = run(pairwise_subjects.STAGE, {"roi": 1}, diagrams=gathered)
    bars = {s: unpack(entry.dataset, 1, 1, 2)[0] for s, entry in cohort.diagrams.items()}
    matrix = output.dataset["distance"].sel(degree=1).values
    for i, a in enumerate(bars.values()):
        for j, b in enumerate(bars.values()):
            assert matrix[i, j] == pytest.approx(wasserstein_distance(a, b), rel=1e-12)
    assert output.dataset.attrs["region"] == "r1"


def test_an_invalid_region_leaves_its_subject_out_and_says_so(cohort: Cohort):
    entries = dict(cohort.diagrams) | {"sub-02": without_region(cohort.diagrams["sub-02"], 1)}
    gathered = as_entry(by_roi.STAGE, run(by_roi.STAGE, diagrams=many(entries)))
    output = run(pairwise_subjects.STAGE, {"roi": 1}, diagrams=gathered)
    matrix = output.dataset["distance"].values
    assert output.work == {"distances": 3 * 3}, "of three subjects, in three degrees"
    assert np.isnan(matrix[:, 1]).all()
    assert np.isnan(matrix[:, :, 1]).all()
    assert np.isfinite(np.delete(np.delete(matrix, 1, 1), 1, 2)).all()
    assert output.facts["left_out"] == ["sub-02"]
    elsewhere = run(pairwise_subjects.STAGE, {"roi": 0}, diagrams=gathered)
    assert np.isfinite(elsewhere.dataset["distance"]).all()


def test_missing_subjects_are_counted(cohort: Cohort):
    read = many(cohort.diagrams, missing=[{"subject": "sub-09"}])
    assert run(by_roi.STAGE, diagrams=read).facts == {"subjects": 4, "missing": 1}


def test_subjects_of_other_regions_are_refused(cohort: Cohort):
    dataset: xr.Dataset = cohort.diagrams["sub-03"].dataset.copy()
    dataset["region"] = ("roi", np.array(["r0", "r2", "r1"]))
    other = Entry.in_memory("diagrams", Output(dataset=dataset), subject="sub-03")
    with pytest.raises(RegionCountMismatch, match="sub-03"):
        run(by_roi.STAGE, diagrams=many(cohort.diagrams | {"sub-03": other}))


def test_a_region_that_is_not_there(gathered: Entry):
    with pytest.raises(UndefinedResult, match="roi below 3"):
        run(pairwise_subjects.STAGE, {"roi": 3}, diagrams=gathered)


def test_tiles_of_two_blocks_are_the_whole_to_the_last_bit(cohort: Cohort, gathered: Entry):
    names = list(cohort.diagrams)
    invalid = dict(cohort.diagrams) | {"sub-02": without_region(cohort.diagrams["sub-02"], 1)}
    parts = [
        as_entry(by_roi.STAGE, run(by_roi.STAGE, diagrams=many({s: invalid[s] for s in block})))
        for block in (names[:3], names[3:])
    ]
    whole = as_entry(by_roi.STAGE, run(by_roi.STAGE, diagrams=many(invalid)))
    for roi in range(3):
        read = {"diagrams": parts[0], "others": parts[1]}
        outputs = [
            run(pairwise_subjects.STAGE, {"roi": roi}, diagrams=parts[0]),
            run(pairwise_subjects.STAGE, {"roi": roi}, **read),
            run(pairwise_subjects.STAGE, {"roi": roi}, diagrams=parts[1]),
        ]
        together = run(pairwise_subjects.STAGE, {"roi": roi}, diagrams=whole)
        view = whole_matrix([output.dataset for output in outputs if output.dataset is not None])
        xr.testing.assert_identical(view.load(), together.dataset)
        assert sum(output.work["distances"] for output in outputs) == together.work["distances"]
        assert outputs[1].facts["left_out"] == (["sub-02"] if roi == 1 else [])
        assert outputs[1].dataset["other"].values.tolist() == names[3:]


def test_two_blocks_of_other_regions_are_refused(cohort: Cohort, gathered: Entry):
    renamed = gathered.dataset.assign(region=("roi", np.array(["r0", "r2", "r1"])))
    other = Entry.in_memory(gathered.kind, Output(dataset=renamed))
    with pytest.raises(RegionCountMismatch, match="two blocks"):
        run(pairwise_subjects.STAGE, {"roi": 0}, diagrams=gathered, others=other)
