"""Verdicts that a page sends to the server it came from: checked, then kept in the cohort.

A page of the web can make a browser send requests to this machine. It cannot read what is served
here, so it does not know the token that a served page carries; it cannot send JSON to another
origin without being asked for leave, which is never given; and the browser says of each request
where it came from. All of that is looked at, and the size, before anything is read.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.ratings import store_ratings
from cohortflow.errors import CohortflowError, InputError
from cohortflow.report.page import TOKEN_PLACE

log = logging.getLogger(__name__)

PATH = "/ratings"
TOKEN = "X-Cohortflow-Token"
MOST_BYTES = 2**20


@dataclass(frozen=True)
class Answer:
    """A status and the JSON that tells why."""

    status: HTTPStatus
    told: Mapping[str, Any]


def with_token(page: bytes, token: str) -> bytes:
    """A page that saves, with the token it saves with; any other as it is."""
    return page.replace(
        TOKEN_PLACE.encode(), TOKEN_PLACE.replace('content=""', f'content="{token}"').encode(), 1
    )


def refused(headers: Mapping[str, str], token: str, origins: Collection[str]) -> Answer | None:
    """Why a request is not even read; None where it may be. ``origins``: the server's own."""
    if headers.get("Origin") not in origins:
        return _no(HTTPStatus.FORBIDDEN, "this request comes from another page")
    if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return _no(HTTPStatus.FORBIDDEN, "this request comes from another page")
    if not hmac.compare_digest(headers.get(TOKEN, "").encode(), token.encode()):
        return _no(HTTPStatus.FORBIDDEN, "the server was started anew: load this page again")
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return _no(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "ratings are JSON")
    if "Transfer-Encoding" in headers or not _length(headers).isdigit():
        return _no(HTTPStatus.LENGTH_REQUIRED, "a length is needed")
    if int(_length(headers)) > MOST_BYTES:
        return _no(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MOST_BYTES} bytes")
    return None


def keep(cohort: Cohort, headers: Mapping[str, str], read: Callable[[int], bytes]) -> Answer:
    """Read a request that was not refused, and keep its ratings."""
    length = int(_length(headers))
    data = read(length)
    if len(data) != length:
        return _no(HTTPStatus.BAD_REQUEST, "the request ends too early")
    try:
        stored = store_ratings(cohort, data)
    except InputError as error:
        return Answer(HTTPStatus.BAD_REQUEST, error.to_json())
    except CohortflowError as error:
        log.error("ratings could not be kept: %s", error)
        return _no(HTTPStatus.SERVICE_UNAVAILABLE, "the store is away")
    return Answer(HTTPStatus.OK, {"new": stored.new, "ratings": stored.ratings})


def _length(headers: Mapping[str, str]) -> str:
    found = headers.get("Content-Length", "")
    return found if found.isascii() and len(found) < 12 else ""


def _no(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, {"code": "refused", "message": message})
