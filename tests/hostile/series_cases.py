"""Series of DICOM slices that are no volume, and segmentations that are no label map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import SegmentationStorage

from tests.hostile.cases import Case
from tests.hostile.seeds import dicom, dicom_bytes
from tests.sources.images.dicom_files import save, write_series

Edit = Callable[[int, Dataset], None]
VOXELS = np.arange(5 * 6 * 8, dtype=np.int16).reshape(5, 6, 8)
MATRIX = np.array([[0, 0, 0.8, 0], [0, 0.7, 0, 0], [2.5, 0, 0, 0], [0, 0, 0, 1.0]])


def series_cases() -> Iterator[Case]:
    for name, (code, edit) in _EDITS.items():
        yield Case(f"series-{name}", code, _writer(edit))
    yield Case("series-gap", "missing-slice", lambda folder: _remove(folder, 2))
    for place in (400, 700, 900):
        yield Case(f"series-last-cut-at-{place}", "truncated-file", _cut_last(place))
    yield Case("series-one-empty", "empty-input", _cut_last(0))
    yield Case("series-one-is-text", "unreadable-file", _beside(b"not a slice" * 40))
    yield Case("series-a-copy", "duplicate-slice", _copied)
    yield Case("series-of-8000", "too-large", _eight_thousand)
    yield from _segmentations()


def _writer(edit: Edit) -> Callable[[Path], object]:
    return lambda folder: write_series(folder, VOXELS, MATRIX, edit=edit)


def _moved(which: int, *by: float) -> Edit:
    def edit(z: int, dataset: Dataset) -> None:
        if z == which:
            place = [float(n) + d for n, d in zip(dataset.ImagePositionPatient, by, strict=True)]
            dataset.ImagePositionPatient = place

    return edit


def _set(which: int | None = None, **tags: Any) -> Edit:
    def edit(z: int, dataset: Dataset) -> None:
        if which is None or z == which:
            for keyword, value in tags.items():
                if value is None:
                    delattr(dataset, keyword)
                else:
                    setattr(dataset, keyword, value)

    return edit


def _tilted(z: int, dataset: Dataset) -> None:
    x, y, height = (float(n) for n in dataset.ImagePositionPatient)
    dataset.ImagePositionPatient = [x, y + 0.4 * z, height]


def _smaller(z: int, dataset: Dataset) -> None:
    if z == 2:
        dataset.Rows = 5
        dataset.PixelData = dataset.PixelData[: 5 * 8 * 2]


def _fanned(z: int, dataset: Dataset) -> None:
    angle = 0.1 * z
    dataset.ImageOrientationPatient = [1, 0, 0, 0, round(np.cos(angle), 6), round(np.sin(angle), 6)]


_EDITS: dict[str, tuple[str, Edit]] = {
    "tilted": ("gantry-tilt", _tilted),
    "duplicate": ("duplicate-slice", _moved(2, 0, 0, 2.5)),
    "all-at-one-place": ("duplicate-slice", _set(ImagePositionPatient=[0, 0, 0])),
    "uneven": ("uneven-slices", _moved(2, 0, 0, 1)),
    "astray": ("uneven-slices", _moved(2, 3, 0, 0)),
    "one-far-away": ("missing-slice", _moved(4, 0, 0, 1e6)),
    "mixed-size": ("mixed-size", _smaller),
    "mixed-spacing": ("mixed-size", _set(1, PixelSpacing=[0.9, 0.8])),
    "mixed-orientation": (
        "mixed-orientation",
        _set(1, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]),
    ),
    "mirrored-slice": ("mixed-orientation", _set(3, ImageOrientationPatient=[-1, 0, 0, 0, 1, 0])),
    "fanned": ("mixed-orientation", _fanned),
    "mixed-sign": ("mixed-pixels", _set(4, PixelRepresentation=0)),
    "mixed-bits": ("mixed-pixels", _set(0, BitsAllocated=8, BitsStored=8, HighBit=7)),
    "one-without-place": ("unknown-spacing", _set(3, ImagePositionPatient=None)),
    "one-without-plane": ("unknown-spacing", _set(3, ImageOrientationPatient=None)),
    "one-without-pixels": ("truncated-file", _set(1, PixelData=None)),
    "one-without-rows": ("truncated-file", _set(4, Rows=None, Columns=None)),
    "one-of-nan": ("bad-header", _set(2, RescaleIntercept="0", RescaleSlope="1e309")),
    "one-of-halves": ("bad-header", _set(2, InstanceNumber="1.5")),
}


def _remove(folder: Path, *which: int) -> None:
    paths = write_series(folder, VOXELS, MATRIX)
    for number in which:
        paths[number].unlink()


def _cut_last(place: int) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        last = write_series(folder, VOXELS, MATRIX)[-1]
        last.write_bytes(last.read_bytes()[:place])

    return write


def _beside(data: bytes) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        write_series(folder, VOXELS, MATRIX)
        (folder / "notes.dcm").write_bytes(data)

    return write


def _copied(folder: Path) -> None:
    paths = write_series(folder, VOXELS, MATRIX)
    (folder / "copy.dcm").write_bytes(paths[3].read_bytes())


def _eight_thousand(folder: Path) -> None:
    """Slices that are whole each, and together more than any volume: said, not there."""

    def large(_: int, dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = 20_000

    write_series(folder, VOXELS, MATRIX, edit=large)


def segmentation(
    kind: str = "BINARY", segments: tuple[int, ...] = (1, 1, 2), **tags: Any
) -> Dataset:
    """Frames of 6 × 8, one for each of ``segments``, each a slice above the other."""
    frames = np.ones((len(segments), 6, 8), np.uint8)
    dataset = dicom(frames[0])
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    dataset.SegmentationType = kind
    dataset.MaximumFractionalValue = 1
    dataset.NumberOfFrames = len(segments)
    dataset.PixelData = frames.tobytes()
    groups = []
    for number, segment in enumerate(segments):
        group, plane, which = Dataset(), Dataset(), Dataset()
        plane.ImagePositionPatient = [0, 0, 3 * number]
        which.ReferencedSegmentNumber = segment
        group.PlanePositionSequence = Sequence([plane])
        group.SegmentIdentificationSequence = Sequence([which])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def _segmentations() -> Iterator[Case]:
    def made(case: str, code: str, dataset: Dataset) -> Case:
        def write(folder: Path) -> None:
            save(dataset, folder / "a.dcm")

        return Case(f"seg-{case}", code, write)

    def at(dataset: Dataset, *places: float) -> Dataset:
        for group, place in zip(dataset.PerFrameFunctionalGroupsSequence, places, strict=True):
            group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, place]
        return dataset

    yield made("overlapping", "overlapping-segments", at(segmentation(), 0, 3, 3))
    yield made("fractional", "fractional-segments", segmentation("FRACTIONAL"))
    yield made("of-no-kind", "fractional-segments", segmentation("GUESSED"))
    yield made("segment-zero", "bad-header", segmentation(segments=(0, 1, 2)))
    yield made("too-few-groups", "bad-header", segmentation(NumberOfFrames=4))
    yield made("too-many-groups", "bad-header", segmentation(NumberOfFrames=2))
    yield made("uneven", "bad-header", at(segmentation(), 0, 3, 7))
    yield made("far-apart", "too-large", at(segmentation(), 0, 0.01, 1e9))
    yield made("nowhere", "unknown-spacing", segmentation(ImageOrientationPatient=None))
    yield made("no-spacing", "unknown-spacing", segmentation(PixelSpacing=None))
    nameless = segmentation()
    del nameless.PerFrameFunctionalGroupsSequence[1].SegmentIdentificationSequence
    yield made("no-segment", "bad-header", nameless)
    placeless = segmentation(ImagePositionPatient=None)
    del placeless.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    yield made("frame-nowhere", "unknown-spacing", placeless)
    elsewhere = segmentation(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])

    def beside_another(folder: Path) -> None:
        write_series(folder, VOXELS, MATRIX)
        (folder / "seg.dcm").write_bytes(dicom_bytes(at(elsewhere, 1000, 1003, 1006)))

    yield Case("seg-beside-another-image", "geometry-mismatch", beside_another)
