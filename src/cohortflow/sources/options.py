"""How a source is read: what ``ingest`` is told, and remembers for the next time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from cohortflow.geometry.orientation import checked_orientation
from cohortflow.sources.images.decoded import MAX_VOXELS, ReadOptions

FileName = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Millimetres = Annotated[float, pydantic.Field(gt=0)]
Orientation = Annotated[str, pydantic.AfterValidator(checked_orientation)]
Accepted = Literal[
    "unknown-orientation",
    "gantry-tilt",
    "missing-slice",
    "duplicate-slice",
    "uneven-slices",
    "mixed-orientation",
    "mixed-size",
    "several-patients",
    "overlapping-segments",
    "fractional-segments",
    "outside-source",
]
"""Codes of errors that an ingest may be told to resolve."""


class IngestOptions(pydantic.BaseModel):
    """Options of an ingest; paths lead back to people and never enter the store.

    ``participants``: phenotype table. ``columns``: kept name → column of it. ``subject_from``:
    ``name``, ``folder``, ``bids`` or ``regex:PATTERN``. ``atlas``: ``none``, ``dosenbach160``,
    ``cc200=PATH`` or a table. ``networks``: a table of networks for an atlas without.
    ``repetition_times``: seconds, or a table by a participants column. ``transpose``: files are
    (region, time). ``patient_column``: whose recording it is. ``files``: files that belong to no
    subject, by the name that pipelines declare; those named earlier need not be named again. Of
    images: ``spacing_mm`` (z, y, x) where a file does not say it, ``orientation`` of axes that no
    header places, ``time``: the time point of several, ``fill_not_finite``: what NaN and infinity
    become, ``series``: the DICOM Series Number of several, ``accept``: codes of errors that are
    resolved, and recorded, instead of refused; ``max_voxels`` of one file.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    participants: Path | None = None
    columns: Mapping[str, str] = pydantic.Field(default_factory=dict)
    subject_from: str | None = None
    atlas: str = "none"
    networks: Path | None = None
    repetition_times: float | str | None = None
    transpose: bool = False
    patient_column: str | None = None
    files: Mapping[FileName, Path] = pydantic.Field(default_factory=dict)
    spacing_mm: tuple[Millimetres, Millimetres, Millimetres] | None = None
    orientation: Orientation = "LPS"
    time: pydantic.NonNegativeInt | None = None
    fill_not_finite: float | None = None
    series: int | None = None
    accept: tuple[Accepted, ...] = ()
    max_voxels: pydantic.PositiveInt = MAX_VOXELS

    @property
    def reading(self) -> ReadOptions:
        """What the readers of images are told."""
        return ReadOptions(
            spacing_mm=self.spacing_mm,
            orientation=self.orientation,
            time=self.time,
            fill_not_finite=self.fill_not_finite,
            accept=frozenset(self.accept),
            series=self.series,
            max_voxels=self.max_voxels,
        )

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that the options name: never recordings."""
        named = [self.participants, self.networks, self._atlas_path, self._times_path]
        named += self.files.values()
        return tuple(path.resolve() for path in named if path is not None)

    @property
    def _atlas_path(self) -> Path | None:
        path = Path(self.atlas.partition("=")[2] or self.atlas)
        return path if path.is_file() else None

    @property
    def _times_path(self) -> Path | None:
        path = Path(str(self.repetition_times))
        return path if path.is_file() else None

    def absolute(self) -> IngestOptions:
        """The same with absolute paths, so that a scheduled ingest starts anywhere."""
        changes: dict[str, Any] = {
            name: path.resolve()
            for name in ("participants", "networks")
            if (path := getattr(self, name)) is not None
        }
        if self._atlas_path is not None:
            name, equals, _ = self.atlas.rpartition("=")
            changes["atlas"] = f"{name}{equals}{self._atlas_path.resolve()}"
        if self.files:
            changes["files"] = {name: path.resolve() for name, path in self.files.items()}
        if self._times_path is not None:
            changes["repetition_times"] = str(self._times_path.resolve())
        return self.model_copy(update=changes)
