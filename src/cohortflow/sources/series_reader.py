"""Series and tables of numbers, as the process that reads untrusted files parses them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from cohortflow.errors import EmptyInput, InputError
from cohortflow.sources import bold, fmriprep
from cohortflow.sources.atlases import Atlas
from cohortflow.sources.files import read_bytes
from cohortflow.sources.images.decoded import Decoded, Request, SeriesOptions
from cohortflow.sources.roi_series import RoiSeries, read_roi_series
from cohortflow.sources.tables import MAX_TABLE_BYTES, Table, parse_table, typed_column


def read_series(request: Request) -> list[Decoded]:
    """One recording, (roi, time) float64; facts: ``names`` of its regions, ``tr_s``, where told.

    Raises the InputError of what is wrong.
    """
    how, path, where = request.series or SeriesOptions(), Path(request.files[0]), request.where
    if request.format == "roi_series":
        return [_decoded(read_roi_series(path, transpose=how.transpose, where=where), math.nan)]
    numbers = tuple(range(len(how.labels)))
    atlas = Atlas("", how.labels, numbers, None, np.array(how.xyz_mm, np.float64))
    files = fmriprep.companions(path)
    if request.format == "fmriprep":
        series = fmriprep.read_fmriprep(path, atlas, files=files, where=where)
    else:
        series = bold.read_sphere_means(path, atlas, where=where)
    tr_s = fmriprep.repetition_time(path, files, where) if how.repetition_time else math.nan
    return [_decoded(series, tr_s)]


def _decoded(series: RoiSeries, tr_s: float) -> Decoded:
    facts = {"names": None if series.names is None else list(series.names), "tr_s": tr_s}
    return Decoded("series", series.values, facts=facts)


def read_table(request: Request) -> list[Decoded]:
    """A table of confounds, (row, column) float64, NaN for ``n/a``; facts: its ``columns``.

    Raises the InputError of a table that cannot be read, or holds text among its numbers.
    """
    where = request.where
    data = read_bytes(Path(request.files[0]), where, MAX_TABLE_BYTES)
    table = parse_table(data.decode("utf-8", "replace"), where, tabs=True)
    if not table.columns or not table.rows:
        raise EmptyInput("a table of confounds without rows", where=where)
    values = np.column_stack([_column(table, name, where) for name in table.columns])
    return [Decoded("table", values, facts={"columns": list(table.columns)})]


def _column(table: Table, name: str, where: str) -> np.ndarray:
    fields = [None if row[name].lower() in ("", "n/a") else row[name] for row in table.rows]
    values = typed_column(fields)
    if any(isinstance(value, str) for value in values):
        raise InputError("a column of confounds holds text", where=where, expected="numbers or n/a")
    return np.array([math.nan if value is None else value for value in values], np.float64)
