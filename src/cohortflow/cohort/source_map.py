"""The source map: what leads back to a person. One private local file, never in the store."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cohortflow.errors import EntryCorrupt


@dataclass(frozen=True)
class SourceFile:
    """A file that was read: path, bytes, modification time, and its original name."""

    path: str
    size: int
    mtime: float
    name: str = ""


def home() -> Path:
    """Where cohortflow keeps what is private to this user."""
    chosen = os.environ.get("COHORTFLOW_HOME")
    return Path(chosen) if chosen else Path.home() / ".local" / "share" / "cohortflow"


class SourceMap:
    """Subject → source files, files of no subject, and the last ingest's options, of one cohort."""

    def __init__(self, cohort_id: str, folder: Path | None = None) -> None:
        self.path = (folder or home()) / "source-maps" / f"{cohort_id}.json"

    @property
    def subjects(self) -> dict[str, list[SourceFile]]:
        """Every subject's files."""
        rows = self._read()["subjects"]
        return {name: [SourceFile(**file) for file in files] for name, files in rows.items()}

    def files(self, subject: str) -> list[SourceFile]:
        """The files of one subject; empty when unknown."""
        return [SourceFile(**file) for file in self._read()["subjects"].get(subject, [])]

    @property
    def cohort_files(self) -> dict[str, SourceFile]:
        """Files that belong to no subject, by the name they were taken in under."""
        return {name: SourceFile(**file) for name, file in self._read().get("files", {}).items()}

    @property
    def options(self) -> dict[str, Any]:
        """What the last ingest was called with (source, participants table, columns, …)."""
        return dict(self._read()["options"])

    def update(
        self,
        subjects: Mapping[str, Sequence[SourceFile]],
        options: Mapping[str, Any] | None = None,
        cohort_files: Mapping[str, SourceFile] | None = None,
    ) -> None:
        """Replace the rows of these subjects, the options where given, and these files."""
        document = self._read()
        for name, files in subjects.items():
            document["subjects"][name] = [asdict(file) for file in files]
        for name, file in (cohort_files or {}).items():
            document.setdefault("files", {})[name] = asdict(file)
        if options is not None:
            document["options"] = dict(options)
        self._write(document)

    def remember(self, options: Mapping[str, Any]) -> None:
        """Keep the options of an ingest, so that the next one needs none."""
        self.update({}, options)

    def remove(self, subjects: Iterable[str]) -> list[str]:
        """Forget the rows of these subjects; those that were there."""
        document = self._read()
        gone = [name for name in subjects if document["subjects"].pop(name, None) is not None]
        if gone:
            self._write(document)
        return gone

    def discard(self) -> None:
        """Remove the file: of a cohort that is not kept."""
        self.path.unlink(missing_ok=True)

    def withdraw(self, subjects: Iterable[str]) -> None:
        """Keep these subjects out of later ingests; a digest of the id is all that stays."""
        document = self._read()
        known = set(document.get("withdrawn", ()))
        document["withdrawn"] = sorted(known | {self._mark(subject) for subject in subjects})
        self._write(document)

    def readmit(self, subjects: Iterable[str]) -> None:
        """Let subjects in again that were withdrawn."""
        document = self._read()
        gone = {self._mark(subject) for subject in subjects}
        document["withdrawn"] = sorted(set(document.get("withdrawn", ())) - gone)
        self._write(document)

    def withdrawn(self, subjects: Iterable[str]) -> set[str]:
        """Those of ``subjects`` that were withdrawn."""
        known = set(self._read().get("withdrawn", ()))
        return {subject for subject in subjects if known and self._mark(subject) in known}

    def _mark(self, subject: str) -> str:
        return hashlib.sha256(f"{self.path.stem}\t{subject}".encode()).hexdigest()

    def _read(self) -> dict[str, Any]:
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return {"schema": 1, "subjects": {}, "options": {}}
        try:
            document: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise EntryCorrupt(
                "the source map cannot be read",
                where=str(self.path),
                hint="Delete it and ingest again from the source.",
            ) from error
        return document

    def _write(self, document: Mapping[str, Any]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}-{secrets.token_hex(4)}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
