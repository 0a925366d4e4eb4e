"""Ctrl-C and SIGTERM: the first ends a run cleanly, the second at once;
the same command goes on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.leases import Lease, holder
from tests.cli.conftest import prepare
from tests.faults import killing

LONG = "epochs: 100000"


class Run:
    """A real run in a process of its own, its output kept."""

    started: ClassVar[list[Run]] = []

    def __init__(self, folder: Path, *options: str) -> None:
        self.cohort = folder / "cohort"
        environment = {**os.environ, "COHORTFLOW_TRACKING": "off"}
        command = [killing.BIN, "run", folder / "small.yaml", self.cohort, *options]
        self.output = folder / f"run-{len(Run.started)}.log"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        Run.started.append(self)

    def kill(self) -> None:
        """Nothing of a failed test goes on training for ever."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """SIGTERM as from ``kill``; SIGINT as from a terminal, which sends it to every process."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = 120) -> None:
        until = time.monotonic() + timeout_s
        while not ready():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, "the moment never came"
            time.sleep(0.02)

    def is_training(self) -> bool:
        return bool(list(self.cohort.glob("work/*")))

    def maps(self) -> int:
        return len(list(self.cohort.glob("cohort/rank_sum_map@*/entry.json")))

    def has_trained(self) -> bool:
        """Epochs are behind it: imports, some of which swallow an interrupt, are over."""
        return bool(list(self.cohort.glob("work/*/*.safetensors")))

    def said(self) -> str:
        return self.output.read_text()

    def end(self, timeout_s: float = 60) -> str:
        self.process.wait(timeout=timeout_s)
        return self.said()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with all distances, which take a process long to compile, and another map."""
    folder = tmp_path_factory.mktemp("signals") / "study"
    killing.prepare(folder)
    _train_for(folder, "epochs: 1")
    killing.ingest(folder, folder / "cohort")
    options = ("--no-train", "--set", "rank_sum_map.alpha=0.05")
    assert prepare("run", folder / "small.yaml", folder / "cohort", *options) == 3
    return folder


@pytest.fixture
def folder(begun: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(begun, tmp_path / "study")
    Run.started.clear()
    yield tmp_path / "study"
    for run in Run.started:
        run.kill()


def _train_for(folder: Path, epochs: str) -> None:
    pipeline = folder / "small.yaml"
    pipeline.write_text(re.sub("epochs: [0-9]+", epochs, pipeline.read_text()))


def _ended_cleanly(run: Run, said: str) -> None:
    assert run.process.returncode == 130, said
    assert "Traceback" not in said
    assert "the same command goes on from here" in said
    cohort = open_cohort(run.cohort)
    assert holder(cohort.storage, "small") is None, "the lease is given back"
    index = cohort.indexes("small").newest()
    assert index is not None
    assert index.summary is None, "a stopped run counts as unfinished"
    assert not list(run.cohort.glob("**/failures/*")), "being stopped is no failure of a unit"


def _stop_and_go_on(folder: Path, number: signal.Signals, *options: str) -> None:
    _train_for(folder, LONG)
    stopped = Run(folder, "--workers", "1", *options)
    stopped.wait_until(stopped.is_training)
    assert stopped.maps() == 2, "it finished something"
    stopped.signal(number)
    said = stopped.end(timeout_s=20)
    _ended_cleanly(stopped, said)

    _train_for(folder, "epochs: 1")
    again = Run(folder, "--workers", "1", *options)
    said = again.end(timeout_s=180)
    assert again.process.returncode == 0, said
    table = {line.split()[0]: line.split()[1:4] for line in said.splitlines() if line[:1].isalpha()}
    assert not {"pairwise_rois", "rank_sum_map"} & set(table), "what was finished stands"
    assert table["classify"] == ["4", "4", "0"]
    assert "leaked" not in said


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_the_first_signal_ends_a_run_cleanly(folder: Path, number: signal.Signals) -> None:
    _stop_and_go_on(folder, number, "--no-prefect")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_a_run_with_prefect_cleanly(
    folder: Path, number: signal.Signals
) -> None:
    _stop_and_go_on(folder, number)


def test_the_second_signal_ends_a_run_at_once(folder: Path) -> None:
    _train_for(folder, LONG)
    run = Run(folder, "--cluster", "none", "--no-prefect")
    run.wait_until(run.has_trained)
    run.signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        run.process.wait(timeout=2)  # the unit at work has the time it takes
    run.signal(signal.SIGINT)
    said = run.end(timeout_s=10)
    assert run.process.returncode == 130, said
    assert holder(open_cohort(run.cohort).storage, "small") is None


def test_waiting_for_another_run_can_be_stopped(folder: Path) -> None:
    storage = open_cohort(folder / "cohort").storage
    with Lease.acquire(storage, "small", run_id="the-other"):
        waiting = Run(folder, "--wait", "--no-prefect")
        waiting.wait_until(lambda: "waiting for run the-other" in waiting.said())
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.process.wait(timeout=2)
        waiting.signal(signal.SIGINT)
        said = waiting.end(timeout_s=10)
    assert waiting.process.returncode == 130, said
    assert "error [cancelled]" in said
