"""BIDS-Derivatives: names, sidecars and tables as the BIDS validator wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any, ClassVar

from cohortflow.exports.bids_names import BidsName, bids_names, description_label
from cohortflow.exports.bids_tables import participants, tsv
from cohortflow.exports.image import Image, export_image, require_world
from cohortflow.exports.nifti import nifti_gz, nifti_notes
from cohortflow.exports.selection import Item
from cohortflow.exports.writer import Files, Rows, Writer

BIDS_VERSION = "1.10.0"
OTHER = "image"
_SUFFIXES = frozenset(
    [
        "T1w",
        "T2w",
        "T1rho",
        "T1map",
        "T2map",
        "T2star",
        "T2starw",
        "T2starmap",
        "FLAIR",
        "FLASH",
        "PD",
        "PDw",
        "PDmap",
        "PDT2",
        "UNIT1",
    ]
)
_README = """Written by cohortflow {version} from a cohort; this is no raw data set.

`cohortflow-export.json` names every file, its digest and the result it was written from.
"""


class BidsWriter(Writer):
    """``sub-…/[ses-…/]anat/…_space-orig_[res-…_]desc-…_dseg.nii.gz`` and what belongs to it.

    A volume has the suffix that its name is (an entry ``T1w``), else ``image``, which is no BIDS
    suffix and stands in ``.bidsignore``.
    """

    kinds: ClassVar = frozenset({"volume", "label_map"})
    libraries: ClassVar = ("nibabel", "isal")

    @cached_property
    def names(self) -> dict[str, BidsName]:
        return bids_names(self.ingested.subjects)

    def write(self, bundle: Sequence[Item]) -> Files:
        (item,) = bundle
        entry = item.open()
        image = export_image(entry, self.options.grid)
        require_world(image, self.options.allow_index_space)
        suffix = _suffix(item)
        stem = self._stem(item, image, suffix)
        files = {
            f"{stem}.nii.gz": nifti_gz(image),
            f"{stem}.json": _json(_sidecar(item, image, suffix, entry.dataset.attrs)),
        }
        if suffix == "dseg":
            files[f"{stem}.tsv"] = tsv(
                ["index", "name"],
                [[number, name] for number, name in sorted(image.label_names.items())],
            )
        return Files(files, notes=nifti_notes(item, image))

    def _stem(self, item: Item, image: Image, suffix: str) -> str:
        name = self.names[str(item.subject)]
        resolution = f"_res-{description_label(item.name, {})}" if image.resampled else ""
        description = description_label(item.name, item.point)
        return f"{name.folder}/anat/{name.stem}_space-orig{resolution}_desc-{description}_{suffix}"

    def about(self, rows: Rows) -> Mapping[str, bytes]:
        described = {description_label(row["name"], row["point"]): _told(row) for row in rows}
        pipelines = sorted({row["pipeline"] for row in rows if row["pipeline"]})
        generated: dict[str, Any] = {"Name": "cohortflow", "Version": version("cohortflow")}
        if pipelines:
            generated["Description"] = f"Results of the pipeline {', '.join(pipelines)}"
        authors = {"Authors": list(self.options.authors)} if self.options.authors else {}
        card = {
            "Name": self.cohort.title or "Results of a cohort",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            **authors,
            "GeneratedBy": [generated],
        }
        files = {
            "dataset_description.json": _json(card),
            "README.md": _README.format(version=version("cohortflow")).encode(),
            "descriptions.tsv": tsv(
                ["desc_id", "description"],
                [[f"desc-{label}", told] for label, told in sorted(described.items())],
            ),
            "descriptions.json": _json({"Description": "What each desc- label stands for"}),
            ".bidsignore": f"cohortflow-export.json\n*_{OTHER}.nii.gz\n*_{OTHER}.json\n".encode(),
        }
        # Rows of earlier exports may be of subjects that have left the cohort since.
        ids = {str(row["subject"]) for row in rows}
        names = {one: self.names.get(one) or bids_names([one])[one] for one in sorted(ids)}
        return files | participants(self.ingested, names)


def _suffix(item: Item) -> str:
    if item.kind == "label_map":
        return "dseg"
    return item.name if item.name in _SUFFIXES else OTHER


def _sidecar(
    item: Item, image: Image, suffix: str, attributes: Mapping[Any, Any]
) -> dict[str, Any]:
    row = {"name": item.name, "point": item.point, "pipeline": ""}
    found: dict[str, Any] = {"Description": _told(row), "SpatialReference": "orig"}
    if image.resampled and image.grid.index_to_world is not None:
        spacing = " × ".join(f"{mm:.6g}" for mm in reversed(image.grid.spacing_mm))
        found["Resolution"] = f"{spacing} mm (i, j, k)"
    if suffix in _SUFFIXES:
        found["SkullStripped"] = bool(attributes.get("skull_stripped", False))
    return found


def _told(row: Mapping[str, Any]) -> str:
    point = ", ".join(f"{axis} {label}" for axis, label in row["point"].items())
    of = f" of {row['pipeline']}" if row["pipeline"] else ""
    return f"{row['name']}{of}" + (f" at {point}" if point else "")


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
