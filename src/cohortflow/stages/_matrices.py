"""The matrices of one network, of many subjects, as one array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cohortflow.cohort.entry import Entry, Item
from cohortflow.errors import BadParameter, MissingValues, RegionCountMismatch, UnknownName, nearest
from cohortflow.stages._regions import network_rows, text


@dataclass(frozen=True)
class NetworkMatrices:
    """``values`` float64 (subject, roi_i, roi_j), its subjects, and those left out with the reason,
    of one ``network`` and homology ``degree``.

    A subject is left out when a region of the network is not valid in it.
    """

    network: str
    degree: int | None
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
        labels = text(dataset, "region")
        names = labels[rows].tolist()
        regions = names if regions is None else regions
        _check_regions(names, regions, network, item.subject)
        invalid = rows[~dataset["valid"].values[rows].astype(bool)]
        if invalid.size:
            left_out[item.subject] = "no valid series in " + ", ".join(labels[invalid])
            continue
        values.append(_block(item.entry, rows, degree, item.subject))
        subjects.append(item.subject)
        keys.append(item.entry.key)
    size = len(regions or [])
    stacked = np.stack(values) if values else np.empty((0, size, size))
    return NetworkMatrices(network, degree, stacked, subjects, keys, regions or [], kind, left_out)


def left_out_warnings(found: NetworkMatrices) -> list[dict[str, str]]:
    """One warning that names every subject left out and its reason."""
    if not found.left_out:
        return []
    who = "; ".join(f"{subject}: {reason}" for subject, reason in sorted(found.left_out.items()))
    return [{"code": "left-out", "message": f"left out of network {found.network}: {who}"}]


def refuse_other_matrices(found: NetworkMatrices, kind: str, regions: Sequence[str]) -> None:
    """:class:`RegionCountMismatch` unless ``found`` is of the kind and regions trained on."""
    if not found.kind:
        return
    for name, wanted, given in (
        ("kind of matrix", kind, found.kind),
        ("regions", ", ".join(regions), ", ".join(found.regions)),
    ):
        if wanted != given:
            raise RegionCountMismatch(
                f"the weights were trained on other matrices: {name}", expected=wanted, found=given
            )


def _rows_of(dataset: xr.Dataset, network: str, subject: str) -> NDArray[np.int64]:
    rows = network_rows(dataset, network)
    if rows.size < 2:
        raise UnknownName(
            f"network {network!r} has {rows.size} regions",
            where=subject,
            expected="two regions at least",
            hint=nearest(network, {name for name in text(dataset, "network").tolist() if name}),
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
