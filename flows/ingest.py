"""Ingest: raw files into a cohort, made if it is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic

from cohortflow.cohort.cohort import Cohort, create_cohort, open_cohort
from cohortflow.cohort.leases import Lease
from cohortflow.cohort.open_storage import open_storage
from cohortflow.errors import NoSuchSource, UsageError
from cohortflow.sources.ingest import IngestOptions, IngestReport, ingest, remembered


@dataclass(frozen=True)
class IngestRequest:
    """``source`` None: the remembered one, with the remembered options."""

    source: str | None
    cohort: str
    options: Mapping[str, Any] = field(default_factory=dict)
    readmit: tuple[str, ...] = ()


def ingest_source(request: IngestRequest) -> IngestReport:
    """Read what is new or changed; every good recording goes in,
    every bad one is refused by name."""
    if request.source is None:
        cohort = open_cohort(request.cohort)
        source, options = _remembered(cohort, request)
    else:
        source, options = request.source, _options(request.options)
        if not Path(source).exists():
            raise NoSuchSource(
                "no such file or folder", where=source, hint="Nothing was written; mend the path."
            )
        cohort = _open_or_create(request.cohort)
    with Lease.acquire(cohort.storage, "ingest", run_id="ingest"):
        if request.readmit:
            cohort.source_map.readmit(request.readmit)
        return ingest(cohort, source, options)


def _remembered(cohort: Cohort, request: IngestRequest) -> tuple[str, IngestOptions]:
    """The last source and its options; what is given now takes their place."""
    known = remembered(cohort)
    if known is None:
        raise NoSuchSource(
            "no source is remembered for this cohort on this machine",
            where=request.cohort,
            hint="cohortflow ingest SOURCE COHORT",
        )
    source, before = known
    if not source.exists():
        raise NoSuchSource(
            "the remembered source is not there",
            where=request.cohort,
            hint="Is its disk mounted? cohortflow ingest SOURCE COHORT remembers another place.",
        )
    given = _options(request.options).model_dump(exclude_defaults=True)
    return str(source), before.model_copy(update=given)


def _options(options: Mapping[str, Any]) -> IngestOptions:
    try:
        return IngestOptions(**options)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"option {'.'.join(map(str, first['loc']))}: {first['msg']}",
            found=repr(first.get("input")),
        ) from error


def _open_or_create(url: str) -> Cohort:
    if open_storage(url).exists("cohort.json"):
        return open_cohort(url)
    return create_cohort(url)
