"""What a quality check of one image looks at: three planes, its geometry, its intensities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import NotFinite
from cohortflow.geometry import Grid, orientation, require_agreement
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.preprocess.planes import Plane, three_planes
from cohortflow.stages._regions import PROCESS_BYTES


class Preview(Parameters):
    black: float | None = pydantic.Field(
        None, description="value that is drawn black; None: the 0.5th percentile of the planes"
    )
    white: float | None = pydantic.Field(
        None, description="value that is drawn white; None: the 99.5th percentile of the planes"
    )

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Preview:
        if (self.black is None) != (self.white is None):
            raise ValueError("black and white are given both or neither")
        if self.black is not None and self.white is not None and self.black >= self.white:
            raise ValueError("black must be below white")
        return self

    @property
    def limits(self) -> tuple[float, float] | None:
        """The values that are drawn black and white, where they are given."""
        if self.black is None or self.white is None:
            return None
        return self.black, self.white


def preview(
    parameters: Preview, context: Context, image: Entry, label: Entry | None = None
) -> Output:
    """Planes through the middle of the labels, and in the facts what tables and outliers need.

    Of several channels the first. Raises :class:`GeometryMismatch`, :class:`NotFinite`.
    """
    where = context.subject or ""
    array, grid = image_of(image, where)
    labels = None if label is None else labels_of(label, grid, where)
    planes = three_planes(array, grid, labels, parameters.limits)
    facts = facts_of(array, grid)
    if labels is not None:
        facts["labels"] = volumes(labels, grid)
    return Output(dataset=drawn(planes), facts=facts, work={"voxels": int(array.size)})


def image_of(image: Entry, where: str) -> tuple[npt.NDArray[Any], Grid]:
    """The first channel (z, y, x) and its grid; raises :class:`NotFinite`."""
    array = image.dataset["image"].values
    array = array[0] if array.ndim == 4 else array
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise NotFinite("voxels without a value", where=where, found=f"{bad} of {array.size}")
    return array, Grid.from_attributes(array.shape, image.dataset.attrs)


def labels_of(label: Entry, grid: Grid, where: str) -> npt.NDArray[Any]:
    """Labels (z, y, x), which must lie on the grid; raises :class:`GeometryMismatch`."""
    labels: npt.NDArray[Any] = label.dataset["label"].values
    require_agreement(grid, Grid.from_attributes(labels.shape, label.dataset.attrs), where=where)
    return labels


def drawn(planes: Mapping[str, Plane]) -> xr.Dataset:
    """The planes as a dataset of the kind ``preview``."""
    variables: dict[str, Any] = {}
    for name, plane in planes.items():
        dims = (f"{name}_row", f"{name}_column")
        variables[name] = (
            dims,
            plane.image,
            {"pixel_mm": list(plane.pixel_mm), "sides": plane.sides},
        )
        for suffix, labels in (("label", plane.label), ("reference", plane.reference)):
            if labels is not None:
                variables[f"{name}_{suffix}"] = (dims, labels)
    return xr.Dataset(variables)


def facts_of(array: npt.NDArray[Any], grid: Grid) -> dict[str, Any]:
    """What tables and outliers need: geometry and intensities."""
    return {**_geometry(grid), **_intensities(array)}


def _geometry(grid: Grid) -> dict[str, Any]:
    if grid.index_to_world is None:
        return {"shape": list(grid.shape), "space": "index"}
    spacing = np.round(grid.spacing_mm, 6)
    return {
        "shape": list(grid.shape),
        "space": "world",
        "spacing_mm": spacing.tolist(),
        "extent_mm": np.round(spacing * grid.shape, 3).tolist(),
        "orientation": orientation(grid),
        "oblique": grid.is_oblique,
    }


def _intensities(array: npt.NDArray[Any]) -> dict[str, float]:
    low, p01, p50, p99, high = np.percentile(array, [0, 1, 50, 99, 100]).tolist()
    return {
        "mean": float(array.mean(dtype=np.float64)),
        "sd": float(array.std(dtype=np.float64)),
        "minimum": low,
        "p01": p01,
        "median": p50,
        "p99": p99,
        "maximum": high,
    }


def volumes(labels: npt.NDArray[Any], grid: Grid) -> dict[str, float]:
    """ml of each label, voxels in index space."""
    values, counts = np.unique(labels, return_counts=True)
    voxel = 1.0 if grid.index_to_world is None else grid.voxel_mm3 / 1000
    found = zip(values.tolist(), counts.tolist(), strict=True)
    return {str(value): round(count * voxel, 6) for value, count in found if value != 0}


def cost(parameters: Preview, facts: Sequence[Facts]) -> Cost:
    voxels = sum(int(np.prod(one.get("shape") or [256, 256, 128])) for one in facts)
    return Cost(
        memory_bytes=PROCESS_BYTES + 16 * voxels, disk_bytes=2**18, seconds=0.05 + 4e-8 * voxels
    )


STAGE = Stage(
    name="preview",
    version=1,
    about="Three planes of an image, its geometry and its intensities, for a quality check",
    parameters=Preview,
    reads={"image": Reads(("volume",)), "label": Reads(("label_map",), optional=True)},
    writes="preview",
    scope="subject",
    function=preview,
    cost=cost,
    tolerance=1e-9,
)
