"""One tree of named errors, grouped by what the caller would do about them.

Every error has a stable kebab-case ``code``, says what was expected and what was found, and gives a
hint. Families carry the exit code the command line ends with; ``transient`` ones are tried again by
the next run.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar


class CohortflowError(Exception):
    """Base of every error raised on purpose."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        expected: str = "",
        found: str = "",
        hint: str = "",
    ) -> None:
        self.message = message
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.message}" if self.where else self.message]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.found:
            parts.append(f"found {self.found}")
        text = "; ".join(parts)
        return f"{text}. {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        # Dask moves errors between our own processes; keyword-only arguments need this.
        return (_rebuild, (type(self), self.message, self.fields()))

    def fields(self) -> dict[str, str]:
        return {
            "where": self.where,
            "expected": self.expected,
            "found": self.found,
            "hint": self.hint,
        }

    def to_json(self) -> dict[str, str]:
        """Code, message (with where/expected/found) and hint, as stored in failure records."""
        hint, self.hint = self.hint, ""
        text, self.hint = str(self), hint
        return {"code": self.code, "message": text, "hint": hint}


def _rebuild(cls: type[CohortflowError], message: str, fields: dict[str, str]) -> CohortflowError:
    return cls(message, **fields)


def named_by_code(code: str) -> type[CohortflowError]:
    """The class of a stable code, as records keep it; the base of all for a code that is none."""
    waiting: list[type[CohortflowError]] = [CohortflowError]
    while waiting:
        found = waiting.pop()
        if found.code == code:
            return found
        waiting += found.__subclasses__()
    return CohortflowError


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known name, or the list of known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    return "Known: " + ", ".join(names) if names else "None is known here."


# --- a recording or a table that cannot be used: mend the file ---------------------------------


class InputError(CohortflowError, ValueError):
    """A recording or table that cannot be used as it is."""

    code = "bad-input"


class UnreadableFile(InputError):
    code = "unreadable-file"


class TruncatedFile(InputError):
    code = "truncated-file"


class EmptyInput(InputError):
    code = "empty-input"


class NotANumber(InputError):
    """A text field where numbers are expected."""

    code = "not-a-number"


class MissingValues(InputError):
    """NaN or infinity inside a recording."""

    code = "missing-values"


class SeriesTooShort(InputError):
    code = "series-too-short"


class RegionCountMismatch(InputError):
    code = "region-count-mismatch"


class ParticipantMissing(InputError):
    code = "participant-missing"


class ParticipantDuplicate(InputError):
    code = "participant-duplicate"


class GroupTooSmall(InputError):
    code = "group-too-small"


class UnsafeIdentifier(InputError):
    """A study id that cannot be a path, clashes with another, or names a person."""

    code = "unsafe-identifier"


class GeometryMismatch(InputError):
    """Two grids that should be one: an image and its label map, or its mask."""

    code = "geometry-mismatch"


class ImpossibleGeometry(InputError):
    """A matrix or spacing that no image can have: not finite, singular, absurdly large or small."""

    code = "impossible-geometry"


class NoWorldSpace(InputError):
    """Millimetres or directions were asked of an image whose spacing nobody knows."""

    code = "no-world-space"


class ShearedGrid(InputError):
    """Axes that are not at right angles, where the other side can only hold right angles."""

    code = "sheared-grid"


class GantryTilt(ShearedGrid):
    """Slices of a series that are shifted against each other along their own plane."""

    code = "gantry-tilt"


class DuplicateSlice(InputError):
    code = "duplicate-slice"


class MissingSlice(InputError):
    code = "missing-slice"


class UnevenSlices(InputError):
    """Distances between neighbouring slices differ, and not by whole slices."""

    code = "uneven-slices"


class UnknownSpacing(InputError):
    """Nothing says how far apart slices are."""

    code = "unknown-spacing"


class UnknownOrientation(InputError):
    """Spacing is known, but nothing says towards which side of the body the axes run."""

    code = "unknown-orientation"


class SeveralPatients(InputError):
    """Images of different patients, by their headers, where one subject's are expected."""

    code = "several-patients"


class MixedOrientation(InputError):
    """Slices of one series that lie in different planes."""

    code = "mixed-orientation"


class MixedSize(InputError):
    """Slices of one series that differ in rows, columns or spacing."""

    code = "mixed-size"


class MixedPixels(InputError):
    """Slices of one series that differ in what a pixel is: bits, sign, channels."""

    code = "mixed-pixels"


class SeveralTimes(InputError):
    """Several time points or images where one is expected."""

    code = "several-times"


class NotFinite(InputError):
    """NaN or infinity among voxels, or among values to be evaluated."""

    code = "not-finite"


class NotLabels(InputError):
    """Values that are no whole numbers, where labels are expected."""

    code = "not-labels"


class AmbiguousLabel(InputError):
    """A mask beside several pictures, whose name tells of which it is no more than its size."""

    code = "ambiguous-label"


class OverlappingSegments(InputError):
    """A voxel that belongs to several segments, where a label map holds one label a voxel."""

    code = "overlapping-segments"


class FractionalSegments(InputError):
    """Segments of shares or probabilities, where a label map holds whole labels."""

    code = "fractional-segments"


class BadHeader(InputError):
    """A header that cannot be: a field out of its range, missing, or at odds with another."""

    code = "bad-header"


class UnsupportedData(InputError):
    """A kind of file, compression or voxel that is not read."""

    code = "unsupported-data"


class TooLarge(InputError):
    """More voxels or bytes than are read of one file."""

    code = "too-large"


class DecompressionBomb(TooLarge):
    """A compressed file that would grow beyond what its header or any image needs."""

    code = "decompression-bomb"


class OutsideSource(InputError):
    """A link, or a file named in a header, that leads out of the source."""

    code = "outside-source"


class IdentifiesPerson(UnsafeIdentifier):
    """A study id that is, or holds, the name or the id of the patient in the file's header."""

    code = "identifies-person"


class ReaderDied(InputError):
    """The process that reads untrusted files ended while it read this one."""

    code = "reader-died"


class ReaderTimeout(InputError):
    """The process that reads untrusted files took longer than it may."""

    code = "reader-timeout"


class NoSuchSource(InputError):
    code = "no-such-source"
    exit_code = 5


class NoSourceImages(InputError):
    """A DICOM segmentation was asked for, and the DICOM images that it refers to are not there."""

    code = "no-source-images"


class ShapeMismatch(InputError):
    """Reference and prediction, or columns of one table, that are not of one shape."""

    code = "shape-mismatch"


class UnknownClass(InputError):
    """A truth or a prediction that is none of the classes."""

    code = "unknown-class"


class BadProbabilities(InputError):
    """Probabilities outside [0, 1], not finite, too few, or that do not sum to one."""

    code = "bad-probabilities"


class BadPublishedTable(InputError):
    """A file of printed tables that does not keep to its schema."""

    code = "bad-published-table"


class BadRatings(InputError):
    """A file of ratings that is not one, or is another cohort's."""

    code = "bad-ratings"


class MissingInput(InputError):
    """A subject lacks an input that the pipeline declares, or has it twice."""

    code = "missing-input"


# --- a faulty pipeline file or call: mend the file ----------------------------------------------


class UsageError(CohortflowError, ValueError):
    """The call or the pipeline file is wrong; nothing ran."""

    code = "usage"
    exit_code = 2


class AmbiguousExport(UsageError):
    """Several results would be meant, or would be written under one name."""

    code = "ambiguous-export"


class PipelineError(UsageError):
    code = "faulty-pipeline"


class UnknownName(PipelineError):
    """A stage, step, axis, split, column or parameter that does not exist."""

    code = "unknown-name"


class BadParameter(PipelineError):
    code = "bad-parameter"


class KindMismatch(PipelineError):
    code = "kind-mismatch"


class ReadsBelow(PipelineError):
    """A step reads what stands below it."""

    code = "reads-below"


class AmbiguousInput(PipelineError):
    code = "ambiguous-input"


class AxisError(PipelineError):
    """A single input with an axis too many, or an axis that changes nothing."""

    code = "axis"


class SeenSubject(PipelineError):
    """A score of a subject that the weights behind it have seen."""

    code = "seen-subject"


class Leakage(PipelineError):
    """A split that has one patient, group or recording on both sides."""

    code = "leakage"


class SelectionEmpty(CohortflowError, LookupError):
    code = "selection-empty"
    exit_code = 4


# --- refused before anything started ------------------------------------------------------------


class Refused(CohortflowError):
    code = "refused"
    exit_code = 5


class DoesNotFit(Refused):
    code = "does-not-fit"


class MixedRepetitionTimes(Refused):
    code = "mixed-repetition-times"


class FileMissing(Refused):
    """A file that the pipeline declares was never taken in."""

    code = "file-missing"


class ExportTargetTaken(Refused):
    """Where an export would write stands what it has not written."""

    code = "export-target-taken"


class NoReport(Refused):
    """A file that holds no report of a run, or none that says how it was computed."""

    code = "no-report"


class ReportDamaged(NoReport):
    """A report whose data are cut off, malformed, oversized or name what no report names."""

    code = "report-damaged"


class ReportOfOtherSchema(NoReport):
    """A report of a version of cohortflow that writes its data another way."""

    code = "report-of-other-schema"


class OtherCode(Refused):
    """A report was computed, or rendered, by other code than this."""

    code = "other-code"


class ReportDataMissing(Refused):
    """What a report was computed from is not in the cohort, or not any more."""

    code = "report-data-missing"


class ReportDataChanged(Refused):
    """What a report was computed from has another content in the cohort."""

    code = "report-data-changed"


class MissingExtra(Refused):
    """A library is needed that a plain installation does not bring."""

    code = "missing-extra"


class NotACohort(Refused, FileNotFoundError):
    code = "not-a-cohort"


class StoreTooNew(Refused):
    code = "store-too-new"


class AddressTaken(Refused):
    """Something else listens where a server of ours would."""

    code = "address-taken"


class LeaseHeld(Refused):
    """Another run of the same pipeline works on this cohort."""

    code = "lease-held"


class AccessDenied(Refused, PermissionError):
    """The store does not accept the credentials, or not for this."""

    code = "access-denied"

    __str__ = CohortflowError.__str__


# --- the store ----------------------------------------------------------------------------------


class StoreError(CohortflowError):
    code = "store"


class EntryMissing(StoreError, KeyError):
    code = "entry-missing"

    __str__ = CohortflowError.__str__


class EntryCorrupt(StoreError):
    code = "entry-corrupt"


class InvalidEntry(StoreError, ValueError):
    """What a stage wrote does not fit its kind."""

    code = "invalid-entry"


class AlreadyExists(StoreError, FileExistsError):
    """An exclusive creation lost against an earlier one."""

    code = "already-exists"


# --- a unit -------------------------------------------------------------------------------------


class UnitError(CohortflowError):
    code = "unit"


class StageFailed(UnitError):
    """An unexpected exception inside a stage; the traceback is in the failure record."""

    code = "stage-failed"


class UndefinedResult(UnitError, ArithmeticError):
    """The computation has no answer for this input."""

    code = "undefined-result"


class ReportFailed(CohortflowError):
    """A report could not be rendered; the run and its results are as they are."""

    code = "report-failed"


class ReportSectionFailed(ReportFailed):
    """An unexpected exception inside a section of a report; the other sections are rendered."""

    code = "report-section-failed"


class TransientError(CohortflowError):
    """Worth another try without changing anything."""

    code = "transient"
    transient = True


class WorkerLost(TransientError):
    code = "worker-lost"


class OutOfMemory(WorkerLost):
    """The unit needed more memory than its worker process may use."""

    code = "out-of-memory"


class UnitTimeout(TransientError, TimeoutError):
    code = "unit-timeout"


class StoreUnavailable(TransientError, OSError):
    code = "store-unavailable"

    __str__ = CohortflowError.__str__


class DiskFull(StoreUnavailable):
    """The store is there and has no room left."""

    code = "disk-full"


class TrackingUnavailable(TransientError):
    """MLflow is away; what was to be written waits in the outbox."""

    code = "tracking-unavailable"


class ServerAway(TransientError):
    """A server that is needed for serving does not start or does not answer."""

    code = "server-away"


class Cancelled(TransientError):
    code = "cancelled"
    exit_code = 130
