"""Atlases: what region a row of a series is, where it lies, and to which network it belongs."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from cohortflow.errors import (
    EmptyInput,
    NotANumber,
    RegionCountMismatch,
    UnknownName,
    UsageError,
    nearest,
)
from cohortflow.sources.tables import Table, read_table

NETWORKS = {
    "default": "DMN",
    "cingulo-opercular": "CO",
    "fronto-parietal": "FP",
    "occipital": "OP",
    "sensorimotor": "SM",
    "cerebellum": "CB",
}
"""Short names of the six networks of the Dosenbach atlas, in the order of our tables."""

ALL = "all"
"""The network of every region where none is known."""


@dataclass(frozen=True)
class Atlas:
    """Regions in the order of every matrix computed from them.

    ``number``: the label of the region in the atlas. ``network``: None where the atlas has none.
    ``xyz_mm`` (roi, 3): centres in MNI space (RAS+, mm), None where unknown.
    """

    name: str
    labels: tuple[str, ...]
    number: tuple[int, ...]
    network: tuple[str, ...] | None = None
    xyz_mm: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def networks(self) -> tuple[str, ...]:
        """The network of each region, ``all`` where none is known."""
        return self.network or (ALL,) * len(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the content; the file it came from does not matter."""
        where = None if self.xyz_mm is None else self.xyz_mm.tolist()
        content = json.dumps([self.labels, self.number, self.networks, where])
        return hashlib.sha256(content.encode()).hexdigest()

    def order_of(
        self, names: Sequence[str] | None, count: int, where: str
    ) -> tuple[np.ndarray, bool]:
        """Which row of a series each region is, and whether that rests on position alone.

        Named rows go by label or number; unnamed ones stand in the order of the atlas' numbers.
        Raises :class:`RegionCountMismatch`.
        """
        if count != len(self):
            raise RegionCountMismatch(
                "the series has another number of regions than the atlas",
                where=where,
                expected=f"{len(self)} regions of {self.name}",
                found=f"{count} regions",
                hint="Choose the atlas that the series were extracted with.",
            )
        keys: Sequence[Sequence[str]] = (self.labels, [str(n) for n in self.number])
        if names is not None and len(set(names)) == count:
            row = {name: i for i, name in enumerate(names)}
            for wanted in keys:
                if set(wanted) == set(names):
                    return np.array([row[name] for name in wanted]), False
        rank = np.empty(count, dtype=np.int64)
        rank[np.argsort(self.number, kind="stable")] = np.arange(count)
        return rank, names is not None


@cache
def dosenbach160() -> Atlas:
    """The 160 regions of Dosenbach et al. (2010) with their six networks.

    Coordinates and labels ship with nilearn. Inside a network the order is that of nilearn's
    ``ordered_regions=True`` (regions of one name side by side); the networks follow
    :data:`NETWORKS`.
    """
    from nilearn.datasets import fetch_coords_dosenbach_2010

    table = fetch_coords_dosenbach_2010(ordered_regions=True)
    short = [NETWORKS[str(name)] for name in table["networks"]]
    rank = {name: i for i, name in enumerate(NETWORKS.values())}
    order = sorted(range(len(short)), key=lambda i: rank[short[i]])
    labels = [str(table["labels"][i]) for i in order]
    return Atlas(
        name="dosenbach160",
        labels=tuple(labels),
        number=tuple(int(label.rsplit(" ", 1)[1]) for label in labels),
        network=tuple(short[i] for i in order),
        xyz_mm=np.asarray(table["rois"], dtype=np.float64)[order],
    )


def read_atlas(path: Path | str) -> Atlas:
    """Read a table of regions by its header: ``label`` or ``name`` or ``region``, ``number`` or
    ``roi``, ``x``, ``y``, ``z`` (MNI mm), ``network``; whatever is there beyond one of the first
    two. A column ``center of mass`` with ``(x;y;z)``, as the label tables of the Preprocessed
    Connectomes Project have it, stands for the three coordinates.
    """
    table = read_table(path)
    if not table.rows:
        raise EmptyInput("the atlas has no regions", where=table.name)
    number_at = table.find("number", "roi number", "roi", "index", "id")
    label_at = table.find("label", "name", "region", "roi name")
    if number_at is None and label_at is None:
        raise UnknownName(
            "the atlas names its regions nowhere",
            where=table.name,
            expected="a column 'label' or 'number'",
            hint=nearest("label", table.columns),
        )
    number = _numbers(table, number_at)
    network_at = table.find("network")
    return Atlas(
        name=_plain_name(table.name),
        labels=_labels(table, label_at, number),
        number=number,
        network=tuple(row[network_at] or ALL for row in table.rows) if network_at else None,
        xyz_mm=_coordinates(table),
    )


def _plain_name(name: str) -> str:
    return name.split(".", 1)[0]


def _numbers(table: Table, column: str | None) -> tuple[int, ...]:
    if column is None:
        return tuple(range(1, len(table.rows) + 1))
    numbers = tuple(
        int(_number(row[column], table, line, column))
        for row, line in zip(table.rows, table.lines, strict=True)
    )
    twice = [n for n, times in Counter(numbers).items() if times > 1]
    if twice:
        raise UsageError("a region number stands twice", where=table.name, found=str(twice[0]))
    return numbers


def _labels(table: Table, column: str | None, number: Sequence[int]) -> tuple[str, ...]:
    if column is None:
        return tuple(str(n) for n in number)
    labels = [row[column] for row in table.rows]
    times = Counter(labels)
    return tuple(
        label if label and times[label] == 1 else f"{label} {n}".strip()
        for label, n in zip(labels, number, strict=True)
    )


def _coordinates(table: Table) -> np.ndarray | None:
    centre = table.find("center of mass", "centre of mass")
    axes = [table.find(axis, f"{axis}_mm", f"mni_{axis}") for axis in "xyz"]
    rows = zip(table.rows, table.lines, strict=True)
    if all(axes):
        return np.array(
            [[_number(row[str(a)], table, line, str(a)) for a in axes] for row, line in rows]
        )
    if centre is None:
        return None
    points = []
    for row, line in rows:
        fields = row[centre].strip("()[] ").split(";")
        if len(fields) != 3:
            raise NotANumber(
                "no centre of mass",
                where=f"{table.name} line {line}",
                expected="(x;y;z)",
                found=row[centre],
            )
        points.append([_number(field, table, line, centre) for field in fields])
    return np.array(points)


def _number(text: str, table: Table, line: int, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise NotANumber(
            f"no number in the column {column!r}",
            where=f"{table.name} line {line}",
            expected="a number",
            found=repr(text),
        )
    return value


def with_nearest_networks(atlas: Atlas, reference: Atlas | None = None) -> Atlas:
    """Give each region the network of the nearest coordinate of ``reference`` (Dosenbach-160).

    Euclidean distance in mm; of equally near coordinates the one with the lowest number counts.
    """
    reference = reference or dosenbach160()
    if atlas.xyz_mm is None or reference.xyz_mm is None or reference.network is None:
        raise UsageError(
            "networks by nearest coordinate need coordinates in both atlases",
            where=atlas.name,
            expected="columns x, y, z",
        )
    by_number = np.argsort(reference.number, kind="stable")
    apart = atlas.xyz_mm[:, None, :] - reference.xyz_mm[by_number][None, :, :]
    nearest_one = by_number[np.argmin((apart**2).sum(axis=2), axis=1)]
    return replace(atlas, network=tuple(reference.network[i] for i in nearest_one))


def with_networks_from(atlas: Atlas, path: Path | str) -> Atlas:
    """Take the networks from a table with a column ``network`` beside ``label`` or ``number``."""
    table = read_atlas(path)
    if table.network is None:
        raise UnknownName("no column 'network'", where=table.name)
    by_label = dict(zip(table.labels, table.network, strict=True))
    by_number = dict(zip(table.number, table.network, strict=True))
    if set(atlas.labels) <= set(by_label):
        return replace(atlas, network=tuple(by_label[label] for label in atlas.labels))
    absent = [n for n in atlas.number if n not in by_number]
    if absent:
        raise RegionCountMismatch(
            "the table of networks lacks regions of the atlas",
            where=table.name,
            expected=f"{len(atlas)} regions of {atlas.name}",
            found=f"none for region {absent[0]}",
        )
    return replace(atlas, network=tuple(by_number[n] for n in atlas.number))


def atlas_named(spec: str, networks: Path | str | None = None) -> Atlas | None:
    """The atlas that an option names.

    ``dosenbach160``, ``cc200=PATH`` (its label table), the path of a table, or ``none``. A table
    without networks takes them from ``networks``, else by nearest Dosenbach coordinate where it
    has coordinates, else all its regions are one network, ``all``.
    """
    if spec == "none":
        return None
    named = re.fullmatch(r"([A-Za-z0-9_]+)=(.+)", spec)
    if spec == "dosenbach160":
        return dosenbach160()
    if not named and not Path(spec).exists():
        raise UnknownName(
            f"no atlas {_plain_name(Path(spec).name)!r}",
            expected="dosenbach160, cc200=PATH, the path of a table that exists, or none",
        )
    atlas = read_atlas(named[2] if named else spec)
    if named:
        atlas = replace(atlas, name=named[1])
    if networks is not None:
        return with_networks_from(atlas, networks)
    if atlas.network is None and atlas.xyz_mm is not None:
        return with_nearest_networks(atlas)
    return atlas
