from __future__ import annotations

import math

import numpy as np
import pytest

from cohortflow.errors import MissingValues, MixedRepetitionTimes, SeriesTooShort
from cohortflow.stages.standardise import STAGE, Standardise, resolve
from tests.golden.check import assert_golden
from tests.stages.examples import run, series_entry


def facts(samples: int, tr_s: float | None = 2.0) -> dict[str, object]:
    return {"rois": 4, "samples": samples, "tr_s": tr_s}


def series(samples: int = 120) -> np.ndarray:
    return np.random.default_rng(0).normal(5.0, 3.0, (4, samples))


def test_golden():
    values = series()
    values[1, :100] = 2.5
    output = run(STAGE, {"length": 100}, series=series_entry(values, ["A", "A", "B", "B"]))
    assert_golden(STAGE, output)


def test_shortest_is_that_of_subjects_long_enough():
    resolved = resolve(Standardise(), {"a": facts(176), "b": facts(240), "c": facts(60)})
    assert resolved.length == 176
    alone = resolve(Standardise(), {"a": facts(60)})
    assert alone.length == 100


def test_steering_parameters_leave_the_key():
    allowed = Standardise(mixed_tr="allow", minimum_length=50)
    mixed = {"a": facts(176, 2.0), "b": facts(180, 1.5)}
    assert resolve(allowed, mixed) == Standardise(length=176)
    # Without a length the minimum decides on each recording and must stay.
    everything = Standardise(length=None, minimum_length=50)
    assert resolve(everything, {"a": facts(176)}) == everything


def test_mixed_repetition_times_are_counted():
    mixed = {
        "a": facts(176, 2.0),
        "b": facts(180, 1.5),
        "c": facts(190, 2.0),
        "d": facts(170, None),
    }
    with pytest.raises(MixedRepetitionTimes, match=r"1.5 s × 1, 2 s × 2, unknown × 1"):
        resolve(Standardise(), mixed)


def test_repetition_times_that_nobody_knows_do_not_differ():
    unknown = {"a": facts(176, None), "b": facts(180, math.nan)}
    assert resolve(Standardise(), unknown).length == 176


def test_crops_scores_and_carries_the_regions():
    entry = series_entry(series(), ["A", "B", "B", "A"], valid=[True, True, True, False])
    dataset = run(STAGE, {"length": 100}, series=entry).dataset
    assert dataset.sizes["time"] == 100
    np.testing.assert_allclose(dataset["series"][:3].mean("time"), 0.0, atol=1e-12)
    np.testing.assert_allclose(dataset["series"][:3].std("time"), 1.0)
    assert not dataset["series"][3].any()
    assert dataset["valid"].values.tolist() == [True, True, True, False]
    assert dataset["network"].values.tolist() == ["A", "B", "B", "A"]
    assert dataset.attrs["tr_s"] == 2.0


def test_a_region_constant_after_cropping_is_invalid_and_named():
    values = series()
    values[2, :100] = 7.0
    output = run(STAGE, {"length": 100}, series=series_entry(values))
    assert output.dataset["valid"].values.tolist() == [True, True, False, True]
    assert "r2" in output.warnings[0]["message"]
    assert not run(STAGE, {"length": 120}, series=series_entry(values)).warnings


def test_scale_none_keeps_the_values():
    output = run(STAGE, {"length": 100, "scale": "none"}, series=series_entry(series()))
    np.testing.assert_array_equal(output.dataset["series"], series()[:, :100])


@pytest.mark.parametrize(
    ("samples", "parameters"),
    [(99, {"length": 100}), (80, {"length": None}), (99, {"length": "shortest"})],
)
def test_too_short(samples: int, parameters: dict[str, object]):
    with pytest.raises(SeriesTooShort, match="at least 100"):
        run(STAGE, parameters, series=series_entry(series(samples)))


def test_missing_values_hurt_only_in_valid_regions():
    values = series()
    values[0, 3] = np.nan
    with pytest.raises(MissingValues):
        run(STAGE, {"length": 100}, series=series_entry(values))
    output = run(STAGE, {"length": 100}, series=series_entry(values, valid=[False, 1, 1, 1]))
    assert np.isfinite(output.dataset["series"]).all()
