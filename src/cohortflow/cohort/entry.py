"""An entry as a stage sees it: arrays opened lazily, files by name, facts,
and where it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import xarray as xr

from cohortflow.errors import EntryMissing

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Output:
    """What a stage hands back: arrays and/or files, facts for planning, warnings for the report.

    ``work``: how much it did, by what is counted (``{"clouds": 160}``); for timings, never stored.
    """

    dataset: xr.Dataset | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[Mapping[str, str]] = ()
    work: Mapping[str, int] = field(default_factory=dict)


class Entry:
    """One committed entry. ``dataset`` opens on first use and reads arrays only where asked."""

    def __init__(
        self,
        *,
        kind: str,
        stage: str = "",
        key: str = "",
        subject: str | None = None,
        facts: Mapping[str, Any] | None = None,
        warnings: Sequence[Mapping[str, str]] = (),
        file_names: Sequence[str] = (),
        open_dataset: Callable[[], xr.Dataset] | None = None,
        open_file: Callable[[str], bytes] | None = None,
    ) -> None:
        self.kind = kind
        self.stage = stage
        self.key = key
        self.subject = subject
        self.facts = dict(facts or {})
        self.warnings = tuple(warnings)
        self.file_names = tuple(file_names)
        self._open_dataset = open_dataset
        self._open_file = open_file

    @cached_property
    def dataset(self) -> xr.Dataset:
        if self._open_dataset is None:
            raise EntryMissing(f"{self!r} holds no arrays")
        return self._open_dataset()

    def read_file(self, name: str) -> bytes:
        if self._open_file is None or name not in self.file_names:
            raise EntryMissing(f"{self!r} holds no file {name!r}", found=", ".join(self.file_names))
        return self._open_file(name)

    @classmethod
    def in_memory(cls, kind: str, output: Output, *, subject: str | None = None) -> Entry:
        """An entry that was never stored: for tests and for ``apply``."""
        dataset = output.dataset
        return cls(
            kind=kind,
            subject=subject,
            facts=output.facts,
            warnings=output.warnings,
            file_names=tuple(output.files),
            open_dataset=None if dataset is None else lambda: dataset,
            open_file=lambda name: output.files[name],
        )

    def __repr__(self) -> str:
        owner = self.subject or "cohort"
        return f"<Entry {owner}/{self.stage}@{self.key[:16]} ({self.kind})>"


@dataclass(frozen=True)
class Item:
    """One of many: the point it stands at (``subject`` among its axes) and the entry."""

    point: Point
    entry: Entry

    @property
    def subject(self) -> str:
        return str(self.point["subject"])


@dataclass(frozen=True)
class Many:
    """All entries over the axes that only the input has, sorted by (point, key); read lazily.

    ``missing`` are the points that should be here and failed: a metric counts them as its worst.
    """

    items: Sequence[Item]
    missing: Sequence[Point] = ()

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
