"""Stored results of two cohorts, file by file; where files differ, what is in them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRecord
from cohortflow.cohort.run_view import UnitRow
from cohortflow.errors import EntryCorrupt, EntryMissing, StoreTooNew
from cohortflow.reproduction.verdicts import (
    ABSENT,
    DIFFERS,
    EQUAL,
    Line,
    Verdict,
    compare_arrays,
    compare_members,
)

Arrays = Mapping[str, "np.ndarray[Any, Any]"]
Tolerances = Mapping[str, float]
OTHER_BYTES, THE_SAME = "other bytes", "the same values"


def compare_stored(
    original: Cohort, scratch: Cohort, rows: Iterable[UnitRow], tolerances: Tolerances
) -> tuple[list[Line], int]:
    """Every result of ``rows`` as it is stored in two cohorts; lines, and how many only one has.

    ``tolerances``: by step, relative to the largest magnitude of an array. Digests in records are
    not believed: the bytes of ``original`` are read.
    """
    lines: list[Line] = []
    absent = 0
    for row in {row.key: row for row in rows}.values():
        group = f"stored {row.kind}, {row.step}"
        where = " ".join(filter(None, (row.subject or "cohort", _point(row), f"@{row.key[:16]}")))
        made = scratch.entries.record(row.ref)
        if made is None:
            raise EntryMissing("a result that was just computed is gone", where=row.ref.path)
        try:
            kept = original.entries.record(row.ref)
        except (EntryCorrupt, StoreTooNew) as error:
            lines.append(Line(group, where, "file", DIFFERS, error.code, "whole"))
            continue
        if kept is None:
            absent += 1
            continue
        lines += _Pair(original, scratch, kept, made, tolerances[row.step], group, where).lines()
    return lines, absent


def _point(row: UnitRow) -> str:
    return ",".join(f"{axis}={label}" for axis, label in row.point.items())


class _Pair:
    """One result, as it was stored and as it was computed again."""

    def __init__(
        self,
        original: Cohort,
        scratch: Cohort,
        kept: EntryRecord,
        made: EntryRecord,
        tolerance: float,
        group: str,
        where: str,
    ) -> None:
        self.cohorts = (original, scratch)
        self.records = (kept, made)
        self.tolerance = tolerance
        self.group = group
        self.where = where

    def lines(self) -> Iterator[Line]:
        kept, made = self.records
        names = list(dict.fromkeys([*made.files, *kept.files]))
        unlike = [name for name in names if not self._same(name)]
        same = len(names) - len(unlike)
        if same:
            yield self._line("byte by byte", EQUAL, "", "", values=same)
        for name in unlike:
            if not name.startswith("arrays/"):
                yield from self._file(name)
        if any(name.startswith("arrays/") for name in unlike):
            yield from self._arrays()
        said = [
            json.loads(json.dumps({"facts": dict(r.facts), "warnings": list(r.warnings)}))
            for r in self.records
        ]
        if said[0] != said[1] or kept.kind != made.kind:
            said[0]["kind"], said[1]["kind"] = kept.kind, made.kind
            yield from self._members(said[0], said[1], "record")

    def _same(self, name: str) -> bool:
        made = self.records[1].files.get(name)
        if made is None:
            return False
        try:
            data = self._bytes(0, name)
        except EntryMissing:
            return False
        return bool(hashlib.sha256(data).hexdigest() == made["sha256"])

    def _bytes(self, side: int, name: str) -> bytes:
        """Of a file that the record lists: what lies beside it is no part of the result."""
        record = self.records[side]
        if name not in record.files:
            raise EntryMissing("the record does not list it", where=name)
        return self.cohorts[side].storage.read(f"{record.ref.path}/{record.attempt}/{name}")

    def _file(self, name: str) -> Iterator[Line]:
        short = name.removeprefix("files/")
        try:
            pair = [self._bytes(side, name) for side in (0, 1)]
        except EntryMissing:
            old, new = ("listed" if name in r.files else ABSENT for r in self.records)
            yield self._line(short, DIFFERS, old, new)
            return
        read = next((r for suffix, r in _READERS.items() if name.endswith(suffix)), None)
        if read is None:
            yield self._line(short, DIFFERS, f"{len(pair[0])} bytes", f"{len(pair[1])} bytes")
            return
        try:
            old, new = (read(data) for data in pair)
        except EntryCorrupt as error:
            yield self._line(short, DIFFERS, error.message, "whole")
            return
        if name.endswith(".json"):
            yield from self._members(old, new, short)
        else:
            yield from self._each_array(old, new, short)

    def _arrays(self) -> Iterator[Line]:
        try:
            old, new = (self._dataset(side) for side in (0, 1))
        except EntryCorrupt as error:
            yield self._line("arrays", DIFFERS, error.message, "whole")
            return
        yield from self._each_array(old, new, "arrays")

    def _dataset(self, side: int) -> Arrays:
        from cohortflow.cohort.arrays import open_arrays

        record = self.records[side]
        path = f"{record.ref.path}/{record.attempt}/arrays"
        try:
            dataset = open_arrays(self.cohorts[side].storage, path)
            return {
                str(name): np.asarray(array.values) for name, array in dataset.variables.items()
            }
        except (ValueError, TypeError, LookupError, OSError, RuntimeError) as error:
            raise EntryCorrupt("cannot be read", found=type(error).__name__) from error

    def _each_array(self, old: Arrays, new: Arrays, prefix: str) -> Iterator[Line]:
        found = []
        for name in dict.fromkeys([*old, *new]):
            place = f"{prefix}, {name}"
            if name not in old or name not in new:
                told = [name if name in one else ABSENT for one in (old, new)]
                found.append(self._line(place, DIFFERS, told[0], told[1]))
            else:
                found.append(
                    compare_arrays(
                        old[name], new[name], self.tolerance, self.group, f"{self.where}, {place}"
                    )
                )
        yield from found
        if all(line.verdict == EQUAL for line in found):
            yield self._line(prefix, EQUAL, OTHER_BYTES, THE_SAME)  # another version wrote them

    def _members(self, old: Any, new: Any, name: str) -> Iterator[Line]:
        lines = compare_members(old, new, self.tolerance, self.group, f"{self.where}, {name}")
        unlike = [line for line in lines if line.verdict != EQUAL]
        yield from unlike
        if not unlike:
            yield self._line(name, EQUAL, OTHER_BYTES, THE_SAME)

    def _line(
        self, name: str, verdict: Verdict, original: str, recomputed: str, values: int = 1
    ) -> Line:
        return Line(
            self.group,
            f"{self.where}, {name}",
            "file",
            verdict,
            original,
            recomputed,
            tolerance=self.tolerance,
            values=values,
        )


def _parquet(data: bytes) -> Arrays:
    import pandas as pd
    import pyarrow as pa

    try:
        frame = pd.read_parquet(io.BytesIO(data))
    except (pa.ArrowException, ValueError, OSError) as error:
        raise EntryCorrupt("no table that can be read") from error
    return {str(column): frame[column].to_numpy() for column in frame.columns}


def _safetensors(data: bytes) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(sorted(load(data).items()))
    except (SafetensorError, ValueError, KeyError) as error:
        raise EntryCorrupt("no weights that can be read") from error


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise EntryCorrupt("no JSON that can be read") from error


_READERS: Mapping[str, Callable[[bytes], Any]] = {
    ".parquet": _parquet,
    ".safetensors": _safetensors,
    ".json": _json,
}
