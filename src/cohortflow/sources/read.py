"""From one recording to its entry: a reader for every format."""

from __future__ import annotations

import math

from cohortflow.cohort.entry import Output
from cohortflow.errors import InputError, UsageError
from cohortflow.sources import bold, fmriprep
from cohortflow.sources.atlases import Atlas
from cohortflow.sources.discover import Recording
from cohortflow.sources.options import IngestOptions
from cohortflow.sources.repetition_times import LONGEST_S, SHORTEST_S
from cohortflow.sources.roi_series import read_roi_series
from cohortflow.sources.series_entry import series_output


def read_recording(
    recording: Recording, options: IngestOptions | None = None, atlas: Atlas | None = None
) -> Output:
    """Read a recording as the entry ``series`` (kind ``roi_series``).

    Messages name the subject, never the path. Raises the :class:`InputError` of what is wrong.
    """
    if recording.error is not None:
        raise recording.error
    options = options or IngestOptions()
    where, path, tr_s = recording.subject, recording.path, recording.tr_s
    if recording.format == "roi_series":
        series = read_roi_series(path, transpose=options.transpose, where=where)
        return series_output(series, atlas=atlas, tr_s=tr_s, where=where)
    atlas = require_coordinates(atlas)
    files = fmriprep.companions(path)
    if recording.format == "fmriprep":
        series = fmriprep.read_fmriprep(path, atlas, files=files, where=where)
    else:
        series = bold.read_sphere_means(path, atlas, where=where)
    if math.isnan(tr_s):
        tr_s = _plausible(fmriprep.repetition_time(path, files, where), where)
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


def require_coordinates(atlas: Atlas | None) -> Atlas:
    """The atlas, where images can be read with it."""
    if atlas is None or atlas.xyz_mm is None:
        raise UsageError(
            "the source holds images: their series need an atlas with coordinates",
            expected="atlas=dosenbach160, or a table with x, y, z",
        )
    return atlas
