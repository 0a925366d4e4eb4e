"""The folder of an export: what is written there, atomically, and never over another's file."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cohortflow.errors import (
    AmbiguousExport,
    DiskFull,
    ExportTargetTaken,
    StoreTooNew,
    StoreUnavailable,
)

MANIFEST = "cohortflow-export.json"
JOURNAL = ".cohortflow-export.journal"
TEMPORARY = ".cohortflow-tmp-"
SCHEMA = 1


class ExportFolder:
    """A folder that is new, empty, or an earlier export of one cohort in one format.

    Files and trees (folders that are one thing, as a Zarr group is) are written under a temporary
    name and renamed. What stands under a name to be written must be what an export wrote there.
    ``changed``, ``unchanged``: files and trees that were written anew, or were as they should be.
    """

    def __init__(self, path: Path, cohort_id: str, format_name: str) -> None:
        self.path = path
        self.identity = {"cohort": cohort_id, "format": format_name}
        self.earlier = self._earlier()
        self._ours = self._digests()
        self._written: set[str] = set()
        self.changed = 0
        self.unchanged = 0

    def start(self) -> None:
        """Make the folder and claim it; clear what an interrupted export left half written."""
        with _named_errors():
            self.path.mkdir(parents=True, exist_ok=True)
            for left in self.path.rglob(f"{TEMPORARY}*"):
                _remove(left)
            if not self.earlier:
                self._replace(MANIFEST, _json({"schema": SCHEMA, **self.identity}))

    def write(self, name: str, data: bytes) -> str:
        """Write a file; its digest."""
        return self._put(name, hashlib.sha256(data).hexdigest(), lambda: self._replace(name, data))

    def write_tree(self, name: str, files: Mapping[str, bytes]) -> str:
        """Write a folder that is one thing; the digest of its files and their names."""
        digest = tree_digest(
            {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
        )
        return self._put(f"{name}/", digest, lambda: self._replace_tree(name, files))

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, which then tells of all that was written."""
        with _named_errors():
            self._replace(MANIFEST, _json({"schema": SCHEMA, **self.identity, **manifest}))
            (self.path / JOURNAL).unlink(missing_ok=True)

    def _earlier(self) -> dict[str, Any]:
        if not self.path.exists():
            return {}
        if not self.path.is_dir():
            raise self._taken("a file stands where the folder should")
        manifest = self.path / MANIFEST
        if not manifest.exists():
            strangers = [p.name for p in self.path.iterdir() if not p.name.startswith(TEMPORARY)]
            if strangers:
                raise self._taken(
                    "the folder holds something else", ", ".join(sorted(strangers)[:5])
                )
            return {}
        try:
            found: dict[str, Any] = json.loads(manifest.read_text("utf-8"))
        except ValueError as error:
            raise self._taken(f"{MANIFEST} cannot be read") from error
        if int(found.get("schema", 0)) > SCHEMA:
            raise StoreTooNew("this export was written by a newer version", where=str(self.path))
        other = {name: found.get(name) for name in self.identity}
        if other != self.identity:
            raise self._taken(
                "the folder holds another export",
                f"format {other['format']} of cohort {other['cohort']}",
            )
        return found

    def _digests(self) -> dict[str, str]:
        known: dict[str, str] = dict(self.earlier.get("about", {}))
        for row in self.earlier.get("items", ()):
            known |= row["files"]
        journal = self.path / JOURNAL
        if self.earlier and journal.exists():
            for line in journal.read_text("utf-8").splitlines():
                digest, _, name = line.partition(" ")
                known[name] = digest
        return known

    def _put(self, name: str, digest: str, write: Callable[[], None]) -> str:
        if name in self._written:
            raise AmbiguousExport(
                "two results would be written under one name",
                found=name,
                hint="Choose one with --step, --subjects or --at.",
            )
        with _named_errors():
            standing = digest_at(self.path / name)
            if standing is not None and standing not in (digest, self._ours.get(name)):
                raise self._taken("a file there is not as an export left it", name)
            if standing != digest:
                with (self.path / JOURNAL).open("a", encoding="utf-8") as journal:
                    journal.write(f"{digest} {name}\n")
                write()
        self._written.add(name)
        self.changed += standing != digest
        self.unchanged += standing == digest
        return digest

    def _replace(self, name: str, data: bytes) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f"{TEMPORARY}{secrets.token_hex(4)}"
        try:
            _write_synced(temporary, data)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _replace_tree(self, name: str, files: Mapping[str, bytes]) -> None:
        temporary = self.path / f"{TEMPORARY}{secrets.token_hex(4)}"
        try:
            for path, data in files.items():
                (temporary / path).parent.mkdir(parents=True, exist_ok=True)
                _write_synced(temporary / path, data)
            target = self.path / name
            if target.exists():
                os.replace(target, self.path / f"{TEMPORARY}{secrets.token_hex(4)}")
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, target)
        finally:
            for left in self.path.glob(f"{TEMPORARY}*"):
                _remove(left)

    def _taken(self, message: str, found: str = "") -> ExportTargetTaken:
        return ExportTargetTaken(
            message,
            where=str(self.path),
            expected="a new or empty folder, or an earlier export of this cohort in this format",
            found=found,
            hint="Nothing of it was changed. Name another folder, or move away what stands there.",
        )


def merged_rows(
    earlier: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Rows of this export, and those of earlier ones of which every file still stands as it was."""
    now = {_identity(row) for row in rows}
    files = {name: digest for row in rows for name, digest in row["files"].items()}
    kept = [
        row
        for row in earlier
        if _identity(row) not in now
        and all(files.get(name, digest) == digest for name, digest in row["files"].items())
    ]
    return sorted([*kept, *rows], key=_identity)


def _identity(row: Mapping[str, Any]) -> tuple[str, ...]:
    point = json.dumps(row["point"], sort_keys=True, default=str)
    return (row["subject"] or "", row["name"], point)


def digest_at(path: Path) -> str | None:
    """The digest of the file or tree that stands there; None where nothing does."""
    if path.is_dir():
        inside = [one for one in path.rglob("*") if one.is_file()]
        return tree_digest({one.relative_to(path).as_posix(): _file_digest(one) for one in inside})
    return _file_digest(path) if path.exists() else None


def tree_digest(files: Mapping[str, str]) -> str:
    """sha256 over lines of digest and path, in the order of the paths."""
    lines = "".join(f"{files[path]} {path}\n" for path in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n").encode()


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, StoreUnavailable):
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (DiskFull if full else StoreUnavailable)(
            "the disk is full" if full else f"the export cannot be written: {error.strerror}",
            hint="What was written stands; the same command goes on.",
        ) from error
