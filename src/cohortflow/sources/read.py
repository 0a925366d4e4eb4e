"""From one recording to its entry: a reader for every format."""

from __future__ import annotations

import math

import numpy as np

from cohortflow.cohort.entry import Output
from cohortflow.errors import InputError, UsageError
from cohortflow.sources.atlases import Atlas
from cohortflow.sources.discover import Recording
from cohortflow.sources.images import child
from cohortflow.sources.images.decoded import Request, SeriesOptions
from cohortflow.sources.images.parts import Reader
from cohortflow.sources.options import IngestOptions
from cohortflow.sources.repetition_times import LONGEST_S, SHORTEST_S
from cohortflow.sources.roi_series import RoiSeries
from cohortflow.sources.series_entry import series_output


def read_recording(
    recording: Recording,
    options: IngestOptions | None = None,
    atlas: Atlas | None = None,
    reader: Reader = child,
) -> Output:
    """Read a recording as the entry ``series`` (kind ``roi_series``).

    ``reader``: of untrusted files a process of its own; by default this one. Messages name the
    subject, never the path. Raises the :class:`InputError` of what is wrong.
    """
    if recording.error is not None:
        raise recording.error
    options = options or IngestOptions()
    how = SeriesOptions(transpose=options.transpose)
    if recording.format != "roi_series":
        atlas, places = require_coordinates(atlas)
        how = SeriesOptions(
            labels=atlas.labels,
            xyz_mm=tuple(map(tuple, places.tolist())),
            repetition_time=math.isnan(recording.tr_s),
        )
    where, files = recording.subject, tuple(str(path) for path in recording.files)
    (decoded,) = reader.read(Request(recording.format, files, "series", where, series=how))
    names = decoded.facts["names"]
    series = RoiSeries(decoded.array, None if names is None else tuple(names))
    tr_s = recording.tr_s
    if math.isnan(tr_s):
        tr_s = _plausible(float(decoded.facts["tr_s"]), where)
    return series_output(series, atlas=atlas, tr_s=tr_s, where=where)


def _plausible(tr_s: float, where: str) -> float:
    if math.isnan(tr_s) or SHORTEST_S <= tr_s <= LONGEST_S:
        return tr_s
    raise InputError(
        "the image tells an implausible repetition time",
        where=where,
        expected=f"{SHORTEST_S} to {LONGEST_S:g} seconds",
        found=f"{tr_s:g}",
        hint="Mend its sidecar, or give repetition_times.",
    )


def require_coordinates(atlas: Atlas | None) -> tuple[Atlas, np.ndarray]:
    """The atlas and its (roi, 3) mm, where images can be read with it."""
    if atlas is None or atlas.xyz_mm is None:
        raise UsageError(
            "the source holds images: their series need an atlas with coordinates",
            expected="atlas=dosenbach160, or a table with x, y, z",
        )
    return atlas, atlas.xyz_mm
