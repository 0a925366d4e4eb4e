from __future__ import annotations

import numpy as np
import pydantic
import pytest

from cohortflow.cohort.cohort import create_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import BadParameter
from cohortflow.stages import diagrams
from cohortflow.stages.vector_features import STAGE
from cohortflow.topology import (
    betti_curve,
    persistence_image,
    persistence_landscape,
    persistence_silhouette,
    persistence_statistics,
)
from cohortflow.topology.ragged import pack, unpack
from tests.golden.check import assert_golden
from tests.stages.examples import as_entry, run, series_entry

ALL = {
    "features": ["image", "betti", "statistics", "landscape", "silhouette"],
    "range": [0.0, 3.0],
    "resolution": 7,
    "levels": 2,
    "pixels": 3,
    "power": 2.0,
}


def entry(regions: int = 4, valid: list[bool] | None = None) -> Entry:
    values = np.random.default_rng(0).normal(size=(regions, 30))
    return as_entry(diagrams.STAGE, run(diagrams.STAGE, series=series_entry(values, valid=valid)))


def test_golden():
    assert_golden(STAGE, run(STAGE, ALL, diagrams=entry()))


def test_each_column_is_what_its_name_says():
    held = entry()
    dataset = run(STAGE, ALL | {"degrees": [1, 0]}, diagrams=held).dataset
    names = dataset["name"].values.tolist()
    assert len(set(names)) == len(names) == dataset.sizes["feature"] == 2 * (9 + 7 + 24 + 14 + 7)
    assert names[0] == "h1_image_0_0"
    grid, births = np.linspace(0, 3, 7), np.linspace(0, 3, 4)
    for degree in (0, 1):
        for region, bars in enumerate(unpack(held.dataset, degree, 0, 4)):
            bars = bars[np.isfinite(bars[:, 1])]
            row = dict(zip(names, dataset["features"].values[region], strict=True))
            betti, tents = betti_curve(bars, grid), persistence_landscape(bars, grid, 2)
            image = persistence_image(bars, births, births, 1.0, power=2.0)
            assert row[f"h{degree}_betti_2"] == betti[2]
            assert row[f"h{degree}_landscape2_4"] == tents[1, 4]
            assert row[f"h{degree}_silhouette_3"] == persistence_silhouette(bars, grid, 2.0)[3]
            assert row[f"h{degree}_image_0_2"] == image[0, 2]
            for name, value in persistence_statistics(bars).items():
                assert row[f"h{degree}_{name}"] == value


def test_a_row_does_not_depend_on_other_regions():
    whole = run(STAGE, ALL, diagrams=entry()).dataset
    alone = run(STAGE, ALL, diagrams=entry(1)).dataset
    np.testing.assert_array_equal(whole["features"][:1], alone["features"])


def test_invalid_regions_are_nan_and_empty_diagrams_are_not():
    held = entry(valid=[True, False, True, True])
    dataset = held.dataset.copy()
    kept = [bars if i != 3 else bars[:0] for i, bars in enumerate(unpack(dataset, 2, 0, 4))]
    bars, offsets = pack(kept)
    dataset = dataset.drop_vars("birth_death_2").assign(
        birth_death_2=(("bar_2", "birth_death"), bars), offset_2=("roi_edge", offsets)
    )
    held = Entry.in_memory("diagrams", Output(dataset=dataset))
    output = run(STAGE, ALL, diagrams=held)
    features = output.dataset["features"].values
    assert np.isnan(features[1]).all()
    assert np.isfinite(features[[0, 2, 3]]).all()
    h2 = [name.startswith("h2_") for name in output.dataset["name"].values]
    assert not features[3, h2].any()
    assert output.dataset["valid"].values.tolist() == [True, False, True, True]
    assert output.work == {"vectors": 9}


def test_bars_beyond_the_range_are_counted():
    narrow = run(STAGE, {"features": ["betti"], "range": [0.0, 0.5]}, diagrams=entry())
    bars = [b for k in range(3) for b in unpack(entry().dataset, k, 0, 4)]
    finite = [b[np.isfinite(b[:, 1])] for b in bars]
    assert narrow.facts["bars_outside"] == sum((b[:, 1] > 0.5).sum() for b in finite) > 0
    assert narrow.warnings[0]["code"] == "outside-range"
    wide = run(STAGE, {"features": ["betti"], "range": [0.0, 99.0]}, diagrams=entry())
    assert (wide.facts["bars_outside"], wide.warnings) == (0, [])
    assert run(STAGE, diagrams=entry()).facts == {"columns": 72, "bars_outside": 0}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": ["betti"]}, "betti: say which range"),
        ({"features": ["image", "image"], "range": [0, 1]}, "one twice"),
        ({"degrees": [1, 1]}, "one twice"),
        ({"range": [1.0, 1.0]}, "must ascend"),
        ({"features": []}, "at least 1"),
        ({"features": ["shape"]}, "'statistics', 'betti'"),
    ],
)
def test_parameters_that_say_nothing(parameters: dict[str, object], message: str):
    with pytest.raises(pydantic.ValidationError, match=message):
        STAGE.parameters(**parameters)


def test_a_degree_that_was_not_computed():
    few = as_entry(
        diagrams.STAGE,
        run(diagrams.STAGE, {"max_degree": 0}, series=series_entry(np.ones((1, 9)).cumsum(axis=1))),
    )
    with pytest.raises(BadParameter, match="no diagrams"):
        run(STAGE, {"degrees": [0, 1]}, diagrams=few)
    assert run(STAGE, diagrams=few).facts["columns"] == 24


def test_it_is_kept_and_fits_into_the_projected_disk(tmp_path):
    output = run(STAGE, ALL, diagrams=entry())
    cohort = create_cohort(str(tmp_path / "cohort"))
    ref = EntryRef(subject="sub-01", stage="vector_features", key="ab" * 32)
    cohort.entries.commit(ref, STAGE.writes, output, subjects=["sub-01"])
    opened = cohort.entries.open(ref).dataset
    assert opened["name"].values.tolist() == output.dataset["name"].values.tolist()
    np.testing.assert_array_equal(opened["features"], output.dataset["features"])
    projected = STAGE.cost(STAGE.parameters(**ALL), [{"rois": 4, "samples": 30}])
    assert output.dataset.nbytes <= projected.disk_bytes
