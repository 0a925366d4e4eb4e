"""OME-Zarr 0.5: an image in several sizes, and the label maps on its grid under ``labels``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from cohortflow.cohort.entries import EntryRef
from cohortflow.errors import CohortflowError
from cohortflow.exports.colours import colour
from cohortflow.exports.image import Image, export_grid, export_image, intensity_notes
from cohortflow.exports.pyramid import pyramid
from cohortflow.exports.selection import Item
from cohortflow.exports.writer import Files, Writer
from cohortflow.geometry import Grid, grids_agree, ome_multiscales
from cohortflow.geometry.ome_zarr import VERSION

CHUNK = 128


class OmeZarrWriter(Writer):
    """``<subject>_<image>.ome.zarr`` for each image.

    Label maps go under the first image of their subject on their grid: one that is exported with
    them, else an ingested volume. Without one a label map stands as an image of its own.
    """

    kinds: ClassVar = frozenset({"volume", "label_map", "image_2d"})
    libraries: ClassVar = ("zarr",)

    def bundles(self, items: Sequence[Item]) -> list[list[Item]]:
        found: list[tuple[Grid | None, list[Item]]] = []
        for item in sorted(items, key=lambda one: one.kind == "label_map"):
            grid = self._grid(item)
            for other, bundle in found:
                if item.kind == "label_map" and _together(item, grid, bundle[0], other):
                    bundle.append(item)
                    break
            else:
                found.append((grid, [item]))
        return [bundle for _, bundle in found]

    def _grid(self, item: Item) -> Grid | None:
        try:
            return export_grid(item.open().dataset, item.kind, self.options.grid)
        except CohortflowError:
            return None  # what is wrong with it is told when it is written

    def write(self, bundle: Sequence[Item]) -> Files:
        images = [export_image(item.open(), self.options.grid) for item in bundle]
        stem, root = bundle[0].stem(), images[0]
        labels = list(zip(bundle, images, strict=True))[root.kind != "label_map" :]
        if root.kind == "label_map":
            found = self._ingested_image(str(bundle[0].subject), root.grid)
            if found is None:
                labels = labels[1:]
            else:
                stem, root = f"{bundle[0].subject}_{found[0]}", found[1]
        named = {item.stem().removeprefix(f"{item.subject}_"): image for item, image in labels}
        return Files(trees={f"{stem}.ome.zarr": _group(root, named)}, notes=_notes(stem, root))

    def _ingested_image(self, subject: str, grid: Grid) -> tuple[str, Image] | None:
        ingested = self.ingested.subjects.get(subject)
        for name, known in (ingested.entries if ingested else {}).items():
            if known.kind in ("volume", "image_2d"):
                entry = self.cohort.entries.open(EntryRef(subject, known.stage, known.key))
                if grids_agree(grid, export_grid(entry.dataset, known.kind, "own")):
                    return name, export_image(entry, "own")
        return None


def _together(item: Item, grid: Grid | None, other: Item, its: Grid | None) -> bool:
    if grid is None or its is None or item.subject != other.subject:
        return False
    return grids_agree(grid, its)


def _notes(stem: str, image: Image) -> list[str]:
    notes = intensity_notes(stem, image)
    if image.grid.index_to_world is None:
        notes.append(f"{stem}: of unknown spacing; its axes have no unit")
    elif image.grid.is_oblique:
        notes.append(f"{stem}: oblique, which OME-Zarr has no place for; index_to_world holds it")
    if image.kind == "label_map":
        notes.append(f"{stem}: there is no image on its grid; the label map stands alone")
    return notes


def _group(image: Image, labels: Mapping[str, Image]) -> dict[str, bytes]:
    """The files of the group: path → bytes, the same bytes for the same voxels."""
    import zarr
    from zarr.storage import MemoryStore

    store = MemoryStore()
    root = zarr.create_group(store, zarr_format=3)
    _write_image(root, image)
    if labels:
        ome = {"version": VERSION, "labels": list(labels)}
        inside = root.create_group("labels", attributes={"ome": ome})
        for name, label in labels.items():
            _write_image(inside.create_group(name), label, source="../../")
    return {name: store._store_dict[name].to_bytes() for name in sorted(store._store_dict)}


def _write_image(group: Any, image: Image, source: str = "") -> None:
    from zarr.codecs import BloscCodec

    dims, solid = _dims_and_solid(image)
    spacing = (1.0, 1.0, 1.0) if image.grid.index_to_world is None else image.grid.spacing_mm
    levels = {}
    sizes = pyramid(solid, spacing, labels=image.kind == "label_map")
    for number, (factors, level) in enumerate(sizes):
        levels[str(number)] = factors
        data = level.squeeze(-3) if image.flat else level
        group.create_array(
            str(number),
            data=np.ascontiguousarray(data),
            chunks=tuple(
                1 if dim == "channel" else min(CHUNK, n)
                for dim, n in zip(dims, data.shape, strict=True)
            ),
            dimension_names=dims,
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
        )
    ome = ome_multiscales(image.grid, dims, levels)
    if image.kind == "label_map":
        ome["image-label"] = _label_metadata(image, source)
    group.attrs.update({"ome": ome, **image.grid.attributes()})


def _dims_and_solid(image: Image) -> tuple[list[str], np.ndarray]:
    """The dims that are written, and the voxels with an axis z, also where there was none."""
    solid = image.array[:, None] if image.kind == "image_2d" else image.array
    dims = ["channel", "z", "y", "x"][-solid.ndim :]
    return [dim for dim in dims if dim != "z" or not image.flat], solid


def _label_metadata(image: Image, source: str) -> dict[str, Any]:
    present = set(np.unique(image.array).tolist()) | set(image.label_names)
    values = sorted(int(value) for value in present if value)
    found: dict[str, Any] = {
        "version": VERSION,
        "colors": [{"label-value": value, "rgba": [*colour(value), 255]} for value in values],
        "properties": [
            {"label-value": value, "name": image.label_names.get(value, f"label {value}")}
            for value in values
        ],
    }
    return found | ({"source": {"image": source}} if source else {})
