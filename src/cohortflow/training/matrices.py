"""The matrices of one network, of many subjects, as one array."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cohortflow.cohort.entry import Entry, Item
from cohortflow.errors import BadParameter, MissingValues, RegionCountMismatch, UnknownName, nearest


@dataclass(frozen=True)
class NetworkMatrices:
    """``values`` float64 (subject, roi_i, roi_j), its subjects, and those left out with the reason.

    A subject is left out when a region of the network is not valid in it.
    """

    values: NDArray[np.float64]
    subjects: list[str]
    keys: list[str]
    regions: list[str]
    kind: str = ""
    left_out: dict[str, str] = field(default_factory=dict)


def network_matrices(items: Iterable[Item], network: str, degree: int | None) -> NetworkMatrices:
    """Read the block of ``network`` (and homology ``degree``) from every item.

    Accepts ``distance_matrix`` (degree, roi_i, roi_j) and ``connectivity`` (roi_i, roi_j) with
    ``valid``, ``network`` and ``region`` (roi). Errors: :class:`UnknownName` for a network nobody
    has, :class:`BadParameter` for a degree that does not fit, :class:`RegionCountMismatch` when two
    subjects list different regions, :class:`MissingValues` for NaN among valid regions.
    """
    values: list[NDArray[np.float64]] = []
    subjects: list[str] = []
    keys: list[str] = []
    left_out: dict[str, str] = {}
    regions: list[str] | None = None
    kind = ""
    for item in items:
        dataset = item.entry.dataset
        kind = item.entry.kind
        rows = _rows_of(dataset, network, item.subject)
        names = [str(name) for name in dataset["region"].values[rows]]
        regions = names if regions is None else regions
        _check_regions(names, regions, network, item.subject)
        invalid = rows[~dataset["valid"].values[rows].astype(bool)]
        if invalid.size:
            names = [str(name) for name in dataset["region"].values[invalid]]
            left_out[item.subject] = "no valid series in " + ", ".join(names)
            continue
        values.append(_block(item.entry, rows, degree, item.subject))
        subjects.append(item.subject)
        keys.append(item.entry.key)
    size = len(regions or [])
    stacked = np.stack(values) if values else np.empty((0, size, size))
    return NetworkMatrices(stacked, subjects, keys, regions or [], kind, left_out)


def _rows_of(dataset: xr.Dataset, network: str, subject: str) -> NDArray[np.int64]:
    names = dataset["network"].values.astype(str)
    rows = np.flatnonzero(names == network)
    if rows.size < 2:
        raise UnknownName(
            f"network {network!r} has {rows.size} regions",
            where=subject,
            expected="two regions at least",
            hint=nearest(network, {name for name in names if name}),
        )
    return rows


def _check_regions(found: list[str], expected: list[str], network: str, subject: str) -> None:
    if found != expected:
        raise RegionCountMismatch(
            f"the regions of network {network!r} differ from those of the subjects before",
            where=subject,
            expected=f"{len(expected)}: {', '.join(expected[:5])} …",
            found=f"{len(found)}: {', '.join(found[:5])} …",
        )


def _block(
    entry: Entry, rows: NDArray[np.int64], degree: int | None, subject: str
) -> NDArray[np.float64]:
    array = _plane(entry, degree, subject)
    first, second = array.dims
    block = array.isel({first: rows, second: rows}).values.astype(np.float64)
    if not np.isfinite(block).all():
        raise MissingValues(
            "the matrix holds values that are not finite between valid regions", where=subject
        )
    return np.asarray(block)


def _plane(entry: Entry, degree: int | None, subject: str) -> xr.DataArray:
    if entry.kind == "connectivity":
        if degree is not None:
            raise BadParameter(
                "a connectivity matrix has no homology degree",
                where=subject,
                expected="degree: null",
                found=f"degree: {degree}",
            )
        return entry.dataset["connectivity"]
    distance = entry.dataset["distance"]
    known: list[Any] = (
        distance["degree"].values.tolist()
        if "degree" in distance.coords
        else list(range(distance.sizes["degree"]))
    )
    if degree not in known:
        raise BadParameter(
            "no such homology degree in the distance matrices",
            where=subject,
            expected=f"one of {known}",
            found=f"degree: {degree}",
        )
    return distance.isel(degree=known.index(degree))
