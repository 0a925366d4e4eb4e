"""The cohort: a store opened by path or URL, its subjects, entries and records."""

from __future__ import annotations

import uuid
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohortflow.cohort.documents import encode, read_document
from cohortflow.cohort.entries import Entries, EntryRef
from cohortflow.cohort.indexes import IndexBook
from cohortflow.cohort.ingests import IngestBook, Ingested, IngestedSubject
from cohortflow.cohort.open_storage import open_storage
from cohortflow.cohort.selections import Selections
from cohortflow.cohort.source_map import SourceMap
from cohortflow.cohort.storage import Storage
from cohortflow.errors import (
    AlreadyExists,
    EntryMissing,
    NotACohort,
    StoreError,
    StoreTooNew,
    UnknownName,
    nearest,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from cohortflow.cohort.run_view import RunView

SCHEMA = 1
_CARD = "cohort.json"


class Cohort:
    """An opened cohort. Opening reads one small file; subjects are read when asked for."""

    def __init__(self, storage: Storage, card: dict[str, Any]) -> None:
        self.storage = storage
        self.url = storage.url
        self.id = str(card["id"])
        self.title = str(card.get("title", ""))
        self.entries = Entries(storage)
        self.ingests = IngestBook(storage)

    def indexes(self, slug: str) -> IndexBook:
        """The indexes that runs of a pipeline left."""
        return IndexBook(self.storage, slug)

    @property
    def selections(self) -> Selections:
        """The selections as they are now."""
        return Selections(self.storage)

    @cached_property
    def source_map(self) -> SourceMap:
        return SourceMap(self.id)

    @property
    def ingested(self) -> Ingested:
        """The newest ingest; one without subjects before the first."""
        return self.ingests.newest() or Ingested(number=0, subjects={}, options={})

    @property
    def subjects(self) -> list[str]:
        """Ids of the subjects, in order, refused ones among them."""
        return list(self.ingested.subjects)

    @property
    def participants(self) -> pd.DataFrame:
        """One row per subject: number, patient, then the ingested columns; the id is the index."""
        import pandas as pd

        rows = self.ingested.subjects.values()
        return pd.DataFrame(
            [{"number": s.number, "patient": s.patient, **s.columns} for s in rows],
            index=pd.Index([s.id for s in rows], name="id", dtype=object),
            columns=["number", "patient", *sorted({c for s in rows for c in s.columns})],
        )

    def __getitem__(self, subject: str) -> SubjectView:
        known = self.ingested.subjects
        if subject not in known:
            raise UnknownName(
                f"no subject {subject!r}", where=self.url, hint=nearest(subject, known)
            )
        return SubjectView(self.entries, known[subject])

    def run(self, slug: str) -> RunView:
        """Results of the newest run of a pipeline; EntryMissing when it has not run here."""
        from cohortflow.cohort.run_view import RunView

        return RunView(self, slug)

    def status(self) -> pd.DataFrame:
        """Units by state as the newest index of each pipeline has them: a row per step."""
        from cohortflow.cohort.run_view import states_table

        return states_table(self)

    def __repr__(self) -> str:
        return f"<Cohort {self.url}>"


class SubjectView:
    """One subject: its ingested entries by name."""

    def __init__(self, entries: Entries, ingested: IngestedSubject) -> None:
        self.ingested = ingested
        self._entries = entries

    def keys(self) -> list[str]:
        return list(self.ingested.entries)

    def __getitem__(self, name: str) -> xr.Dataset:
        known = self.ingested.entries
        if name not in known:
            error = self.ingested.error or {}
            raise UnknownName(
                f"subject {self.ingested.id!r} has no entry {name!r}",
                found=str(error.get("message", "")),
                hint=nearest(name, known),
            )
        entry = known[name]
        ref = EntryRef(self.ingested.id, entry.stage, entry.key)
        return self._entries.open(ref).dataset

    def __repr__(self) -> str:
        return f"<Subject {self.ingested.id}: {', '.join(self.keys())}>"


def create_cohort(url: str | Path, title: str = "") -> Cohort:
    """Create a cohort; AlreadyExists when there is one, NotACohort when something else is there."""
    storage = open_storage(url)
    _refuse_file(storage)
    if not storage.exists(_CARD):
        strangers = [name for name in storage.list("") if not name.startswith(".")]
        if strangers:
            raise NotACohort(
                "the folder holds something else",
                where=storage.url,
                found=", ".join(strangers[:5]),
                hint="Name a new folder for the cohort.",
            )
    card = {"schema": SCHEMA, "id": str(uuid.uuid4()), "title": title}
    storage.create(_CARD, encode(card))
    _require_exclusive_creation(storage, encode(card))
    return Cohort(storage, card)


def _require_exclusive_creation(storage: Storage, card: bytes) -> None:
    """Some services take ``If-None-Match`` and do not heed it; two runs would then both commit."""
    try:
        storage.create(_CARD, card)
    except AlreadyExists:
        return
    storage.delete(_CARD)
    raise StoreError(
        "this store lets a file be created that is already there",
        where=storage.url,
        expected="a service that heeds If-None-Match on PUT",
        hint="Use a disk, or another service or a newer version of it.",
    )


def open_cohort(url: str | Path) -> Cohort:
    """Open a cohort by local path or URL. Raises NotACohort, StoreTooNew, EntryCorrupt."""
    storage = open_storage(url)
    _refuse_file(storage)
    try:
        card = read_document(storage, _CARD)
    except EntryMissing:
        raise NotACohort(
            "no cohort here",
            where=storage.url,
            expected=f"a folder with {_CARD}",
            hint="Create one with 'cohortflow ingest SOURCE COHORT'.",
        ) from None
    if not isinstance(card.get("schema"), int) or "id" not in card:
        raise NotACohort("not a cohort's card", where=f"{storage.url}/{_CARD}", found=str(card))
    if card["schema"] > SCHEMA:
        raise StoreTooNew(
            "this cohort was written by a newer version",
            where=storage.url,
            expected=f"schema {SCHEMA} or older",
            found=f"schema {card['schema']}",
            hint="Install a newer cohortflow.",
        )
    return Cohort(storage, card)


def _refuse_file(storage: Storage) -> None:
    local = storage.local_path("")
    if local is not None and local.is_file():
        raise NotACohort("a file, not a cohort", where=storage.url, expected="a folder")
