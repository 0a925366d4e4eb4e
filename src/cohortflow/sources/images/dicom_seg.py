"""DICOM segmentations as label maps: frames by segment and place, gaps between them empty.

Source: PS3.3, C.8.20 (Segmentation Image).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import (
    BadHeader,
    FractionalSegments,
    GantryTilt,
    MixedOrientation,
    MixedSize,
    OverlappingSegments,
    UnknownSpacing,
)
from cohortflow.geometry import DicomPlanes, grid_from_dicom
from cohortflow.sources.images.decoded import Decoded, ReadOptions, Request, finished, refuse_size
from cohortflow.sources.images.dicom_frames import Frame, frames_of, planes
from cohortflow.sources.images.dicom_headers import Header

_SAME_PLACE = 0.01
_MOST_PARTS = 4
_SAME_PLANE = 1e-4
_ROUNDED_MM = 0.02


def read_segmentation(header: Header, request: Request) -> Decoded:
    """The label map of a segmentation, on the smallest even grid that holds its frames.

    A voxel's label is its segment's number. Overlapping and fractional segments are refused, or on
    request resolved: the higher number wins, a share of one half and more is the segment.
    """
    where = request.where
    frames = frames_of(header, where)
    decoded = Decoded("label", np.empty(0), facts=dict(header.facts), sparse=True)
    kind = str(header.tags.get("SegmentationType", "BINARY"))
    slots, grid = _slots(frames, request.options, where)
    labels = np.zeros(grid.shape, np.uint16)
    for frame, slot, plane in zip(
        frames, slots, planes(frames, request.options, where), strict=True
    ):
        if kind == "LABELMAP":
            background = int(header.tags.get("PixelPaddingValue") or 0)
            chosen = (plane > 0) & (plane != background)
            value = plane.astype(np.uint16)
        else:
            chosen = _chosen(plane, kind, header, decoded, request)
            value = np.full(plane.shape, _segment(frame, where), np.uint16)
        _lay(labels[slot], chosen, value, decoded, request)
    decoded.array, decoded.matrix = labels, grid.index_to_world
    # Names of segments are free text: only their numbers travel.
    return finished(decoded, request.options, where)


def _lay(
    target: npt.NDArray[np.uint16],
    chosen: npt.NDArray[np.bool_],
    value: npt.NDArray[np.uint16],
    decoded: Decoded,
    request: Request,
) -> None:
    both = chosen & (target > 0) & (target != value)
    if both.any() and "overlapping-segments" not in decoded.used.get("accept", []):
        code = OverlappingSegments.code
        if code not in request.options.accept:
            raise OverlappingSegments(
                "segments overlap",
                where=request.where,
                expected="one segment a voxel",
                found=f"{int(both.sum())} voxels of one frame in two",
                hint=f"Let the higher number win with --accept {code}.",
            )
        decoded.used.setdefault("accept", []).append(code)
        decoded.warn(code, "segments overlap: the higher number was taken")
    np.copyto(target, np.maximum(target, value), where=chosen)


def _chosen(
    plane: npt.NDArray[Any], kind: str, header: Header, decoded: Decoded, request: Request
) -> npt.NDArray[np.bool_]:
    if kind == "BINARY":
        return np.asarray(plane > 0)
    code = FractionalSegments.code
    if code not in request.options.accept:
        raise FractionalSegments(
            "the segmentation holds shares, not labels",
            where=request.where,
            expected="BINARY or LABELMAP",
            found=kind[:16],
            hint=f"Take a half and more with --accept {code}.",
        )
    if code not in decoded.used.setdefault("accept", []):
        decoded.used["accept"].append(code)
        decoded.warn(code, "shares of one half and more were taken as the segment")
    whole = int(header.tags.get("MaximumFractionalValue") or 255)
    return np.asarray(plane >= (whole + 1) // 2)  # twice a byte is no byte


def _segment(frame: Frame, where: str) -> int:
    number = frame.groups.get("SegmentIdentificationSequence", "ReferencedSegmentNumber")
    if number is None or not 1 <= int(number) <= 65535:
        raise BadHeader("a frame does not say its segment", where=where, found=str(number))
    return int(number)


def _slots(frames: Sequence[Frame], options: ReadOptions, where: str) -> tuple[list[int], Any]:
    """For each frame its slice in the even grid of all places, and that grid."""
    first = frames[0]
    if first.orientation is None or first.pixel_spacing is None or first.position is None:
        raise UnknownSpacing("a segmentation without a place in the patient", where=where)
    cosines = np.asarray(first.orientation).reshape(2, 3)
    normal = np.cross(*cosines)
    heights = np.array([np.dot(frame.position, normal) for frame in frames if frame.position])
    if len(heights) != len(frames):
        raise UnknownSpacing("a frame without a place", where=where)
    placed = [(f.orientation or (), f.position or (), f.pixel_spacing or ()) for f in frames]
    _refuse_astray(placed, cosines, where)
    step = _step(heights, first.apart_mm or first.slice_mm)
    numbers = np.rint((heights - heights.min()) / step).astype(int)
    if np.abs(heights - heights.min() - numbers * step).max() > _SAME_PLACE * step + 1e-3:
        raise BadHeader(
            "frames stand at uneven distances", where=where, expected=f"every {step:.6g} mm"
        )
    refuse_size((int(numbers.max()) + 1) * first.rows * first.columns, options, where)
    lowest = np.asarray(frames[int(np.argmin(heights))].position)
    positions = [tuple((lowest + n * step * normal).tolist()) for n in range(numbers.max() + 1)]
    rows_mm, columns_mm = first.pixel_spacing
    shape = DicomPlanes(
        first.rows, first.columns, first.orientation, tuple(positions), (rows_mm, columns_mm)
    )
    grid, order = grid_from_dicom(shape, single_slice_mm=step, where=where)
    assert order == tuple(range(len(positions)))
    return numbers.tolist(), grid


def _refuse_astray(
    placed: Sequence[tuple[Sequence[float], ...]], cosines: npt.NDArray[np.float64], where: str
) -> None:
    """Raises for frames that are turned or shifted against the first: all are laid on its plane.

    ``placed``: orientation, position and spacing of each.
    """
    first = placed[0]
    for orientation, position, spacing in placed:
        turned = not orientation or np.abs(np.subtract(orientation, first[0])).max() > _SAME_PLANE
        if turned:
            raise MixedOrientation("frames of one segmentation lie in other planes", where=where)
        if tuple(spacing) != tuple(first[2]):
            raise MixedSize("frames of one segmentation differ in spacing", where=where)
        aside = float(np.abs(cosines @ np.subtract(position, first[1])).max())
        if aside > max(_ROUNDED_MM, 0.01 * min(spacing)):
            raise GantryTilt(
                "frames of a segmentation are shifted along their own plane",
                where=where,
                expected="each straight above the one before",
                found=f"up to {aside:.6g} mm",
            )


def _step(heights: npt.NDArray[np.float64], stated_mm: float | None) -> float:
    """Distance of slices: the smallest that stands, the stated one where that divides it."""
    apart = sorted(
        gap for a, b in itertools.pairwise(np.unique(np.round(heights, 4))) if (gap := b - a) > 1e-3
    )
    if not apart:
        return stated_mm or 1.0
    smallest = float(apart[0])
    if stated_mm and abs(round(smallest / stated_mm) * stated_mm - smallest) < 0.01 * stated_mm:
        return smallest / max(1, round(smallest / stated_mm))
    # Between gaps of two slices and of three lies the distance that divides both.
    for parts in range(1, _MOST_PARTS + 1):
        step = smallest / parts
        counts = np.array(apart) / step
        if np.abs(counts - np.rint(counts)).max() < _SAME_PLACE:
            return step
    return smallest
