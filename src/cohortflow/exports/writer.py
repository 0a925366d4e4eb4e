"""What every format does: bundles of results to files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.ingests import Ingested
from cohortflow.exports.image import GridChoice
from cohortflow.exports.selection import Item

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ExportOptions:
    """``dicom_from``: folder of the DICOM images that were segmented, a folder per subject.

    ``authors``: of a BIDS data set; none is made up where nobody is named.
    """

    grid: GridChoice = "source"
    allow_index_space: bool = False
    dicom_from: Path | None = None
    authors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Files:
    """``files``: path → bytes; ``trees``: path of a folder that is one thing → its files."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    trees: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    notes: Sequence[str] = ()


class Writer(ABC):
    """A format. One object serves one export."""

    kinds: ClassVar[frozenset[str]]
    libraries: ClassVar[tuple[str, ...]] = ()

    def __init__(self, cohort: Cohort, options: ExportOptions, pipeline: str | None) -> None:
        self.cohort = cohort
        self.options = options
        self.pipeline = pipeline

    @cached_property
    def ingested(self) -> Ingested:
        """The newest ingest, read once."""
        return self.cohort.ingested

    def bundles(self, items: Sequence[Item]) -> list[list[Item]]:
        """Results that are written together: each by itself, unless a format says otherwise."""
        return [[item] for item in items]

    @abstractmethod
    def write(self, bundle: Sequence[Item]) -> Files:
        """The files of a bundle, the same bytes for the same entries."""

    def about(self, rows: Rows) -> Mapping[str, bytes]:
        """Files that tell of the whole export, from the rows of its manifest."""
        return {}
