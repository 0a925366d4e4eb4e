"""Every test runs in a home of its own: no real server,
tracking store or private map is touched."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from cohortflow.topology.rips import few

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

# Before the first import of prefect and mlflow: both read the environment when they load.
_HOME = Path(tempfile.mkdtemp(prefix="cohortflow-tests-"))
_OWNER = os.getpid()


@atexit.register
def _remove_home() -> None:
    if os.getpid() == _OWNER:  # not from a forked child that a test lets die
        shutil.rmtree(_HOME, ignore_errors=True)


KEPT = (
    "COHORTFLOW_TEST_DATA",
    "COHORTFLOW_TEST_FUZZ",
    "COHORTFLOW_TEST_FUZZ_FIRST",
    "COHORTFLOW_TEST_S3_MUST",
    "COHORTFLOW_REWRITE_GOLDEN",
)
for _name in list(os.environ):
    _ours = _name.startswith("COHORTFLOW_") and _name not in KEPT
    if _ours or _name.startswith(("PREFECT_", "MLFLOW_")):
        del os.environ[_name]
os.environ |= {
    "COHORTFLOW_HOME": str(_HOME / "cohortflow"),
    "PREFECT_HOME": str(_HOME / "prefect"),
    "PREFECT_PROFILES_PATH": str(_HOME / "prefect" / "profiles.toml"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "true",
    "MLFLOW_TRACKING_URI": f"sqlite:///{_HOME}/mlflow.db",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MPLBACKEND": "Agg",
}


def _unsynced(descriptor: FileDescriptorLike) -> None:
    os.fstat(descriptor if isinstance(descriptor, int) else descriptor.fileno())


# No test can cut the power, all that a sync is for, and a small study asks for a thousand of them.
# Processes that tests start sync for real; what is synced, and when, is tested by the calls.
os.fsync = _unsynced

# A shared machine is slow now and then; how long one example takes is no property of the code.
hypothesis.settings.register_profile("cohortflow", deadline=None)
hypothesis.settings.load_profile("cohortflow")


def pytest_collection_finish() -> None:
    """What the libraries hold for good is not gone through again by every collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled way from the first cloud on: gudhi is what it is compared with."""
    monkeypatch.setattr(few, "COMPILING_S", 0.0)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real recordings named by COHORTFLOW_TEST_DATA; skips where there is none."""
    folder = os.environ.get("COHORTFLOW_TEST_DATA")
    if not folder:
        pytest.skip("COHORTFLOW_TEST_DATA is not set: no real recordings here")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"COHORTFLOW_TEST_DATA={folder} is no folder")
    return path
