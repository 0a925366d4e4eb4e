"""A browser, which must be there where everything is tried, and need not be elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.chromium import Page


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A tab of a Chromium of its own."""
    if chromium.executable() is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium, which this test must not go without here")
        pytest.skip("no Chromium is installed")
    with chromium.page(tmp_path / "profile") as found:
        yield found
