"""Series of one recording at the cohort's common length, each region z-scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pydantic
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import MissingValues, MixedRepetitionTimes
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.preprocess.series import constant_regions, crop, zscore
from cohortflow.stages._regions import PROCESS_BYTES, number, region_variables


class Standardise(Parameters):
    length: pydantic.PositiveInt | Literal["shortest"] | None = pydantic.Field(
        "shortest", description="samples kept from the start; the cohort's shortest; None keeps all"
    )
    minimum_length: pydantic.PositiveInt = pydantic.Field(
        100, description="samples; shorter recordings fail and do not set the shortest"
    )
    mixed_tr: Literal["refuse", "allow"] = pydantic.Field(
        "refuse", description="whether recordings of different repetition times may stand together"
    )
    scale: Literal["zscore", "none"] = "zscore"


def standardise(parameters: Standardise, context: Context, series: Entry) -> Output:
    """Crop, find constant regions (→ invalid, with a warning), z-score."""
    dataset = series.dataset
    values = dataset["series"].values.astype(np.float64)
    length = parameters.length
    if isinstance(length, int):
        values = crop(values, length)
    else:
        crop(values, parameters.minimum_length)
    given = dataset["valid"].values.astype(bool)
    _refuse_missing(values[given], series)
    constant = np.zeros_like(given)
    constant[given] = constant_regions(values[given])
    valid = given & ~constant
    variables = region_variables(dataset, valid)
    warnings = []
    if constant.any():
        names = ", ".join(variables["region"][1][constant])
        warnings.append(
            {
                "code": "constant-region",
                "message": f"no variance in the first {values.shape[1]} samples, not used: {names}",
            }
        )
    if parameters.scale == "zscore":
        values = np.where(valid[:, None], zscore(np.where(valid[:, None], values, 0.0)), 0.0)
    return Output(
        dataset=xr.Dataset(
            {"series": (("roi", "time"), values), **variables},
            attrs={"tr_s": float(dataset.attrs["tr_s"]), "scale": parameters.scale},
        ),
        facts={"samples": values.shape[1], "invalid": int((~valid).sum())},
        warnings=warnings,
    )


def _refuse_missing(values: np.ndarray, series: Entry) -> None:
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise MissingValues(
            "NaN or infinity inside a valid series",
            where=series.subject or "",
            found=f"{int((~finite).sum())} regions",
        )


def resolve(parameters: Standardise, facts: Mapping[str, Facts]) -> Standardise:
    """``shortest`` → a number of samples; mixed repetition times are refused here.

    ``minimum_length`` and ``mixed_tr`` have done their work where a length results, and go back to
    their defaults.
    """
    if parameters.mixed_tr == "refuse":
        _refuse_mixed(facts)
    changes: dict[str, Any] = {"mixed_tr": "refuse"}
    if parameters.length == "shortest":
        least = parameters.minimum_length
        samples = [number(one, "samples", 0) for one in facts.values()]
        changes["length"] = min((n for n in samples if n >= least), default=least)
    if parameters.length is not None:
        changes["minimum_length"] = Standardise.model_fields["minimum_length"].default
    return parameters.model_copy(update=changes)


def _refuse_mixed(facts: Mapping[str, Facts]) -> None:
    counts = Counter(
        _repetition_time(one) for one in facts.values() if one.get("samples") is not None
    )
    if len(counts) < 2:
        return
    known = sorted(tr for tr in counts if tr is not None)
    found = [f"{tr:g} s × {counts[tr]}" for tr in known]
    if None in counts:
        found.append(f"unknown × {counts[None]}")
    raise MixedRepetitionTimes(
        "the recordings differ in repetition time, so their windows span different times",
        expected="one repetition time",
        found=", ".join(found),
        hint="Select subjects of one repetition time, or say mixed_tr: allow on this step.",
    )


def _repetition_time(facts: Facts) -> float | None:
    tr = facts.get("tr_s")
    return None if tr is None or np.isnan(tr) else round(float(tr), 6)


def cost(parameters: Standardise, facts: Sequence[Facts]) -> Cost:
    size = sum(8 * number(one, "rois", 160) * number(one, "samples", 200) for one in facts)
    return Cost(memory_bytes=PROCESS_BYTES + 8 * size, disk_bytes=2 * size + 16384, seconds=0.01)


STAGE = Stage(
    name="standardise",
    version=1,
    about="Crops the series to a common length and z-scores every region",
    parameters=Standardise,
    reads={"series": Reads(("roi_series",))},
    writes="roi_series",
    scope="subject",
    function=standardise,
    resolve=resolve,
    cost=cost,
    tolerance=1e-12,
)
