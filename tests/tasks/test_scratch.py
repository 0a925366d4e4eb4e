"""The workers' folder: gone at the end, and after a kill with the next run."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tasks.scratch import scratch_folder

HOLDER = """
import sys, time
from tasks.scratch import scratch_folder
with scratch_folder() as folder:
    sys.stdout.write(folder + "\\n")
    sys.stdout.flush()
    time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_killed_runs_folder_goes_with_the_next_run_and_a_living_ones_stays(
    temporary: Path,
) -> None:
    (temporary / "cohortflow-tests").mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        with scratch_folder() as mine:
            assert Path(mine).parent == theirs.parent == temporary
            assert theirs.is_dir(), "its maker lives"
        assert not Path(mine).exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert theirs.is_dir()
        with scratch_folder():
            assert not theirs.exists()
    finally:
        process.kill()
        process.communicate()
    assert [path.name for path in temporary.iterdir()] == ["cohortflow-tests"]
