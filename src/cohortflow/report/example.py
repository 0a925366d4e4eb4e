"""Which subject, regions and parameters the pictures show: the same choice in every section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.report.source import ReportSource, ReportUnit, done

if TYPE_CHECKING:
    import xarray as xr

PREFERRED_REGIONS = (
    "post cingulate 108",
    "inf cerebellum 121",
    "IPL 96",
    "occipital 106",
    "post cingulate 80",
    "pre-SMA 41",
)
"""Regions shown first where the atlas has them: those named in figure 4 of the paper."""


def example_unit(source: ReportSource, stage: str) -> ReportUnit | None:
    """The unit of the first subject, in participants order, that has a finished one."""
    by_subject = {unit.subject: unit for unit in reversed(done(source.units(stage=stage)))}
    for subject in map(str, source.participants.index):
        if subject in by_subject:
            return by_subject[subject]
    return None


def shown_regions(regions: Sequence[str], networks: Sequence[str], valid: Any) -> list[int]:
    """Up to six indices: the preferred regions, the first valid one of each network, others."""
    tidy = [" ".join(name.lower().replace("_", " ").split()) for name in regions]
    wanted = [tidy.index(name.lower()) for name in PREFERRED_REGIONS if name.lower() in tidy]
    firsts: dict[str, int] = {}
    for index, network in enumerate(networks):
        if valid[index]:
            firsts.setdefault(network, index)
    rest = [index for index in range(len(regions)) if valid[index]]
    chosen = dict.fromkeys([*(index for index in wanted if valid[index]), *firsts.values(), *rest])
    return list(chosen)[:6]


def labels(dataset: xr.Dataset) -> tuple[list[str], list[str], list[bool]]:
    """Region names, networks and validity, as plain lists."""
    names = [str(name) for name in dataset["region"].values]
    networks = [str(name) for name in dataset["network"].values]
    return names, networks, [bool(flag) for flag in dataset["valid"].values]


def bars(dataset: xr.Dataset, degree: int, region: int) -> Any:
    """Finite bars of one region, (bar, 2), read from the ragged layout."""
    import numpy as np

    first, last = dataset[f"offset_{degree}"].values[region : region + 2]
    found = np.asarray(dataset[f"birth_death_{degree}"][int(first) : int(last)].values)
    return found[np.isfinite(found).all(axis=1)]


def degrees(dataset: xr.Dataset) -> list[int]:
    return [degree for degree in range(8) if f"birth_death_{degree}" in dataset.variables]


def degree_labels(dataset: xr.Dataset) -> list[int]:
    """Homology degrees of a stack of distance matrices: its coordinate, else 0, 1, 2 …"""
    if "degree" in dataset.variables:
        return [int(degree) for degree in dataset["degree"].values]
    return list(range(dataset.sizes["degree"]))
