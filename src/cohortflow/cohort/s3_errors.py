"""What an S3 service answered, in our errors: who would do what about it."""

from __future__ import annotations

import functools

from cohortflow.errors import (
    AccessDenied,
    CohortflowError,
    EntryMissing,
    StoreError,
    StoreUnavailable,
    UsageError,
)

_DENIED_STATUS = (401, 403)
_MISSING = ("NoSuchKey", "404")
_AGAIN = ("SlowDown", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted")
_NO_CREDENTIALS = ("Credential", "Token", "ProfileNotFound", "SSO", "Login")


class LostRace(StoreError, FileExistsError):
    """An exclusive creation was refused: something stands there."""


@functools.cache
def raised_by_requests() -> tuple[type[Exception], ...]:
    """What a request may raise that is no fault of this program."""
    from botocore.exceptions import BotoCoreError, ClientError

    # ValueError: an endpoint that is no address.
    return (*_no_answer(), BotoCoreError, ClientError, ValueError)


@functools.cache
def _no_answer() -> tuple[type[Exception], ...]:
    from aiohttp import ClientError
    from botocore.exceptions import (
        ConnectionError,
        HTTPClientError,
        IncompleteReadError,
    )
    from botocore.parsers import ResponseParserError

    ours = (ConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)
    return (OSError, ClientError, *ours)


def worth_another_try(error: Exception) -> bool:
    """Whether the same request may succeed a little later: no answer, or one that says so."""
    code, status = _answer(error)
    if not status:
        return isinstance(error, _no_answer())
    return (status >= 500 and status != 501) or status == 429 or code in _AGAIN


def named(error: Exception, where: str, patience_s: float) -> CohortflowError:
    """The error as one of ours."""
    code, status = _answer(error)
    found = f"{code or type(error).__name__}: {error}"
    if worth_another_try(error):
        return StoreUnavailable(
            "the store cannot be reached",
            where=where,
            found=found,
            hint=f"It was tried for {patience_s:g} s. Nothing is lost; run again when it answers.",
        )
    if status:
        return _answered(code, status, where, found)
    if any(word in type(error).__name__ for word in _NO_CREDENTIALS):
        return _denied(where, found)
    return UsageError(
        "S3 cannot be used as it is set up",
        where=where,
        found=found,
        hint="Look at the AWS_… and FSSPEC_S3… variables and the files in ~/.aws.",
    )


def _answered(code: str, status: int, where: str, found: str) -> CohortflowError:
    if code == "NoSuchBucket":
        return StoreUnavailable(
            "the bucket is not there",
            where=where,
            found=found,
            hint="Create it, or mend the name or AWS_ENDPOINT_URL; then run again.",
        )
    if code in _MISSING:
        return EntryMissing("no such object", where=where)
    if status == 412:
        return LostRace("already there", where=where)
    if status in _DENIED_STATUS:
        return _denied(where, found)
    return StoreError("the store refused the request", where=where, found=found)


def _denied(where: str, found: str) -> AccessDenied:
    return AccessDenied(
        "the store does not let this user in",
        where=where,
        found=found,
        hint="Look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), at "
        "AWS_ENDPOINT_URL, and at what the bucket allows this key.",
    )


def _answer(error: BaseException | None) -> tuple[str, int]:
    """Code and status of the service's answer, which s3fs keeps behind errors of its own."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return str(response.get("Error", {}).get("Code", "")), int(status)
        error = error.__cause__
    return "", 0
