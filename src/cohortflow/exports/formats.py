"""The formats by the name that ``--as`` takes."""

from __future__ import annotations

from cohortflow.errors import UnknownName, nearest
from cohortflow.exports.bids import BidsWriter
from cohortflow.exports.dicom_seg import DicomSegWriter
from cohortflow.exports.nifti import NiftiWriter
from cohortflow.exports.ome_zarr import OmeZarrWriter
from cohortflow.exports.tables import TableWriter
from cohortflow.exports.writer import Writer

FORMATS: dict[str, type[Writer]] = {
    "nifti": NiftiWriter,
    "bids": BidsWriter,
    "dicom-seg": DicomSegWriter,
    "ome-zarr": OmeZarrWriter,
    "table": TableWriter,
}


def format_named(name: str) -> type[Writer]:
    if name not in FORMATS:
        raise UnknownName(f"no format {name!r} to export as", hint=nearest(name, FORMATS))
    return FORMATS[name]
