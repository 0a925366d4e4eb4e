"""The DICOM images that a label map was drawn on: found by subject, chosen by geometry.

Only what places an image and what a segmentation must refer to is read from a header.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohortflow.errors import AmbiguousExport, CohortflowError, GeometryMismatch, NoSourceImages
from cohortflow.geometry import DicomPlanes, Grid, Reorientation, grid_from_dicom

if TYPE_CHECKING:
    from pydicom import Dataset

_UIDS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
)
_PLACING = (
    "Rows",
    "Columns",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "NumberOfFrames",
    "Modality",
    "InstanceNumber",
    "SeriesNumber",
)
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_IN_GROUPS = ("PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence")


@dataclass(frozen=True)
class SourceSeries:
    """``images``: stripped headers. ``order``: frames of all of them, as stacked along ``grid``."""

    images: tuple[Dataset, ...]
    grid: Grid
    order: tuple[int, ...]

    @property
    def number(self) -> str:
        return str(self.images[0].get("SeriesNumber", "?"))


def find_series(
    paths: Iterable[Path], grid: Grid, where: str
) -> tuple[SourceSeries, Reorientation]:
    """The one series of which the voxels are those of ``grid``, and the way from it to the series.

    Raises :class:`NoSourceImages` where there is no series, :class:`GeometryMismatch` with both
    matrices where none lies on the grid, :class:`AmbiguousExport` where several do.
    """
    series = list(_series(paths, where))
    if not series:
        raise NoSourceImages(
            "no DICOM series is there",
            where=where,
            expected="images with UIDs and a place",
            hint="A DICOM SEG refers to the images it was drawn on: name their folder with "
            "--dicom-from, with a folder per subject in it, or export as nifti.",
        )
    found: list[tuple[SourceSeries, Reorientation]] = []
    refusals: list[GeometryMismatch] = []
    for one in series:
        try:
            found.append((one, Reorientation.onto(grid, one.grid, where)))
        except GeometryMismatch as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    if len(found) > 1:
        numbers = ", ".join(sorted(one.number for one, _ in found))
        raise AmbiguousExport(
            "several DICOM series lie on this grid",
            where=where,
            found=f"series numbers {numbers}",
            hint="Name a folder with --dicom-from that holds the one that was segmented.",
        )
    return found[0]


def _series(paths: Iterable[Path], where: str) -> Iterable[SourceSeries]:
    by_uid: dict[tuple[str, tuple[int, ...]], dict[str, Dataset]] = {}
    for path in _files(paths):
        header = _header(path)
        if header is not None:
            uid = (str(header.SeriesInstanceUID), (int(header.Rows), int(header.Columns)))
            by_uid.setdefault(uid, {})[str(header.SOPInstanceUID)] = header
    for _, images in sorted(by_uid.items()):
        try:
            yield _stacked(tuple(images.values()), where)
        except CohortflowError:
            continue  # a scout, a series with holes: nothing that was ever taken in


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file())
        elif path.is_file():
            yield path


def _header(path: Path) -> Dataset | None:
    """What places the image and names it; None where the file is no image of DICOM's."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        full = pydicom.dcmread(
            path, stop_before_pixels=True, specific_tags=[*_UIDS, *_PLACING, *_GROUPS]
        )
    except (InvalidDicomError, OSError, ValueError, EOFError):
        return None
    if any(not full.get(name) for name in (*_UIDS, "Rows", "Columns")) or full.Modality == "SEG":
        return None
    stripped = pydicom.Dataset()
    for name in (*_UIDS, *_PLACING):
        if name in full:
            stripped[name] = full[name]
    for name in _GROUPS:
        if name in full:
            setattr(stripped, name, [_group(item) for item in full[name].value])
    return stripped


def _group(item: Dataset) -> Dataset:
    from pydicom import Dataset

    kept = Dataset()
    for name in _IN_GROUPS:
        if name in item:
            kept[name] = item[name]
    return kept


def _stacked(images: Sequence[Dataset], where: str) -> SourceSeries:
    frames = [frame for image in images for frame in _frames(image)]
    orientations = {tuple(round(float(c), 4) for c in frame[0]) for frame in frames}
    if len(orientations) > 1:
        raise NoSourceImages("a series of several orientations", where=where)
    orientation, _, spacing = frames[0]
    planes = DicomPlanes(
        int(images[0].Rows),
        int(images[0].Columns),
        tuple(float(c) for c in orientation),
        tuple(tuple(float(c) for c in frame[1]) for frame in frames),  # type: ignore[misc]
        (float(spacing[0]), float(spacing[1])),
    )
    thick = _thickness(images[0])
    grid, order = grid_from_dicom(planes, single_slice_mm=thick, where=where)
    if len(images) > 1 and len(frames) > len(images):
        raise NoSourceImages("a series of several images of many frames", where=where)
    if len(images) > 1:  # one image holds its frames in an order of its own
        images, order = [images[i] for i in order], tuple(range(len(order)))
    return SourceSeries(tuple(images), grid, order)


Frame = tuple[Sequence[Any], Sequence[Any], Sequence[Any]]


def _frames(image: Dataset) -> list[Frame]:
    """Orientation, position, spacing of each frame; raises :class:`NoSourceImages` without."""
    try:
        if "PerFrameFunctionalGroupsSequence" not in image:
            return [(image.ImageOrientationPatient, image.ImagePositionPatient, image.PixelSpacing)]
        shared = image.SharedFunctionalGroupsSequence[0]
        return [_frame(own, shared) for own in image.PerFrameFunctionalGroupsSequence]
    except (AttributeError, IndexError, KeyError) as error:
        raise NoSourceImages("an image that says not where it lies") from error


def _frame(own: Dataset, shared: Dataset) -> Frame:
    def macro(name: str) -> Dataset:
        found: Dataset = (own if name in own else shared)[name].value[0]
        return found

    return (
        macro("PlaneOrientationSequence").ImageOrientationPatient,
        macro("PlanePositionSequence").ImagePositionPatient,
        macro("PixelMeasuresSequence").PixelSpacing,
    )


def _thickness(image: Dataset) -> float | None:
    """The thickness that a lone slice states."""
    stated = image.get("SpacingBetweenSlices") or image.get("SliceThickness")
    return float(stated) if stated else None
