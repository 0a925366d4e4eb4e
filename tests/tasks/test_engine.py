"""Units on real worker processes: whatever one does, every one is settled and the others finish."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import distributed
import psutil
import pytest

from cohortflow.errors import Refused, UsageError
from tasks.engine import Engine, open_engine
from tasks.patience import Patience

FUNCTION = "tests.tasks.fake_units:run"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_engine("local", workers=2, memory="400MiB", patience=Patience(0.05, 0.2)) as started:
        yield started


@pytest.fixture(scope="module")
def remote() -> Iterator[Engine]:
    """A scheduler of somebody else, whose one worker process runs three units at a time."""
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"}),
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=3,
            processes=True,
            host="127.0.0.1",
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=50,
        ) as cluster,
        open_engine(cluster.scheduler_address, patience=Patience(0.05, 0.2)) as started,
    ):
        yield started


@pytest.fixture(params=["local", "remote"])
def either(request: pytest.FixtureRequest) -> Engine:
    name = "engine" if request.param == "local" else "remote"
    started: Engine = request.getfixturevalue(name)
    return started


class Batch:
    """Makes specs and remembers what was handed over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.specs: list[dict[str, Any]] = []
        self.handed: list[dict[str, Any]] = []

    def add(self, does: str, count: int = 1, **fields: Any) -> Batch:
        for _ in range(count):
            number = len(self.specs)
            spec = {"key": f"{number:03d}-{does}", "step": "fake", "subject": f"sub-{number}"}
            self.specs.append({**spec, "does": does, "folder": str(self.folder), **fields})
        return self

    def run(self, engine: Engine, **options: Any) -> dict[str, dict[str, Any]]:
        """Outcomes by key, after checking that every one was handed over exactly once."""
        outcomes = engine.run(self.specs, self.handed.append, function=FUNCTION, **options)
        keys = [spec["key"] for spec in self.specs]
        assert [outcome["key"] for outcome in outcomes] == keys
        assert Counter(outcome["key"] for outcome in self.handed) == Counter(keys)
        return {outcome["key"]: outcome for outcome in outcomes}

    def starts(self, key: str) -> int:
        return len((self.folder / key).read_text().splitlines())


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


def innocents_are_done(outcomes: dict[str, dict[str, Any]], does: str = "note") -> bool:
    innocents = {key: o for key, o in outcomes.items() if key.endswith(f"-{does}")}
    assert innocents
    assert {key: o["error"] for key, o in innocents.items() if o["state"] != "done"} == {}
    return True


def errors(outcomes: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {key: o["error"]["code"] for key, o in outcomes.items() if o["error"]}


def test_all_units_are_done_once_and_handed_over_as_they_settle(
    engine: Engine, batch: Batch
) -> None:
    batch.add("note", 40)
    outcomes = batch.run(engine)
    assert innocents_are_done(outcomes)
    assert {o["facts"]["starts"] for o in outcomes.values()} == {1}
    assert {o["attempts"] for o in outcomes.values()} == {1}


def test_outcomes_do_not_wait_for_the_end_of_their_message(engine: Engine, batch: Batch) -> None:
    seen: list[float] = []
    batch.add("sleep", 4, sleep_s=0.3, seconds=0.001)  # projected cheap: sent in few messages
    started = time.monotonic()
    engine.run(batch.specs, lambda _: seen.append(time.monotonic() - started), function=FUNCTION)
    assert seen[0] < seen[-1] - 0.2


def test_nothing_to_do(engine: Engine) -> None:
    assert engine.run([], function=FUNCTION) == []


@pytest.mark.parametrize(
    ("does", "found"), [("raise", "ZeroDivisionError"), ("exit", "SystemExit")]
)
def test_a_unit_that_raises_fails_alone(
    engine: Engine, batch: Batch, does: str, found: str
) -> None:
    outcomes = batch.add("note", 5).add(does, retries=3).add("note", 5).run(engine)
    assert innocents_are_done(outcomes)
    assert errors(outcomes) == {f"005-{does}": "stage-failed"}
    failed = outcomes[f"005-{does}"]
    assert found in failed["error"]["message"]
    assert failed["attempts"] == 1  # not transient: retries change nothing
    assert failed["by"] == "engine"


def test_a_transient_failure_is_retried_as_often_as_the_spec_says(
    engine: Engine, batch: Batch
) -> None:
    outcomes = batch.add("fail_twice", retries=2).add("fail_twice", retries=1).run(engine)
    assert outcomes["000-fail_twice"]["state"] == "done"
    assert outcomes["000-fail_twice"]["attempts"] == 3
    assert outcomes["001-fail_twice"]["error"]["code"] == "flaky"
    assert outcomes["001-fail_twice"]["attempts"] == 2


def test_a_unit_that_kills_its_worker_harms_no_other(either: Engine, batch: Batch) -> None:
    batch.add("note", 10).add("die", retries=0).add("note", 10).add("die", retries=1)
    outcomes = batch.add("note", 10).run(either)
    assert innocents_are_done(outcomes)
    assert errors(outcomes) == {"010-die": "worker-lost", "021-die": "worker-lost"}
    assert outcomes["021-die"]["attempts"] == 2
    # one start more where a worker was lost before it was clear whose fault it was
    assert batch.starts("010-die") in (1, 2)
    assert batch.starts("021-die") in (2, 3)


def test_a_worker_lost_once_is_made_good(engine: Engine, batch: Batch) -> None:
    outcomes = batch.add("note", 5).add("die_once", retries=1).add("note", 5).run(engine)
    assert errors(outcomes) == {}


def test_a_hung_unit_times_out_from_its_own_start(either: Engine, batch: Batch) -> None:
    """The queue ahead of it takes longer than its limit, and is not counted."""
    batch.add("sleep", 8, sleep_s=0.4, timeout_s=30).add("hang", timeout_s=0.8)
    outcomes = batch.add("note", 10, timeout_s=30).run(either)
    assert innocents_are_done(outcomes)
    assert innocents_are_done(outcomes, "sleep")
    assert errors(outcomes) == {"008-hang": "unit-timeout"}
    assert batch.starts("008-hang") == 1


def test_units_within_their_limit_do_not_time_out_in_a_queue(engine: Engine, batch: Batch) -> None:
    outcomes = batch.add("sleep", 12, sleep_s=0.2, seconds=0.001, timeout_s=0.8).run(engine)
    assert errors(outcomes) == {}
    assert {o["facts"]["starts"] for o in outcomes.values()} == {1}


def test_a_memory_hog_is_named(engine: Engine, batch: Batch) -> None:
    outcomes = batch.add("note", 5).add("hog", retries=0).add("note", 5).run(engine)
    assert innocents_are_done(outcomes)
    error = outcomes["005-hog"]["error"]
    assert error["code"] == "out-of-memory"
    assert "memory limit" in error["message"]
    assert "--memory" in error["hint"]


def test_a_stopped_run_settles_the_rest_and_the_engine_can_go_on(
    either: Engine, batch: Batch
) -> None:
    batch.add("sleep", 2, sleep_s=0.1).add("hang", 8, timeout_s=600)
    finished = 2
    started = time.monotonic()
    outcomes = batch.run(either, should_stop=lambda: len(batch.handed) >= finished)
    assert time.monotonic() - started < 10
    assert set(errors(outcomes).values()) == {"cancelled"}
    assert sum(o["state"] == "done" for o in outcomes.values()) == finished
    assert all(o["error"]["transient"] for o in outcomes.values() if o["error"])
    again = Batch(batch.folder / "..").add("nothing", 20)
    assert innocents_are_done(again.run(either), "nothing")


def test_an_error_in_the_listener_ends_the_run_and_leaves_the_engine_usable(
    engine: Engine, batch: Batch
) -> None:
    def refuse(outcome: dict[str, Any]) -> None:
        raise OSError("no space left")

    batch.add("note").add("hang", 3)
    with pytest.raises(OSError, match="no space left"):
        engine.run(batch.specs, refuse, function=FUNCTION)
    assert innocents_are_done(Batch(batch.folder).add("nothing", 5).run(engine), "nothing")


def test_workers_know_neither_prefect_nor_the_command_line(engine: Engine, batch: Batch) -> None:
    facts = batch.add("report").run(engine)["000-report"]["facts"]
    roots = {name.partition(".")[0] for name in facts["modules"]}
    assert not roots & {"prefect", "flows", "typer", "mlflow", "pytest", "_pytest"}


def test_workers_keep_to_their_share_of_threads(engine: Engine, batch: Batch) -> None:
    facts = batch.add("report").run(engine)["000-report"]["facts"]
    assert facts["threads"] == "1"
    assert facts["blas"]
    assert set(facts["blas"]) == {1}


def test_a_function_that_workers_cannot_import_is_named(engine: Engine, batch: Batch) -> None:
    outcomes = engine.run(batch.add("note", 3).specs, function="tests.tasks.nowhere:run")
    assert {o["error"]["code"] for o in outcomes} == {"stage-failed"}
    assert "nowhere" in outcomes[0]["error"]["message"]


def test_overhead_of_300_units_that_do_nothing(
    engine: Engine, batch: Batch, record_property: Any
) -> None:
    batch.add("nothing", 300, seconds=0.01)
    started = time.perf_counter()
    assert errors(batch.run(engine)) == {}
    milliseconds = (time.perf_counter() - started) / 300 * 1000
    record_property("ms_per_unit", round(milliseconds, 2))


def test_closing_ends_every_worker_process_even_a_hung_one(batch: Batch) -> None:
    before = set(psutil.Process().children(recursive=True))
    with open_engine("local", workers=2, memory="400MiB") as started:
        batch.add("hang", 4)
        batch.run(started, should_stop=lambda: len(list(batch.folder.iterdir())) == 2)
    after = set(psutil.Process().children(recursive=True)) - before
    _, alive = psutil.wait_procs(after, timeout=5)
    assert [p.cmdline() for p in alive if "resource_tracker" not in " ".join(p.cmdline())] == []


def test_a_worker_lost_again_and_again_is_always_replaced(batch: Batch) -> None:
    """Dask would give a worker up that is away when it looks, some time after an earlier loss."""
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "0.1s"}),
        open_engine("local", workers=1, memory="400MiB", patience=Patience(0.05, 0.2)) as started,
    ):
        outcomes = batch.add("die", retries=2).add("note", 3).run(started)
    assert errors(outcomes) == {"000-die": "worker-lost"}


# --- the flow's own process, and what is refused --------------------------------------------------


def test_inline_runs_in_order_in_this_process_and_says_what_it_cannot_enforce(batch: Batch) -> None:
    batch.add("nothing").add("raise").add("fail_twice", retries=2).add("nothing")
    with open_engine("none", patience=Patience(0.01, 0.05)) as inline:
        outcomes = batch.run(inline)
    assert [o["key"] for o in batch.handed] == [spec["key"] for spec in batch.specs]
    assert errors(outcomes) == {"001-raise": "stage-failed"}
    assert outcomes["002-fail_twice"]["attempts"] == 3
    assert {limit.partition(":")[0] for limit in inline.cannot_enforce} == {
        "time-outs",
        "memory",
        "crashes",
    }


def test_inline_stops_between_units(batch: Batch) -> None:
    with open_engine("none") as inline:
        outcomes = batch.add("nothing", 5).run(inline, should_stop=lambda: len(batch.handed) >= 2)
    assert list(errors(outcomes).values()) == ["cancelled"] * 3


def test_default_shares_stay_within_the_machine() -> None:
    local = open_engine("local", workers=3)
    assert local.threads_per_worker == 1
    assert 0 < 3 * local.memory_limit_bytes < psutil.virtual_memory().total
    assert open_engine("local", memory="4GiB").memory_limit_bytes == 4 * 2**30
    assert local.cannot_enforce == ()


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"cluster": "slurm"}, "--cluster"),
        ({"workers": 0}, "--workers"),
        ({"threads": -1}, "--threads"),
        ({"memory": "much"}, "--memory"),
        ({"memory": "-1GiB"}, "--memory"),
    ],
)
def test_impossible_wishes_are_refused(options: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_engine(**options)
    assert refused.value.where == where


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.engine.CONNECT_S", 0.5)
    with pytest.raises(Refused, match="no Dask scheduler"), open_engine("tcp://127.0.0.1:9"):
        pass
