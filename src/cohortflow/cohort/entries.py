"""Entries: what units wrote. A record, created last and exclusively, makes an attempt an entry."""

from __future__ import annotations

import functools
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cohortflow.cohort.documents import encode, read_document
from cohortflow.cohort.entry import Entry, Output
from cohortflow.cohort.kinds import validate
from cohortflow.cohort.storage import Storage
from cohortflow.errors import (
    AlreadyExists,
    EntryCorrupt,
    EntryMissing,
    StoreTooNew,
    UnsafeIdentifier,
)

RECORD = "entry.json"
RECORD_SCHEMA = 1
KEY_DIGITS = 16
_ATTEMPT = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*)?")
_RECORD_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("stage", "key", "kind", "attempt"), str),
    **dict.fromkeys(("files", "facts", "recipe"), dict),
    **dict.fromkeys(("subjects", "weights", "warnings"), list),
    **{"schema": int, "subject": (str, type(None)), "arrays": bool},
}


@dataclass(frozen=True)
class EntryRef:
    """Where a unit's entry stands: known from its key before anything ran."""

    subject: str | None
    stage: str
    key: str

    @property
    def path(self) -> str:
        owner = "cohort" if self.subject is None else f"subjects/{self.subject}"
        return f"{owner}/{self.stage}@{self.key[:KEY_DIGITS]}"

    def check(self) -> None:
        """UnsafeIdentifier when a part of the path could lead elsewhere."""
        for name in (self.stage, self.subject or "cohort"):
            if not name or name in (".", "..") or any(c in name for c in "/\\@\0"):
                raise UnsafeIdentifier("not usable in a path", found=repr(name))
        if len(self.key) != 64 or set(self.key) - set("0123456789abcdef"):
            raise UnsafeIdentifier("not a key", expected="64 hex digits", found=repr(self.key))


@dataclass(frozen=True)
class EntryRecord:
    """What ``entry.json`` says. ``files``: path inside the attempt → sha256 and bytes.

    ``subjects``: whom it was computed from. ``weights``: the weights behind it, apart from those.
    """

    ref: EntryRef
    kind: str
    attempt: str
    files: Mapping[str, Mapping[str, Any]]
    subjects: Sequence[Any]
    weights: Sequence[Any]
    facts: Mapping[str, Any]
    warnings: Sequence[Mapping[str, str]]
    recipe: Mapping[str, Any]
    has_arrays: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": RECORD_SCHEMA,
            "subject": self.ref.subject,
            "stage": self.ref.stage,
            "key": self.ref.key,
            "kind": self.kind,
            "attempt": self.attempt,
            "files": {name: dict(about) for name, about in self.files.items()},
            "subjects": list(self.subjects),
            "weights": list(self.weights),
            "facts": dict(self.facts),
            "warnings": [dict(warning) for warning in self.warnings],
            "recipe": dict(self.recipe),
            "arrays": self.has_arrays,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any], where: str) -> EntryRecord:
        schema = document.get("schema", 0)
        if isinstance(schema, int) and schema > RECORD_SCHEMA:
            raise StoreTooNew(
                "a record was written by a newer version",
                where=where,
                expected=f"schema {RECORD_SCHEMA}",
                found=f"schema {document['schema']}",
                hint="Install a newer cohortflow.",
            )
        try:
            for name, kind in _RECORD_TYPES.items():
                if not isinstance(document[name], kind):
                    raise EntryCorrupt(
                        f"what a record calls its {name} is none",
                        where=where,
                        found=type(document[name]).__name__,
                    )
            if not _ATTEMPT.fullmatch(document["attempt"]):
                raise EntryCorrupt("a record's attempt is no name of a folder", where=where)
            return cls(
                ref=EntryRef(document["subject"], document["stage"], document["key"]),
                kind=document["kind"],
                attempt=document["attempt"],
                files=document["files"],
                subjects=document["subjects"],
                weights=document["weights"],
                facts=document["facts"],
                warnings=document["warnings"],
                recipe=document["recipe"],
                has_arrays=document["arrays"],
            )
        except KeyError as error:
            raise EntryCorrupt(f"a record lacks {error}", where=where) from error


class Entries:
    """The entries of one cohort."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def exists(self, ref: EntryRef) -> bool:
        """Whether a record is there: one look, nothing read."""
        return self.storage.exists(f"{ref.path}/{RECORD}")

    def record(self, ref: EntryRef) -> EntryRecord | None:
        """The record; None when absent, EntryCorrupt when unreadable or another unit's."""
        path = f"{ref.path}/{RECORD}"
        try:
            document = read_document(self.storage, path)
        except EntryMissing:
            return None
        where = f"{self.storage.url}/{path}"
        record = EntryRecord.from_json(document, where)
        if record.ref != ref:
            raise EntryCorrupt(
                "the record is another unit's",
                where=where,
                expected=str(ref),
                found=str(record.ref),
            )
        return record

    def commit(
        self,
        ref: EntryRef,
        kind: str,
        output: Output,
        *,
        subjects: Iterable[Any] = (),
        weights: Iterable[Any] = (),
        recipe: Mapping[str, Any] | None = None,
    ) -> EntryRecord:
        """Write an attempt and its record; the record in force, which may be another attempt's.

        Raises InvalidEntry when the output does not fit its kind. A crash at any point leaves no
        entry, or a whole one.
        """
        ref.check()
        validate(kind, output.dataset, output.files, ref.path)
        files = _files(kind, output)
        attempt = f"a-{secrets.token_hex(4)}" if files else ""
        record = EntryRecord(
            ref=ref,
            kind=kind,
            attempt=attempt,
            files={name: _about(data) for name, data in sorted(files.items())},
            subjects=list(subjects),
            weights=list(weights),
            facts=output.facts,
            warnings=list(output.warnings),
            recipe=recipe or {},
            has_arrays=output.dataset is not None,
        )
        document = encode(record.to_json())
        if files:
            self.storage.write_tree(f"{ref.path}/{attempt}", files)
        try:
            self.storage.create(f"{ref.path}/{RECORD}", document)
        except AlreadyExists:
            standing = self._standing(ref)
            if files and standing.attempt != attempt:
                self.storage.delete(f"{ref.path}/{attempt}")
            return standing
        return record

    def _standing(self, ref: EntryRef) -> EntryRecord:
        record = self.record(ref)
        if record is None:
            raise EntryMissing("removed while another attempt committed", where=ref.path)
        return record

    def open(self, ref: EntryRef) -> Entry:
        """The entry, arrays unread; EntryMissing,
        or EntryCorrupt when the record is not its own."""
        record = self.record(ref)
        if record is None:
            raise EntryMissing("no such entry", where=f"{self.storage.url}/{ref.path}")
        return self.entry(record)

    def entry(self, record: EntryRecord) -> Entry:
        """The entry behind a record already read."""
        names = tuple(n.removeprefix("files/") for n in record.files if n.startswith("files/"))
        return Entry(
            kind=record.kind,
            stage=record.ref.stage,
            key=record.ref.key,
            subject=record.ref.subject,
            facts=record.facts,
            warnings=record.warnings,
            file_names=names,
            open_dataset=(
                functools.partial(self._open_dataset, record) if record.has_arrays else None
            ),
            open_file=lambda name: self.read_checked(record, f"files/{name}"),
        )

    def read_checked(self, record: EntryRecord, name: str) -> bytes:
        """A file of an entry, which must be the one that its record names."""
        path = f"{record.ref.path}/{record.attempt}/{name}"
        if name not in record.files:
            raise EntryCorrupt("a record lacks a file", where=f"{self.storage.url}/{path}")
        data = self.storage.read(path)
        if _about(data) != dict(record.files[name]):
            raise EntryCorrupt(
                "a file is not the one that was committed",
                where=f"{self.storage.url}/{path}",
                expected=f"sha256 {record.files[name]['sha256'][:12]}…",
                found=f"{_about(data)['sha256'][:12]}…, {len(data)} bytes",
                hint="See 'cohortflow fsck --deep'; without its entry.json it is made again.",
            )
        return data

    def _open_dataset(self, record: EntryRecord) -> Any:
        from cohortflow.cohort.arrays import GROUP, open_arrays, refuse_absurd

        # Chunks carry a checksum each; what says how to read them does not.
        path = f"{record.ref.path}/{record.attempt}/arrays"
        where = f"{self.storage.url}/{path}"
        refuse_absurd(self.read_checked(record, f"arrays/{GROUP}"), len(record.files), where)
        try:
            return open_arrays(self.storage, path)
        except (ValueError, TypeError, LookupError, NotImplementedError) as error:
            raise EntryCorrupt(
                "the arrays cannot be opened", where=where, found=type(error).__name__
            ) from error

    def verify(self, ref: EntryRef) -> list[str]:
        """What is wrong with an entry, by the digest of every file; empty when it is whole."""
        try:
            record = self.record(ref)
        except (EntryCorrupt, StoreTooNew) as error:
            return [str(error)]
        if record is None:
            return [f"{ref.path}: no record"]
        problems = []
        for name, about in record.files.items():
            path = f"{ref.path}/{record.attempt}/{name}"
            try:
                found = _about(self.storage.read(path))
            except EntryMissing:
                problems.append(f"{path}: missing")
                continue
            if found != dict(about):
                problems.append(f"{path}: expected {dict(about)}, found {found}")
        return problems


def _files(kind: str, output: Output) -> dict[str, bytes]:
    files = {f"files/{name}": data for name, data in output.files.items()}
    if output.dataset is not None:
        from cohortflow.cohort.arrays import encode_arrays

        arrays = encode_arrays(output.dataset, kind)
        files |= {f"arrays/{name}": data for name, data in arrays.items()}
    return files


def _about(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
