"""kill -9 of the process group of a real run, at seeded moments; then the same command again."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.maintenance import fsck
from tests.faults import killing


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, str]]]:
    """A folder to run in, and what an undisturbed run commits."""
    folder = tmp_path_factory.mktemp("killed")
    killing.prepare(folder)
    killing.ingest(folder, folder / "undisturbed")
    killing.finish_here(folder, folder / "undisturbed")
    return folder, killing.committed(folder / "undisturbed")


def _moment(kind: str, seed: int, cohort: Path) -> tuple[str, Callable[[], bool]]:
    """What to hold the run at, and when it is there."""
    # 12 subjects x 3 steps, one map, 4 trainings, 4 scores: 45 commits with files.
    number = random.Random(f"{kind} {seed}").randint(2, 45)
    if kind == "training":
        wanted = random.Random(f"{kind} {seed}").randint(1, 3)

        def training() -> bool:
            return len(list(cohort.glob("work/*/*"))) >= wanted

        return "", training
    return f"{kind}:{number}", Path(f"{cohort}.held").exists


HERE, AGAIN = killing.finish_here, killing.finish
CASES = [("files", 0, AGAIN), ("record", 0, HERE), ("training", 0, HERE)]
MORE = [("record", 0, AGAIN), ("training", 0, AGAIN)]
MORE += [(kind, seed, AGAIN) for kind in ("files", "record", "training") for seed in range(1, 4)]


@pytest.mark.parametrize(
    ("kind", "seed", "finish"),
    [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)],
)
def test_a_killed_run_redoes_little_and_ends_byte_identical(
    prepared: tuple[Path, dict[str, dict[str, str]]],
    kind: str,
    seed: int,
    finish: Callable[[Path, Path], None],
) -> None:
    """``finish``: the same command, or a run of this process, which has no worker."""
    folder, undisturbed = prepared
    cohort = folder / f"{kind}-{seed}-{finish.__name__}"
    killing.ingest(folder, cohort)
    hold, ready = _moment(kind, seed, cohort)

    killing.kill_when(killing.start(folder, cohort, hold=hold), ready)
    before = killing.committed(cohort)
    assert before.items() <= undisturbed.items(), "what a killed run left is whole"
    assert len(before) < len(undisturbed)

    finish(folder, cohort)
    assert killing.committed(cohort) == undisturbed
    repeated = [key for key, times in killing.computations(cohort).items() if times > 1]
    assert len(repeated) <= killing.WORKERS, "at most one unit per worker is computed again"
    if kind == "files":
        assert fsck(open_cohort(cohort)), "the torn attempt is reported"


@pytest.mark.slow
def test_a_run_killed_with_prefect_ends_the_same(
    prepared: tuple[Path, dict[str, dict[str, str]]],
) -> None:
    folder, undisturbed = prepared
    cohort = folder / "prefect"
    killing.ingest(folder, cohort)
    hold, ready = _moment("record", 7, cohort)
    killing.kill_when(killing.start(folder, cohort, hold=hold, prefect=True), ready)
    process = killing.start(folder, cohort, prefect=True)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert killing.committed(cohort) == undisturbed


def test_a_killed_run_leaves_no_process(prepared: tuple[Path, dict[str, dict[str, str]]]) -> None:
    folder, _ = prepared
    cohort = folder / "orphans"
    killing.ingest(folder, cohort)
    process = killing.start(folder, cohort)
    group = process.pid
    trace = Path(f"{cohort}.trace")
    killing.kill_when(process, lambda: trace.exists() and trace.stat().st_size > 0)
    assert not [name for name in os.listdir("/proc") if name.isdigit() and _group_of(name) == group]


def _group_of(pid: str) -> int | None:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, _, group = status.rpartition(")")[2].split()[:3]
    return None if state == "Z" else int(group)
