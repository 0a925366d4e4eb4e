"""Ratings: what a person said of subjects after looking at their pages. Authored, never remade.

Each file that is taken in is an entry of its own, ``cohort/ratings@<digest of its content>``: taken
in twice it is there once, and nothing of what was said before is written over. A later rating of a
subject by the same rater supersedes the earlier one, by the time that the rating itself carries.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic

from cohortflow.cohort.documents import digest, encode, read_document
from cohortflow.cohort.entries import RECORD, EntryRecord, EntryRef
from cohortflow.cohort.entry import Output
from cohortflow.cohort.indexes import slugs
from cohortflow.cohort.storage import Storage
from cohortflow.errors import BadRatings, EntryCorrupt, EntryMissing, TooLarge

if TYPE_CHECKING:
    from cohortflow.cohort.cohort import Cohort

STAGE = "ratings"
FILE = "ratings.json"
MOST_BYTES = 8 * 2**20
MOST_RATINGS = 50_000
MOST_COMMENT = 500
AHEAD = datetime.timedelta(days=1)
VERDICTS = ("pass", "doubtful", "fail")
_WHERE = "the ratings"
_CODE = r"[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters; also those that turn the writing round, and so what stands beside it."""


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)


class RatingIn(_Strict):
    """One line of a file. ``page``: the digits of the page that was looked at."""

    subject: Annotated[str, pydantic.Field(min_length=1, max_length=200)]
    verdict: Literal["pass", "doubtful", "fail"]
    rated: Annotated[str, pydantic.Field(max_length=40)]
    comment: Annotated[str, pydantic.Field(max_length=MOST_COMMENT)] = ""
    page: Annotated[str, pydantic.Field(pattern=r"^([0-9a-f]{16})?$")] = ""


class RatingsIn(_Strict):
    """A file of ratings, as a page of a subject writes it."""

    schema_: Annotated[Literal[1], pydantic.Field(alias="schema")]
    kind: Literal["cohortflow ratings"]
    cohort: Annotated[str, pydantic.Field(max_length=100)]
    pipeline: Annotated[str, pydantic.Field(max_length=200)]
    rater: Annotated[str, pydantic.Field(pattern=rf"^{_CODE}$", min_length=2, max_length=16)]
    ratings: Annotated[list[RatingIn], pydantic.Field(min_length=1, max_length=MOST_RATINGS)]


@dataclass(frozen=True)
class Rating:
    """One verdict of one rater. ``rated``: ISO 8601 in UTC; ``key``: of the entry it stands in."""

    subject: str
    pipeline: str
    rater: str
    verdict: str
    comment: str
    rated: str
    page: str
    key: str


@dataclass(frozen=True)
class Stored:
    """What came of a file. ``new``: it was not there before. ``superseded``: earlier ratings of
    the same rater and subject that no longer hold; ``left_out``: lines of subjects unknown here."""

    key: str
    new: bool
    rater: str
    pipeline: str
    ratings: int
    superseded: int
    left_out: int


def store_ratings(
    cohort: Cohort,
    data: bytes,
    *,
    leave_out_unknown: bool = False,
    now: datetime.datetime | None = None,
) -> Stored:
    """Check a file that nobody vouches for, and keep it. Raises BadRatings, TooLarge.

    ``leave_out_unknown``: lines of subjects that are not in the cohort (any more) are left out,
    instead of the whole file refused.
    """
    at = now or datetime.datetime.now(datetime.UTC)
    document = _document(cohort, read_ratings(data), at)
    known = set(cohort.subjects)
    kept = [line for line in document["ratings"] if line["subject"] in known]
    left_out = len(document["ratings"]) - len(kept)
    if left_out and (not leave_out_unknown or not kept):
        raise BadRatings(
            f"{left_out} of {len(document['ratings'])} ratings are of subjects that are not here",
            where=_WHERE,
            hint="Ratings of another cohort, or of somebody forgotten: --leave-out-unknown takes "
            "the others."
            if kept
            else "",
        )
    document = {**document, "ratings": kept}
    before = {
        one.subject: one.rated
        for one in current(all_ratings(cohort, document["pipeline"]))
        if one.rater == document["rater"]
    }
    new = _commit(cohort, document, at)
    later = [line for line in kept if before.get(line["subject"], line["rated"]) < line["rated"]]
    again = len(later) if new else 0
    key = digest(document)
    return Stored(key, new, document["rater"], document["pipeline"], len(kept), again, left_out)


def read_ratings(data: bytes) -> RatingsIn:
    """The file, its form checked; raises BadRatings, TooLarge. No message repeats its content."""
    if len(data) > MOST_BYTES:
        raise TooLarge(
            "a file of ratings is too large",
            where=_WHERE,
            expected=f"{MOST_BYTES} bytes at most",
            found=f"{len(data)} bytes",
        )
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_once_each)
        return RatingsIn.model_validate(found)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise BadRatings(
            str(first["msg"]),
            where=f"{_WHERE}, {_place(first)}",
            hint="The pages of subjects write such files; docs/rate.md says what stands in them.",
        ) from None
    except (ValueError, RecursionError):
        raise BadRatings("this is no JSON", where=_WHERE, expected="a ratings.json") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name that stands twice: which of the two was meant?")
    return found


def _place(error: Mapping[str, Any]) -> str:
    """Where in the file: the names of ours, and numbers."""
    ours = {*RatingIn.model_fields, *RatingsIn.model_fields, "schema"}
    parts = [p + 1 if isinstance(p, int) else p if p in ours else "…" for p in error["loc"]]
    return " ".join(str(part) for part in parts) or "as a whole"


def _document(cohort: Cohort, found: RatingsIn, at: datetime.datetime) -> dict[str, Any]:
    """What is kept: the same content in one spelling."""
    if found.cohort != cohort.id:
        raise BadRatings("these are ratings of another cohort", where=_WHERE)
    if found.pipeline not in slugs(cohort.storage):
        raise BadRatings("these are ratings of a pipeline that has not run here", where=_WHERE)
    lines = [
        {**line.model_dump(), "rated": _time(line.rated, number, at)}
        for number, line in enumerate(found.ratings, start=1)
    ]
    for number, line in enumerate(lines, start=1):
        if _CONTROL.search(line["comment"]):
            raise BadRatings(
                "a comment holds control characters", where=f"{_WHERE}, ratings {number}"
            )
    if len({line["subject"] for line in lines}) < len(lines):
        raise BadRatings("a subject is rated twice in one file", where=_WHERE)
    return {
        "schema": 1,
        "kind": found.kind,
        "cohort": found.cohort,
        "pipeline": found.pipeline,
        "rater": found.rater,
        "ratings": sorted(lines, key=lambda line: str(line["subject"])),
    }


def _time(text: str, number: int, at: datetime.datetime) -> str:
    try:
        found = datetime.datetime.fromisoformat(text)
        placed = found.astimezone(datetime.UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        placed = None
    if placed is None or placed > at + AHEAD:
        raise BadRatings(
            "a rating says no time at which it can have been made",
            where=f"{_WHERE}, ratings {number} rated",
            expected="such as 2026-03-02T10:30:00Z, not in the future",
        )
    return placed.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _commit(cohort: Cohort, document: Mapping[str, Any], at: datetime.datetime) -> bool:
    ref = EntryRef(None, STAGE, digest(document))
    if cohort.entries.exists(ref):
        return False
    cohort.entries.commit(
        ref,
        STAGE,
        Output(files={FILE: encode(document)}, facts={"stored": at.isoformat(timespec="seconds")}),
        subjects=[line["subject"] for line in document["ratings"]],
    )
    return True


# --- what stands ----------------------------------------------------------------------------------


def all_ratings(cohort: Cohort, pipeline: str | None = None) -> list[Rating]:
    """Every rating ever taken in, earliest first, of one pipeline or of all."""
    found = []
    for record in _records(cohort.storage):
        document = _content(cohort, record)
        if pipeline in (None, document["pipeline"]):
            about = {name: document[name] for name in ("pipeline", "rater")}
            found += [Rating(**line, **about, key=record.ref.key) for line in document["ratings"]]
    return sorted(found, key=lambda rating: (rating.rated, rating.key, rating.subject))


def current(ratings: Iterable[Rating]) -> list[Rating]:
    """The latest of each rater for each subject of each pipeline."""
    latest = {(one.pipeline, one.rater, one.subject): one for one in ratings}
    return list(latest.values())


def keys_of(storage: Storage) -> set[str]:
    """First digits of the keys of all ratings: nothing makes them again, so gc keeps them."""
    names = (name.rpartition("@") for name in storage.list("cohort"))
    return {key for stage, _, key in names if stage == STAGE}


def _records(storage: Storage) -> list[EntryRecord]:
    found: list[EntryRecord] = []
    for key in sorted(keys_of(storage)):
        path = f"cohort/{STAGE}@{key}/{RECORD}"
        try:
            record = EntryRecord.from_json(read_document(storage, path), path)
        except EntryMissing:
            continue  # an attempt that was cut short
        if record.kind == STAGE:  # a file that a pipeline calls ratings is another thing
            found.append(record)
    return found


def _content(cohort: Cohort, record: EntryRecord) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(cohort.entries.entry(record).read_file(FILE))
    if digest(document) != record.ref.key:
        raise EntryCorrupt("ratings are not what their key says", where=record.ref.path)
    return document


def without(cohort: Cohort, subjects: Collection[str], strike: Any) -> list[str]:
    """Write ratings that name them anew, without their lines; paths of those that are to go.

    ``strike`` takes mentions out of a text.
    """
    gone = []
    for record in _records(cohort.storage):
        document = _content(cohort, record)
        lines = [
            {**line, "comment": strike(line["comment"])}
            for line in document["ratings"]
            if line["subject"] not in subjects
        ]
        if lines == document["ratings"]:
            continue
        if lines:
            stored = datetime.datetime.fromisoformat(str(record.facts["stored"]))
            _commit(cohort, {**document, "ratings": lines}, stored)
        gone.append(record.ref.path)
    return gone
