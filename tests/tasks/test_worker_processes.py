"""Worker processes seen from outside: what they import, and that none outlives a killed flow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import tasks
from tasks.local_cluster import current_folder_last

ROOT = Path(__file__).parents[2]

FLOW = """
import json, sys
from tasks.engine import open_engine

def spec(number, does):
    return {"key": str(number), "step": "fake", "subject": None, "does": does,
            "folder": FOLDER, "timeout_s": 600}

with open_engine("local", workers=2, memory="400MiB") as engine:
    outcomes = engine.run([spec(n, DOES) for n in range(4)], function="tests.tasks.fake_units:run")
sys.stdout.write(json.dumps([outcome["facts"] for outcome in outcomes]))
"""
"""A script without the usual guard around its main part: workers must not import it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder whose files are called like our packages and like standard modules."""
    for name in ("tasks", "flows", "cohortflow", "queue", "logging", "random", "numpy"):
        (tmp_path / f"{name}.py").write_text(
            f"raise ImportError('the user\\'s {name} is imported')"
        )
    return tmp_path


def flow(folder: Path, does: str) -> subprocess.Popen[str]:
    script = folder / "user scripts" / "script.py"
    script.parent.mkdir()
    starts = folder / "starts"
    starts.mkdir()
    code = FLOW.replace("FOLDER", repr(str(starts))).replace("DOES", repr(does))
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    return subprocess.Popen(
        [sys.executable, str(script)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_folder_full_of_likely_names_shadows_nothing(folder: Path) -> None:
    out, err = flow(folder, "report").communicate(timeout=60)
    assert err == ""
    facts = json.loads(out)
    assert {fact["tasks"] for fact in facts} == {str(Path(tasks.__file__).parent)}


@pytest.fixture
def hanging(folder: Path) -> Iterator[tuple[psutil.Process, list[psutil.Process]]]:
    """A flow whose two workers hang, and every process below it."""
    started = flow(folder, "hang")
    process = psutil.Process(started.pid)
    limit = time.monotonic() + 60
    while len(list((folder / "starts").iterdir())) < 2:
        assert started.poll() is None, started.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.05)
    below = process.children(recursive=True)
    yield process, below
    for found in [process, *below]:
        if found.is_running():
            found.kill()
    started.communicate()


def workers_among(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [found for found in processes if "spawn_main" in " ".join(found.cmdline())]


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_no_worker_outlives_a_killed_flow(
    hanging: tuple[psutil.Process, list[psutil.Process]],
) -> None:
    """Not even one that is in no state to notice that the flow is gone."""
    process, below = hanging
    workers = workers_among(below)
    assert len(workers) == 2
    if sys.platform.startswith("linux"):
        for worker in workers:
            worker.suspend()
    process.kill()
    limit = time.monotonic() + 10
    while not all(is_over(found) for found in below) and time.monotonic() < limit:
        time.sleep(0.05)
    assert [found for found in below if not is_over(found)] == []


def test_ctrl_c_is_left_to_the_flow(
    hanging: tuple[psutil.Process, list[psutil.Process]],
) -> None:
    """A terminal sends SIGINT to the whole group; workers must not fail their units for it."""
    _, below = hanging
    workers = workers_among(below)
    assert len(workers) == 2
    for worker in workers:
        worker.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert not any(is_over(worker) for worker in workers)


def test_the_current_folder_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert current_folder_last(["", "/a", str(tmp_path), "/b"]) == ["/a", "/b", str(tmp_path)]
    assert current_folder_last(["/a", "/b"]) == ["/a", "/b"]
