"""One ingest of many subjects, each timed, with the highest memory of both processes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import pytest

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.recorder import MemoryRecorder
from cohortflow.sources.images import reader_process
from cohortflow.sources.images.decoded import Decoded, Request
from cohortflow.sources.images.reader_process import ReaderProcess
from cohortflow.sources.ingest import IngestOptions, IngestReport, ingest
from cohortflow.sources.subject_id import placeholder
from tests.hostile.cases import Case
from tests.hostile.seeds import dicom, nifti
from tests.sources.images.dicom_files import save

GOOD = ("good-dicom", "good-nifti")


def peak_bytes(process: int | str) -> int:
    """The highest resident memory of a process since it was last reset."""
    told = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", told)
    return int(found[1]) * 1024 if found else 0


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@dataclass(eq=False)
class Clock(MemoryRecorder):
    """Seconds from one subject to the next."""

    at: float = field(default_factory=time.monotonic)
    longest_s: float = 0.0

    def progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done > 1:  # the first waits for the reader's process to begin
            self.longest_s = max(self.longest_s, now - self.at)
        self.at = now


class Watched(ReaderProcess):
    """Notes the memory of its process after every request, and how many processes there were."""

    peak = 0
    started = 0

    def read(self, request: Request) -> list[Decoded]:
        before = self._process
        try:
            return super().read(request)
        finally:
            Watched.started += self._process is not before and before is not None
            if self._process is not None:
                Watched.peak = max(Watched.peak, peak_bytes(self._process.pid))


@dataclass(frozen=True)
class Measured:
    cohort: Cohort
    report: IngestReport
    longest_s: float
    reader_bytes: int
    own_bytes: int
    deaths: int

    @property
    def codes(self) -> dict[str, str]:
        return {subject: error["code"] for subject, error in self.report.refused.items()}

    def codes_of(self, names: Iterable[str]) -> dict[str, str]:
        """Codes by the names of folders, also where the subject does not go by it."""
        nameless = {placeholder(PurePath(name)): name for name in names}
        return {nameless.get(subject, subject): code for subject, code in self.codes.items()}


def put_good(source: Path) -> None:
    """Subjects that nothing is wrong with, first and last in the order in which they are read."""
    for name in ("good-dicom", "zz-good-dicom"):
        (source / name).mkdir(parents=True)
        save(dicom(), source / name / "a.dcm")
    (source / "good-nifti").mkdir()
    (source / "good-nifti" / "a.nii").write_bytes(nifti())


def ingested(
    source: Path, monkeypatch: pytest.MonkeyPatch, options: IngestOptions | None = None
) -> Measured:
    monkeypatch.setattr(reader_process, "ReaderProcess", Watched)
    Watched.peak = Watched.started = 0
    clock, cohort = Clock(), create_cohort(source.parent / "cohort")
    reset_peak()
    before = peak_bytes("self")
    report = ingest(cohort, source, options, recorder=clock, threads=1)
    own = peak_bytes("self") - before
    return Measured(cohort, report, clock.longest_s, Watched.peak, own, Watched.started)


def write(cases: Iterable[Case], source: Path) -> dict[str, str]:
    """Each case in its folder; its code by its name."""
    expected: dict[str, str] = {}
    for case in cases:
        assert case.name not in expected
        (source / case.name).mkdir(parents=True)
        case.write(source / case.name)
        expected[case.name] = case.code
    return expected


def stored_names(cohort: Cohort) -> set[Any]:
    """Whatever folder of a subject is there, with an entry or with half of one."""
    return set(cohort.storage.list("subjects"))
