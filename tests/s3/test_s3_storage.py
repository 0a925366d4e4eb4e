"""The storage contract on a real S3 server, and what only a server can show."""

from __future__ import annotations

import pytest

from cohortflow.cohort.open_storage import open_storage
from cohortflow.cohort.storage import Storage
from tests.cohort.test_storage import StorageContract

pytestmark = pytest.mark.slow


class TestS3Storage(StorageContract):
    @pytest.fixture
    def storage(self, bucket: str) -> Storage:
        return open_storage(f"s3://{bucket}/cohort")


class TestS3BucketItself(StorageContract):
    """A cohort may be a whole bucket."""

    @pytest.fixture
    def storage(self, bucket: str) -> Storage:
        return open_storage(f"s3://{bucket}")
