"""Files that belong to no subject: weights from elsewhere, an atlas table, label embeddings."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entry import Output
from cohortflow.cohort.ingests import IngestedFile
from cohortflow.cohort.source_map import SourceFile
from cohortflow.errors import (
    EmptyInput,
    InputError,
    NoSuchSource,
    TruncatedFile,
    UnreadableFile,
    UsageError,
)
from cohortflow.sources.files import decode
from cohortflow.sources.tables import MAX_TABLE_BYTES, parse_table, typed_column

READER_VERSION = 1
FORMATS = {".safetensors": "weights", ".parquet": "table", ".csv": "table", ".tsv": "table"}
_NO_VALUE = ("", "n/a")


@dataclass
class CohortFiles:
    """The files of a cohort as an ingest leaves them; nothing is written before ``commit``.

    ``sources``: where they lie, private. ``outputs``: what is to be committed. ``refused``: name →
    error of a file taken in earlier that cannot be read now; what was taken in stands.
    """

    cohort: Cohort
    before: Mapping[str, IngestedFile]
    after: dict[str, IngestedFile]
    sources: dict[str, SourceFile] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    refused: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def changes(self) -> dict[str, str]:
        """Name → new, changed or unchanged, of the files that were read or looked at."""
        told = {}
        for name in self.sources:
            old = self.before.get(name)
            same = old is not None and old.key == self.after[name].key
            told[name] = "unchanged" if same else "changed" if old else "new"
        return told

    def commit(self) -> None:
        for name, output in self.outputs.items():
            file = self.after[name]
            recipe = {"reader": READER_VERSION, "source": file.digest}
            self.cohort.entries.commit(file.ref, file.kind, output, recipe=recipe)

    def _take(self, name: str, path: Path) -> None:
        where = f"file {name}"
        suffix = path.suffix.lower()
        if suffix not in FORMATS:
            raise UnreadableFile(
                "a file of this format is not taken in",
                where=where,
                expected=", ".join(FORMATS),
                found=suffix or "a name without an extension",
            )
        source = _stat(path, where)
        known = self.before.get(name)
        unmoved = known and source == self.cohort.source_map.cohort_files.get(name)
        if known and unmoved and file_key(known.digest, suffix) == known.key and self._there(known):
            self.sources[name] = source
            return
        data = _read(path, where)
        digest = hashlib.sha256(data).hexdigest()
        file = IngestedFile(name, FORMATS[suffix], file_key(digest, suffix), digest, len(data))
        if not (known and known.key == file.key and self._there(known)):
            read = _weights if file.kind == "weights" else _table
            self.outputs[name] = read(data, suffix, where)
        self.after[name] = file
        self.sources[name] = source

    def _there(self, file: IngestedFile) -> bool:
        # On an object store a look costs a request: there the ingest index is trusted.
        near = self.cohort.storage.local_path("") is not None
        return not near or self.cohort.entries.exists(file.ref)


def known_paths(cohort: Cohort) -> dict[str, Path]:
    """Where the files taken in on this machine lay."""
    return {name: Path(file.path) for name, file in cohort.source_map.cohort_files.items()}


def read_cohort_files(
    cohort: Cohort, given: Mapping[str, Path], remembered: Mapping[str, Path]
) -> CohortFiles:
    """Read what is new or changed: size and time first, then digest; writes nothing.

    A file ``given`` now that cannot be used is raised: :class:`NoSuchSource` where it is not there,
    else the :class:`InputError` of what is wrong. A ``remembered`` one is refused by name, and what
    was taken in of it stays. Whole files are held in memory.
    """
    before = cohort.ingested.files
    _refuse_alike({*before, *remembered, *given})
    files = CohortFiles(cohort, before, dict(before))
    for name, path in sorted({**remembered, **given}.items()):
        try:
            files._take(name, path)
        except InputError as error:
            if name in given:
                raise
            files.refused[name] = error.to_json()
    return files


def file_key(digest: str, suffix: str) -> str:
    """SHA-256 of all that the entry depends on: bytes, format, reader."""
    parts = {"file": digest, "format": suffix, "reader": READER_VERSION}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _refuse_alike(names: set[str]) -> None:
    folded: dict[str, str] = {}
    for name in sorted(names):
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise UsageError(
                f"the files {other!r} and {name!r} differ in case only",
                hint="Some file systems would give both one folder; name one of them otherwise.",
            )


def _stat(path: Path, where: str) -> SourceFile:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise NoSuchSource("no such file", where=where, hint="Is the path right?") from None
    except OSError as error:
        raise _cannot_open(where, error) from error
    return SourceFile(str(path.absolute()), status.st_size, status.st_mtime, path.name)


def _read(path: Path, where: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _cannot_open(where, error) from error
    if not data:
        raise EmptyInput("the file is empty", where=where, found="0 bytes")
    return data


def _cannot_open(where: str, error: OSError) -> UnreadableFile:
    return UnreadableFile("the file cannot be opened", where=where, found=str(error.strerror))


def _weights(data: bytes, suffix: str, where: str) -> Output:
    """The bytes as they are, with a card that says what can be known of them."""
    from safetensors import SafetensorError, deserialize

    try:
        tensors = deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise TruncatedFile(
            "the file holds no whole safetensors",
            where=where,
            found=str(error),
            hint="Copy or download it again.",
        ) from error
    if not tensors:
        raise EmptyInput("the file holds no tensor", where=where)
    card = {
        "card": 1,
        "origin": "elsewhere",
        "trained_on": "unknown",
        "sha256": hashlib.sha256(data).hexdigest(),
        "tensors": {name: [about["dtype"], *about["shape"]] for name, about in tensors},
    }
    text = json.dumps(card, sort_keys=True, indent=1) + "\n"
    return Output(
        files={"weights.safetensors": data, "card.json": text.encode()},
        facts={"tensors": len(tensors), "trained_on": "unknown"},
    )


def _table(data: bytes, suffix: str, where: str) -> Output:
    import pyarrow as pa

    if len(data) > MAX_TABLE_BYTES:
        raise UnreadableFile(
            "the file is too large to be a table",
            where=where,
            expected=f"at most {MAX_TABLE_BYTES // 2**20} MiB",
            found=f"{len(data) // 2**20} MiB",
        )
    if suffix == ".parquet":
        table = _parquet(data, where)
    else:
        table = pa.table(dict(_columns(decode(data, where), suffix == ".tsv", where)))
        data = _as_parquet(table)
    if not table.num_rows:
        raise EmptyInput("the table has no rows", where=where)
    facts = {"rows": table.num_rows, "columns": table.column_names}
    return Output(files={"table.parquet": data}, facts=facts)


def _parquet(data: bytes, where: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise TruncatedFile(
            "the file holds no whole Parquet table",
            where=where,
            found=str(error).splitlines()[0],
            hint="Copy or download it again.",
        ) from error


def _columns(text: str, tabs: bool, where: str) -> Iterator[tuple[str, Any]]:
    """Whole numbers, numbers or text by column; an empty field and n/a are no value."""
    import pyarrow as pa

    table = parse_table(text, where, tabs=tabs or None)
    for name in table.columns:
        fields = [None if row[name].lower() in _NO_VALUE else row[name] for row in table.rows]
        values = typed_column(fields)
        empty = all(value is None for value in values)
        yield name, pa.array(values, pa.string() if empty else None)


def _as_parquet(table: Any) -> bytes:
    from cohortflow.evaluation.cases import write_parquet

    return write_parquet(table)
