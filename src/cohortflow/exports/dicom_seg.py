"""DICOM SEG: a binary segmentation that refers to the images it was drawn on, by highdicom.

BINARY, one bit per voxel and segment, is what viewers read; LABELMAP is too young for most.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.util
import io
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cohortflow.cohort.cohort import Cohort
from cohortflow.errors import EmptyInput, MissingExtra, NoSourceImages
from cohortflow.exports.codes import segment_codes
from cohortflow.exports.colours import colour
from cohortflow.exports.dicom_source import SourceSeries, find_series
from cohortflow.exports.image import Image, export_image
from cohortflow.exports.selection import Item
from cohortflow.exports.writer import ExportOptions, Files, Writer

if TYPE_CHECKING:
    from pydicom import Dataset

# Dates lead back to a person and change from day to day; where DICOM wants one it gets this.
_DAY, _HOUR = datetime.date(1900, 1, 1), datetime.time(0)
_SERIES_NUMBER = 1000


class DicomSegWriter(Writer):
    """One ``.dcm`` per label map, a segment per label that stands in it or that has a name.

    Segments are numbered as their labels where those are 1 to n, else in their order; the text of a
    segment says its label. The patient is the study id; names and dates are left out. What leads
    back are the UIDs of the images, without which no viewer would find them.
    """

    kinds: ClassVar = frozenset({"label_map"})
    libraries: ClassVar = ("highdicom", "pydicom")

    def __init__(self, cohort: Cohort, options: ExportOptions, pipeline: str | None) -> None:
        super().__init__(cohort, options, pipeline)
        if importlib.util.find_spec("highdicom") is None:
            raise MissingExtra(
                "DICOM SEG is written by highdicom, which is not installed",
                hint="pip install 'cohortflow[seg]'",
            )
        self._subjects = 0

    def bundles(self, items: Sequence[Item]) -> list[list[Item]]:
        self._subjects = len({item.subject for item in items})
        return super().bundles(items)

    def write(self, bundle: Sequence[Item]) -> Files:
        (item,) = bundle
        image = export_image(item.open(), self.options.grid)
        _ = image.grid.matrix  # index space is refused here
        series, way = find_series(self._paths(item), image.grid, item.stem())
        turned = way.apply(image.array)
        frames = np.empty_like(turned)
        frames[list(series.order)] = turned
        segmentation = self._segmentation(item, image, series, frames)
        buffer = io.BytesIO()
        segmentation.save_as(buffer)
        return Files({f"{item.stem()}.dcm": buffer.getvalue()})

    def _paths(self, item: Item) -> list[Path]:
        folder = self.options.dicom_from
        if folder is None:
            known = [Path(file.path) for file in self.cohort.source_map.files(str(item.subject))]
            return [path for path in known if path.exists()]
        own = folder / str(item.subject)
        if own.is_dir():
            return [own]
        if self._subjects == 1 and folder.exists():
            return [folder]
        raise NoSourceImages(
            "the folder of DICOM images holds none for this subject",
            where=item.stem(),
            expected="a folder in it that is named as the subject",
        )

    def _segmentation(
        self, item: Item, image: Image, series: SourceSeries, frames: npt.NDArray[Any]
    ) -> Dataset:
        from highdicom.seg import Segmentation

        labels = _labels(image, item)
        numbers = np.zeros(frames.shape, dtype=np.uint16)
        numbers[frames != 0] = 1 + np.searchsorted(labels, frames[frames != 0])
        sources = [_source(one, str(item.subject), image) for one in series.images]
        parts = (self.cohort.id, item.key, item.stem())
        found = Segmentation(
            source_images=sources,
            pixel_array=numbers,
            segmentation_type="BINARY",
            segment_descriptions=self._segments(item, image, labels),
            series_instance_uid=_uid("series", *parts),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=_uid("instance", *parts, *(one.SOPInstanceUID for one in sources)),
            instance_number=1,
            manufacturer="cohortflow",
            manufacturer_model_name="cohortflow",
            software_versions=version("cohortflow"),
            device_serial_number="0",
            content_label="SEGMENTATION",
            content_description=item.name[:64],
            content_date=_DAY,
            content_time=_HOUR,
            series_description=item.name[:64],
        )
        _settle(found, _uid("dimensions", *parts))
        return found

    def _segments(self, item: Item, image: Image, labels: Sequence[int]) -> list[Any]:
        from highdicom import AlgorithmIdentificationSequence
        from highdicom.color import CIELabColor
        from highdicom.seg import SegmentDescription
        from pydicom.sr.codedict import codes

        algorithm = AlgorithmIdentificationSequence(
            name=f"{self.pipeline or 'as taken in'}: {item.name}"[:64],
            family=codes.DCM.ArtificialIntelligence,
            version=item.key[:16],
        )
        segments = []
        for number, label in enumerate(labels, start=1):
            name = image.label_names.get(label, f"label {label}")
            coded = segment_codes(label, name)
            segment = SegmentDescription(
                segment_number=number,
                segment_label=name[:64],
                segmented_property_category=coded.category,
                segmented_property_type=coded.kind,
                algorithm_type="AUTOMATIC" if self.pipeline else "SEMIAUTOMATIC",
                algorithm_identification=algorithm,
                display_color=CIELabColor.from_rgb(*colour(label)),
            )
            segment.SegmentDescription = f"label {label}"
            if coded.side is not None:
                segment.SegmentedPropertyTypeCodeSequence[
                    0
                ].SegmentedPropertyTypeModifierCodeSequence = [_coded(coded.side)]
            segments.append(segment)
        return segments


def _labels(image: Image, item: Item) -> list[int]:
    present = {int(value) for value in np.unique(image.array)} | set(image.label_names)
    labels = sorted(present - {0})
    if not labels:
        raise EmptyInput("a label map without labels makes no segment", where=item.stem())
    return labels


def _source(image: Dataset, subject: str, drawn: Image) -> Dataset:
    """A stripped header with what a segmentation copies of a patient and a study: the study id."""
    image.SpecificCharacterSet = "ISO_IR 192"
    image.PatientID = subject
    for name in (
        "PatientName",
        "PatientSex",
        "AccessionNumber",
        "StudyID",
        "ReferringPhysicianName",
    ):
        setattr(image, name, "")
    for name in ("PatientBirthDate", "StudyDate", "StudyTime"):
        setattr(image, name, None)
    if "PerFrameFunctionalGroupsSequence" not in image and not image.get("SliceThickness"):
        image.SliceThickness = f"{drawn.grid.spacing_mm[0]:.9g}"
    return image


def _settle(segmentation: Dataset, dimensions: str) -> None:
    """Take out the time of writing, and give a UID that was drawn by lot one that stays."""
    for name in ("InstanceCreationDate", "InstanceCreationTime"):
        if name in segmentation:
            del segmentation[name]
    for equipment in segmentation.get("ContributingEquipmentSequence", ()):
        equipment.pop("ContributionDateTime", None)
    for element in segmentation.iterall():
        if element.keyword == "DimensionOrganizationUID":
            element.value = dimensions


def _coded(code: Any) -> Dataset:
    from highdicom.sr import CodedConcept

    concept: Dataset = CodedConcept(code.value, code.scheme_designator, code.meaning)
    return concept


def _uid(*parts: str) -> str:
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
