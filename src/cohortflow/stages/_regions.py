"""What every entry of regions carries along: labels, networks, validity, positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from cohortflow.pipeline.stage import Facts

PROCESS_BYTES = 192 * 2**20
"""What a process with numpy, xarray and zarr occupies before it computes."""
LIBRARIES_BYTES = 448 * 2**20
"""The same with gudhi, scikit-learn, scipy and numba loaded."""


def text(dataset: xr.Dataset, name: str) -> npt.NDArray[np.str_]:
    return np.asarray(dataset[name].values, dtype=np.str_)


def region_variables(
    dataset: xr.Dataset, valid: npt.NDArray[np.bool_] | None = None
) -> dict[str, Any]:
    """``valid``, ``network``, ``region`` and, where known, ``x``, ``y``,
    ``z`` in mm; all (roi,)."""
    found: dict[str, Any] = {
        "valid": ("roi", dataset["valid"].values.astype(bool) if valid is None else valid),
        "network": ("roi", text(dataset, "network")),
        "region": ("roi", text(dataset, "region")),
    }
    for axis in "xyz":
        if axis in dataset.variables:
            found[axis] = ("roi", dataset[axis].values, {"units": "mm"})
    return found


def number(facts: Facts, name: str, default: int) -> int:
    value = facts.get(name)
    return default if value is None else int(value)


def network_rows(dataset: xr.Dataset, network: str) -> npt.NDArray[np.int64]:
    """Where the regions of ``network`` stand along ``roi``."""
    return np.flatnonzero(text(dataset, "network") == network)


def network_sizes(facts: Facts) -> list[int]:
    """Regions per network, as far as ingest knows them; else all regions in one."""
    sizes = facts.get("networks")
    return list(sizes.values()) if isinstance(sizes, Mapping) else [number(facts, "rois", 160)]


def pairs(count: int) -> int:
    return count * (count - 1) // 2
