"""The storage behind a path or URL."""

from __future__ import annotations

from pathlib import Path

from cohortflow.cohort.storage import Storage


def open_storage(url: str | Path) -> Storage:
    """Open a local path, ``file://``, or any URL fsspec knows (``s3://`` needs s3fs)."""
    text = str(url)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if text.startswith(("s3://", "s3a://")):
        from cohortflow.cohort.s3_storage import S3Storage

        return S3Storage(text)
    if "://" in text:
        from cohortflow.cohort.object_storage import ObjectStorage

        return ObjectStorage(text)
    from cohortflow.cohort.local_storage import LocalStorage

    return LocalStorage(text)
