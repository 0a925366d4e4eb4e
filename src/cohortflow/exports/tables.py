"""Tables: every subject and point in one table per step, as Parquet and as CSV."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cohortflow.cohort.entry import Entry
from cohortflow.errors import InvalidEntry
from cohortflow.exports.selection import Item
from cohortflow.exports.writer import Files, Writer

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


class TableWriter(Writer):
    """``<step>.parquet`` and ``.csv``; of scores ``<step>_cases`` and ``<step>_metrics``.

    Columns: ``subject``, the axes, then those of the table. A column of the table that has the name
    of an axis keeps it, the axis then comes as ``axis_<name>``.
    """

    kinds: ClassVar = frozenset({"table", "scores", "features"})
    libraries: ClassVar = ("pandas", "pyarrow")

    def bundles(self, items: Sequence[Item]) -> list[list[Item]]:
        steps: dict[str, list[Item]] = {}
        for item in items:
            steps.setdefault(item.name, []).append(item)
        return list(steps.values())

    def write(self, bundle: Sequence[Item]) -> Files:
        import pandas as pd

        parts: dict[str, list[pd.DataFrame]] = {}
        for item in bundle:
            for name, table in _tables(item.open()):
                parts.setdefault(f"{item.name}{name}", []).append(_told(table, item))
        files: dict[str, bytes] = {}
        for name, tables in parts.items():
            whole = pd.concat(tables, ignore_index=True)
            files[f"{name}.parquet"] = _parquet(whole)
            files[f"{name}.csv"] = whole.to_csv(index=False, lineterminator="\n").encode()
        return Files(files)


def _tables(entry: Entry) -> Iterator[tuple[str, pd.DataFrame]]:
    if entry.kind == "features":
        yield "", _features(entry.dataset)
    elif entry.kind == "table":
        yield "", _read(entry, "table.parquet")
    else:
        for name in ("cases", "metrics"):
            yield f"_{name}", _read(entry, f"{name}.parquet")


def _read(entry: Entry, name: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(entry.read_file(name)))
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidEntry("a table that cannot be read", where=repr(entry)) from error


def _features(dataset: xr.Dataset) -> pd.DataFrame:
    """A row per item of the first dim, a column per feature, by their coordinates or numbers."""
    import pandas as pd

    array = dataset["features"]
    items, features = map(str, array.dims)
    names = _coordinate(dataset, features)
    columns = [str(name) if names.dtype.kind in "UTO" else f"{features}_{name}" for name in names]
    table = pd.DataFrame(np.asarray(array.values), columns=pd.Index(columns))
    table.insert(0, items, _coordinate(dataset, items))
    return table


def _coordinate(dataset: xr.Dataset, dim: str) -> np.ndarray:
    if dim in dataset.variables:
        return np.asarray(dataset[dim].values)
    return np.arange(dataset.sizes[dim])


def _told(table: pd.DataFrame, item: Item) -> pd.DataFrame:
    """The table with the columns in front that say whose it is and at which point."""
    own = set(table.columns)
    front = {
        axis if axis not in own else f"axis_{axis}": label for axis, label in item.point.items()
    }
    if item.subject is not None:
        front = {"subject" if "subject" not in own else "axis_subject": item.subject, **front}
    table = table.copy()
    for place, (name, value) in enumerate(front.items()):
        table.insert(place, name, value)
    return table


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
