"""What a quality check of one image looks at: three planes, its geometry, its intensities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import NotFinite
from cohortflow.geometry import Grid, orientation, require_agreement
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.preprocess.planes import three_planes
from cohortflow.stages._regions import PROCESS_BYTES

MOST_LABELS = 256


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


def preview(
    parameters: Preview, context: Context, image: Entry, label: Entry | None = None
) -> Output:
    """Planes through the middle of the labels, and in the facts what tables and outliers need.

    Of several channels the first. Raises :class:`GeometryMismatch`, :class:`NotFinite`.
    """
    where = context.subject or ""
    dataset = image.dataset
    array = dataset["image"].values
    array = array[0] if array.ndim == 4 else array
    grid = Grid.from_attributes(array.shape, dataset.attrs)
    labels = None
    if label is not None:
        labels = label.dataset["label"].values
        require_agreement(
            grid, Grid.from_attributes(labels.shape, label.dataset.attrs), where=where
        )
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise NotFinite("voxels without a value", where=where, found=f"{bad} of {array.size}")
    limits = None
    if parameters.black is not None and parameters.white is not None:
        limits = (parameters.black, parameters.white)
    planes = three_planes(array, grid, labels, limits)
    variables: dict[str, Any] = {}
    for name, plane in planes.items():
        dims = (f"{name}_row", f"{name}_column")
        variables[name] = (
            dims, plane.image, {"pixel_mm": list(plane.pixel_mm), "sides": plane.sides},
        )  # fmt: skip
        if plane.label is not None:
            variables[f"{name}_label"] = (dims, plane.label)
    facts = {**_geometry(grid), **_intensities(array)}
    if labels is not None:
        facts["labels"] = _volumes(labels, grid)
    return Output(dataset=xr.Dataset(variables), facts=facts, work={"voxels": int(array.size)})


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


def _volumes(labels: npt.NDArray[Any], grid: Grid) -> dict[str, float]:
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
