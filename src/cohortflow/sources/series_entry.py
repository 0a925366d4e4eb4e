"""The ``roi_series`` entry of one recording: rows in the atlas' order, what is invalid, facts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import xarray as xr

from cohortflow.cohort.entry import Output
from cohortflow.sources.atlases import ALL, Atlas
from cohortflow.sources.roi_series import RoiSeries

READER_VERSION = 1
"""Part of the key of every ingested series: raised whenever the arrays change."""


@dataclass(frozen=True)
class _Regions:
    labels: tuple[str, ...]
    networks: tuple[str, ...]
    xyz_mm: np.ndarray | None
    rows: np.ndarray
    by_position: bool


def series_output(
    series: RoiSeries, *, atlas: Atlas | None = None, tr_s: float = math.nan, where: str = ""
) -> Output:
    """Arrays (roi, time), facts and warnings of a series.

    Variables: ``series`` (roi, time) float64, ``valid``, ``network``, ``region`` (roi) and, where
    known, ``x``, ``y``, ``z`` (roi) in MNI mm; attribute ``tr_s`` in seconds (NaN unknown). A
    region without variance is invalid and named in a warning.

    Raises :class:`RegionCountMismatch` where the atlas has another number of regions.
    """
    regions = _regions(series, atlas, where)
    values = series.values[regions.rows]
    valid = ~series.constant[regions.rows]
    variables: dict[str, tuple[object, ...]] = {
        "series": (("roi", "time"), values),
        "valid": (("roi",), valid),
        "network": (("roi",), np.array(regions.networks)),
        "region": (("roi",), np.array(regions.labels)),
    }
    if regions.xyz_mm is not None:
        for i, axis in enumerate("xyz"):
            variables[axis] = (("roi",), regions.xyz_mm[:, i].copy(), {"units": "mm"})
    constant = [label for label, good in zip(regions.labels, valid, strict=True) if not good]
    facts = {
        "rois": len(regions.labels),
        "samples": int(values.shape[1]),
        "tr_s": None if math.isnan(tr_s) else tr_s,
        "constant_regions": constant,
        "networks": dict(Counter(regions.networks)),
        "invalid_by_network": dict(
            Counter(n for n, good in zip(regions.networks, valid, strict=True) if not good)
        ),
    }
    return Output(
        dataset=xr.Dataset(variables, attrs={"tr_s": float(tr_s)}),
        facts=facts,
        warnings=_warnings(constant, regions.by_position, atlas),
    )


def _regions(series: RoiSeries, atlas: Atlas | None, where: str) -> _Regions:
    count = len(series.values)
    if atlas is None:
        labels = _unique(series.names or tuple(str(i) for i in range(1, count + 1)))
        return _Regions(labels, (ALL,) * count, None, np.arange(count), False)
    rows, by_position = atlas.order_of(series.names, count, where)
    return _Regions(atlas.labels, atlas.networks, atlas.xyz_mm, rows, by_position)


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    times = Counter(names)
    return tuple(
        name if times[name] == 1 else f"{name} {i}" for i, name in enumerate(names, start=1)
    )


def _warnings(
    constant: list[str], by_position: bool, atlas: Atlas | None
) -> tuple[dict[str, str], ...]:
    warnings = []
    if constant:
        count = len(constant)
        warnings.append(
            {
                "code": "constant-region",
                "message": f"{count} region{'s' if count > 1 else ''} without variance, not used: "
                + ", ".join(constant),
            }
        )
    if by_position and atlas is not None:
        warnings.append(
            {
                "code": "regions-by-position",
                "message": f"the names of the regions are not those of {atlas.name}; "
                "they were taken in the order of its numbers",
            }
        )
    return tuple(warnings)
