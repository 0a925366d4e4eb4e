"""Generated matrices of two groups, as entries for the learning stages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from cohortflow.cohort.entry import Entry, Item, Many, Output
from cohortflow.pipeline.stage import Context

NETWORK = ["A"] * 5 + ["B"] * 4
REGIONS = [f"r{i}" for i in range(9)]


def distance_entry(subject: str, group: str, seed: int, invalid: Iterable[int] = ()) -> Entry:
    """Degrees 0 and 2; patients lie further apart in region 1 (network A), NaN across networks."""
    rng = np.random.default_rng(seed)
    distance = rng.gamma(4.0, 0.5, size=(2, 9, 9))
    if group == "MCI":
        distance[:, 1, :] += 3.0
        distance[:, :, 1] += 3.0
    distance = np.triu(distance, 1)
    distance = distance + distance.transpose(0, 2, 1)
    network = np.array(NETWORK)
    valid = np.ones(9, bool)
    valid[list(invalid)] = False
    known = (network[:, None] == network) & valid[:, None] & valid
    distance[:, ~known] = np.nan
    dataset = xr.Dataset(
        {
            "distance": (("degree", "roi_i", "roi_j"), distance),
            "valid": ("roi", valid),
            "network": ("roi", network),
            "region": ("roi", np.array(REGIONS)),
        },
        coords={"degree": [0, 2]},
    )
    return Entry.in_memory("distance_matrix", Output(dataset=dataset), subject=subject)


def connectivity_entry(entry: Entry) -> Entry:
    dataset = entry.dataset
    values = np.exp(-dataset["distance"].values[0])
    held = {name: dataset[name] for name in ("valid", "network", "region")}
    connectivity = xr.Dataset({"connectivity": (("roi_i", "roi_j"), values), **held})
    return Entry.in_memory("connectivity", Output(dataset=connectivity), subject=entry.subject)


class Matrices:
    """Subjects ``sub-00`` …, HC and MCI in turn."""

    def __init__(self, subjects: int = 12, first: int = 0, **invalid: Iterable[int]) -> None:
        names = [f"sub-{i:02d}" for i in range(first, first + subjects)]
        self.columns: dict[str, dict[str, Any]] = {
            name: {"group": ("HC", "MCI")[i % 2]} for i, name in enumerate(names)
        }
        self.entries = {
            name: distance_entry(
                name,
                self.columns[name]["group"],
                seed=1000 + first + i,
                invalid=invalid.get(name.replace("-", "_"), ()),
            )
            for i, name in enumerate(names)
        }

    @property
    def many(self) -> Many:
        return Many([Item({"subject": s}, entry) for s, entry in self.entries.items()])

    @property
    def connectivity(self) -> Many:
        return Many([Item({"subject": s}, connectivity_entry(e)) for s, e in self.entries.items()])

    def context(self, **options: Any) -> Context:
        return Context(columns=self.columns, **options)
