"""An entry's voxels on the grid on which they leave: their own, or that of the original image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from cohortflow.cohort.entry import Entry
from cohortflow.errors import NoWorldSpace
from cohortflow.geometry import Grid
from cohortflow.preprocess.lineage import INTENSITY, SOURCE_SHAPE, source_grid

GridChoice = Literal["source", "own"]
VARIABLES = {"volume": "image", "label_map": "label", "image_2d": "image"}


@dataclass(frozen=True)
class Image:
    """``array``: (z, y, x) or (channel, z, y, x) on ``grid``; of a picture (channel, y, x).

    ``label_names``: number → name. ``resampled``: it leaves on a grid that is not that of the image
    it was made of. ``flat``: there was no axis z; in a label map it is one voxel long.
    ``not_undone``: what still stands of what was done to intensities, where they should be those of
    the source.
    """

    kind: str
    array: npt.NDArray[Any]
    grid: Grid
    label_names: Mapping[int, str]
    resampled: bool
    flat: bool = False
    not_undone: tuple[str, ...] = ()


def export_grid(dataset: xr.Dataset, kind: str, choice: GridChoice) -> Grid:
    """The grid on which an entry will leave; no voxel is read."""
    attributes = dataset.attrs
    sizes = dataset[VARIABLES[kind]].sizes
    grid = Grid.from_attributes((sizes.get("z", 1), sizes["y"], sizes["x"]), attributes)
    return source_grid(grid, attributes) if choice == "source" else grid


def export_image(entry: Entry, choice: GridChoice) -> Image:
    """The voxels of a volume, label map or picture, read whole.

    ``choice``: ``source`` puts what was resampled back on the grid of its original image, what
    never left its grid stays on it; scalings of intensities are undone as well. ``own`` is the
    entry as it stands.
    """
    dataset = entry.dataset
    back = _goes_back(dataset, choice)
    names = dataset.attrs.get("label_names") or {}
    placed = _to_source(dataset) if back else dataset
    array = np.asarray(placed[VARIABLES[entry.kind]].values)
    return Image(
        kind=entry.kind,
        array=array[None] if array.ndim == 2 else array,
        grid=export_grid(placed, entry.kind, "own"),
        label_names={int(number): str(name) for number, name in names.items()},
        resampled=SOURCE_SHAPE in dataset.attrs and not back,
        flat="z" not in placed[VARIABLES[entry.kind]].dims,
        not_undone=tuple(
            str(one.get("op", "")) for one in placed.attrs.get("intensity_not_undone", ())
        ),
    )


def require_world(image: Image, allowed: bool) -> None:
    """Raises :class:`NoWorldSpace` for an image of unknown spacing, unless that is allowed."""
    if image.grid.index_to_world is None and not allowed:
        raise NoWorldSpace(
            "the image has no known spacing, and a file of this format would claim one",
            found=str(image.grid),
            hint="--allow-index-space writes it with a spacing of 1 and no claim to a place.",
        )


def intensity_notes(stem: str, image: Image) -> list[str]:
    """What was done to the intensities and cannot be undone."""
    return [f"{stem}: intensities after {', '.join(image.not_undone)}"] if image.not_undone else []


def _goes_back(dataset: xr.Dataset, choice: GridChoice) -> bool:
    return choice == "source" and not {SOURCE_SHAPE, INTENSITY}.isdisjoint(dataset.attrs)


def _to_source(dataset: xr.Dataset) -> xr.Dataset:
    from cohortflow.preprocess.inverse import to_source

    return to_source(dataset)
