"""DICOM: the series of a folder, told apart, sorted by geometry; segmentations as label maps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from cohortflow.errors import (
    DuplicateSlice,
    GantryTilt,
    InputError,
    MissingSlice,
    MixedOrientation,
    MixedPixels,
    MixedSize,
    SeveralPatients,
    TooLarge,
    UnevenSlices,
    UnknownSpacing,
    UnsupportedData,
)
from cohortflow.geometry import DicomPlanes, grid_from_dicom
from cohortflow.sources.images.assumed import assumed_matrix
from cohortflow.sources.images.decoded import Decoded, Request, finished
from cohortflow.sources.images.dicom_even import evened
from cohortflow.sources.images.dicom_frames import Frame, frames_of, stacked
from cohortflow.sources.images.dicom_headers import Header, read_header
from cohortflow.sources.images.persons import refuse_persons

_SAME_PLANE = 1e-4


def read_dicom(request: Request) -> list[Decoded]:
    """Every image series and segmentation among the files, which are those of one subject.

    What is wrong with a series refuses the subject by name; ``options.accept`` resolves it and says
    so in a warning: a tilt is kept as the shear it is, of duplicates the first stays, a gap is
    filled and uneven distances are evened by linear interpolation, of mixed planes or sizes the
    largest group stays. Files that are no images are left out with a warning.
    """
    where, options = request.where, request.options
    headers = [
        _told_apart_from_persons(read_header(path, where), request) for path in request.files
    ]
    images = [header for header in headers if header.is_image and not header.is_segmentation]
    segmentations = [header for header in headers if header.is_segmentation]
    series: dict[str, list[Header]] = defaultdict(list)
    for header in images:
        series[header.series_uid].append(header)
    if options.series is not None:
        series = {
            uid: found for uid, found in series.items() if found[0].series_number == options.series
        }
    if not series and not segmentations:
        raise UnsupportedData(
            "no image among the DICOM files",
            where=where,
            expected="files with rows and columns",
            found=f"{len(headers)} files" + _asked(options.series),
        )
    patients = _patients([header for found in series.values() for header in found], request)
    decoded = [_series(found, request) for _, found in sorted(series.items(), key=_order)]
    if patients > 1:
        decoded[0].used.setdefault("accept", []).append(SeveralPatients.code)
        decoded[0].warn(SeveralPatients.code, f"the headers name {patients} patients")
    for header in segmentations:
        from cohortflow.sources.images.dicom_seg import read_segmentation

        decoded.append(read_segmentation(header, request))
    others = len(headers) - len(images) - len(segmentations)
    if others:
        decoded[0].warn("no-image", f"{others} DICOM files without pixels were left out")
    persons = tuple(sorted({person for header in headers for person in header.persons}))
    for one in decoded:
        one.persons = persons
    if options.series is not None:
        decoded[0].used["series"] = options.series
    return decoded


def compare_persons(request: Request) -> list[Decoded]:
    """Nothing, where every header can be read and none names the request's id."""
    for path in request.files:
        _told_apart_from_persons(read_header(path, request.where), request)
    return []


def _told_apart_from_persons(header: Header, request: Request) -> Header:
    """The header; before anything is wrong with it, as a refused subject keeps its id."""
    if request.id:
        refuse_persons(request.id, header.persons)
    return header


def _patients(images: Sequence[Header], request: Request) -> int:
    """How many the headers name by their number; several are no subject, unless accepted."""
    named = {str(header.tags.get("PatientID", "")).strip() for header in images} - {""}
    if len(named) > 1 and SeveralPatients.code not in request.options.accept:
        raise SeveralPatients(
            "images of several patients among those of one subject",
            where=request.where,
            expected="one Patient ID",
            found=f"{len(named)} of them in {len(images)} files",
            hint=f"Give each a folder, or --accept {SeveralPatients.code} where it is one person.",
        )
    return len(named)


def _asked(series: int | None) -> str:
    return "" if series is None else f", none of Series Number {series}"


def _order(item: tuple[str, list[Header]]) -> tuple[int, str]:
    return item[1][0].series_number or 0, item[0]


def _series(headers: Sequence[Header], request: Request) -> Decoded:
    where, options = request.where, request.options
    number = headers[0].series_number
    part = f"s{number}" if number is not None else ""
    decoded = Decoded("image", np.empty(0), part=part, facts=dict(headers[0].facts))
    if decoded.facts.get("inverted"):
        decoded.warn("inverted-greys", "low values are meant to be shown bright; they are kept")
    if decoded.facts.get("lossy"):
        decoded.warn("lossy-compression", "voxels were compressed with loss before they came here")
    frames = [frame for header in headers for frame in frames_of(header, where)]
    total = sum(frame.rows * frame.columns for frame in frames)
    if total > options.max_voxels:
        raise TooLarge(
            "the series announces more voxels than are read",
            where=where,
            expected=f"at most {options.max_voxels:,}",
            found=f"{total:,}",
        )
    frames.sort(key=lambda frame: (frame.instance, frame.index))
    frames = _one_size(frames, decoded, request)
    _one_kind(frames, where)
    if all(frame.orientation is None and frame.position is None for frame in frames):
        return _unplaced(frames, decoded, request)
    frames = _one_plane(frames, decoded, request)
    _place(frames, decoded, request)
    return finished(decoded, options, where)


def _one_size(frames: list[Frame], decoded: Decoded, request: Request) -> list[Frame]:
    sizes = Counter((frame.rows, frame.columns, frame.pixel_spacing) for frame in frames)
    if len(sizes) == 1:
        return frames
    kept = sizes.most_common(1)[0][0]
    error = MixedSize(
        "slices of one series differ in size or spacing",
        where=request.where,
        expected=f"{kept[0]} × {kept[1]} in all",
        found=", ".join(f"{n} of {rows} × {columns}" for (rows, columns, _), n in sizes.items()),
        hint="Take the largest group with --accept mixed-size.",
    )
    _resolved(error, decoded, request, f"the {sizes[kept]} of the commonest size were taken")
    return [f for f in frames if (f.rows, f.columns, f.pixel_spacing) == kept]


def _one_plane(frames: list[Frame], decoded: Decoded, request: Request) -> list[Frame]:
    without = [f for f in frames if f.orientation is None or f.position is None]
    if without:
        raise UnknownSpacing(
            f"{len(without)} of {len(frames)} slices do not say where they lie",
            where=request.where,
            expected="Image Position and Orientation (Patient) in all",
        )
    groups: list[list[Frame]] = []
    for frame in frames:
        for group in groups:
            if np.abs(np.subtract(group[0].orientation, frame.orientation)).max() <= _SAME_PLANE:  # type: ignore[arg-type]
                group.append(frame)
                break
        else:
            groups.append([frame])
    if len(groups) == 1:
        return frames
    largest = max(groups, key=len)
    error = MixedOrientation(
        "slices of one series lie in different planes",
        where=request.where,
        expected="one orientation",
        found=", ".join(f"{len(g)} slices" for g in groups),
        hint="Take the largest group with --accept mixed-orientation.",
    )
    _resolved(error, decoded, request, f"the {len(largest)} of the commonest plane were taken")
    return largest


def _one_kind(frames: Sequence[Frame], where: str) -> None:
    keywords = ("BitsAllocated", "PixelRepresentation", "SamplesPerPixel")
    kinds = {tuple(f.header.tags.get(k) for k in keywords) for f in frames}
    if len(kinds) > 1:
        raise MixedPixels(
            "slices of one series differ in bits, sign or channels",
            where=where,
            found="; ".join(str(kind) for kind in sorted(map(str, kinds))),
        )


def _unplaced(frames: list[Frame], decoded: Decoded, request: Request) -> Decoded:
    """A lone film or capture without a place in the patient is a picture in index space."""
    if len(frames) > 1 and request.options.spacing_mm is None:
        raise UnknownSpacing(
            "nothing says where the slices lie",
            where=request.where,
            expected="Image Position and Orientation (Patient)",
            hint="Say --spacing-mm z,y,x where their order is their place.",
        )
    array = _channels_first(stacked(frames, request.options, request.where))
    if request.options.spacing_mm is not None:
        decoded.matrix = assumed_matrix(
            array.shape[-3:], request.options.spacing_mm, decoded, request
        )
        decoded.array = array
    else:
        decoded.array = array[..., 0, :, :] if array.ndim == 4 else array
        decoded.flat = True
    return finished(decoded, request.options, request.where)


def _place(frames: list[Frame], decoded: Decoded, request: Request) -> None:
    where, options = request.where, request.options
    spacing = frames[0].pixel_spacing
    if spacing is None:
        if options.spacing_mm is None:
            raise UnknownSpacing(
                "nothing says how far apart pixels are",
                where=where,
                expected="Pixel Spacing",
                hint="Say it with --spacing-mm z,y,x; z is the distance between slices.",
            )
        spacing = options.spacing_mm[1:]
        decoded.used["spacing_mm"] = list(options.spacing_mm)
    lone = frames[0].slice_mm
    if not lone and len(frames) == 1 and options.spacing_mm is not None:
        lone = options.spacing_mm[0]
        decoded.used["spacing_mm"] = list(options.spacing_mm)
    tilted = False
    while True:
        planes = _planes(frames, spacing)
        try:
            grid, order = grid_from_dicom(planes, single_slice_mm=lone, tilted=tilted, where=where)
        except DuplicateSlice as error:
            first = _first_of_each(frames)
            error.hint = "Keep the first of each place with --accept duplicate-slice."
            _resolved(error, decoded, request, f"the first of each of {len(first)} was taken")
            frames = first
            continue
        except GantryTilt as error:
            error.hint = "Keep the tilt as a sheared grid with --accept gantry-tilt."
            _resolved(error, decoded, request, "the tilt was kept as the shear it is")
            tilted = True
            continue
        except (MissingSlice, UnevenSlices) as error:
            error.hint = f"Even the distances by interpolation with --accept {error.code}."
            _resolved(error, decoded, request, "the distances were evened by interpolation")
            array = stacked(frames, options, where)
            decoded.array, decoded.matrix = evened(array, planes, options, where)
            decoded.array = _channels_first(decoded.array)
            return
        decoded.array = _channels_first(stacked([frames[i] for i in order], options, where))
        decoded.matrix = grid.index_to_world
        _compare_step(decoded, frames)
        return


def _compare_step(decoded: Decoded, frames: Sequence[Frame]) -> None:
    """Every second slice may be gone, evenly: only the header can tell."""
    stated, found = frames[0].apart_mm, decoded.grid.spacing_mm[0]
    if stated and len(frames) > 1 and abs(stated - found) > 0.05 * found:
        decoded.warn(
            "slice-spacing-differs",
            f"slices stand {found:.6g} mm apart, the header says {stated:.6g}: are all of them "
            "here?",
        )


def _planes(frames: Sequence[Frame], spacing: Sequence[float]) -> DicomPlanes:
    first = frames[0]
    positions = tuple((x, y, z) for x, y, z in (f.position for f in frames if f.position))
    rows_mm, columns_mm = spacing
    assert first.orientation is not None
    return DicomPlanes(
        first.rows, first.columns, first.orientation, positions, (rows_mm, columns_mm)
    )


def _first_of_each(frames: list[Frame]) -> list[Frame]:
    seen: list[Frame] = []
    for frame in frames:
        here = np.asarray(frame.position)
        if not any(np.linalg.norm(here - np.asarray(f.position)) < 0.01 for f in seen):
            seen.append(frame)
    return seen


def _channels_first(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, -1, 0) if array.ndim == 4 else array


def _resolved(error: InputError, decoded: Decoded, request: Request, told: str) -> None:
    """Raise, unless the options accept the fault; then say what was done about it."""
    if error.code not in request.options.accept:
        raise error
    accepted = decoded.used.setdefault("accept", [])
    if error.code in accepted:
        raise error  # what was done about it did not help
    accepted.append(error.code)
    decoded.warn(error.code, f"{error.message}: {told}")
