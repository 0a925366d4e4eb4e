"""Failure records: kept against a unit's key, numbered, exclusive; a commit beats them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cohortflow.cohort.documents import create_numbered, encode, numbers, read_document
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.storage import Storage

FOLDER = "failures"


def record_failure(storage: Storage, ref: EntryRef, failure: Mapping[str, Any]) -> int:
    """Add a failure of a unit (code, message, hint, traceback, log, inputs, …); its number."""
    ref.check()
    return create_numbered(storage, f"{ref.path}/{FOLDER}", ".json", encode(dict(failure)))


def failures(storage: Storage, ref: EntryRef) -> list[dict[str, Any]]:
    """All failures of a unit, the oldest first. They count only while there is no entry."""
    folder = f"{ref.path}/{FOLDER}"
    return [read_document(storage, f"{folder}/{n:06d}.json") for n in numbers(storage, folder)]
