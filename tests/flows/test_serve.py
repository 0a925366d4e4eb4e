"""``cohortflow serve`` as a service: forms, cancelling, kills and nights,
told by Prefect's own API."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.leases import holder
from tests.cli.conftest import PIPELINE
from tests.flows.serving import ASK_S, LONG, STUDY, Served, prefect_server, study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TRAINING = PIPELINE.replace("report: []", f"{LONG}report: []")


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest.fixture
def served(tmp_path: Path, prefect: str) -> Iterator[Served]:
    with study(tmp_path, pipeline=TRAINING, prefect=prefect) as found:
        yield found


def test_what_the_form_returns_is_run_shown_and_names_nobody(served: Served) -> None:
    served.start()
    wrong = {"steps": {"rank_sum_map": {"alpha": 5}}}
    path = f"{served.api}/deployments/{served.deployment('on demand')}/create_flow_run"
    refused = httpx.post(path, json={"parameters": wrong}, timeout=ASK_S)
    assert refused.status_code >= 400
    assert "alpha" in refused.text

    run = served.ask("on demand", steps={"rank_sum_map": {"network": "Nowhere"}}, train=False)
    ended = served.wait_for(run, "PartlyDone", "Failed", "Crashed")
    assert ended["state"]["message"] == "1 blocked, 24 done, 1 failed"
    shown = served.artifacts(run)
    assert set(shown) == {"progress", "units", "failures", "report"}
    assert shown["progress"]["data"] == 100
    (cause,) = json.loads(shown["failures"]["data"])
    assert (cause["step"], cause["units"]) == ("rank_sum_map", 1)
    page = shown["report"]["data"].split("](")[1].split(")")[0]
    assert "Nowhere" in httpx.get(page, timeout=ASK_S).text
    lines = served.lines(run)
    assert lines[0].endswith("units to compute")
    assert lines[-1] == f"Open the report: {page}"
    assert any(line.startswith("rank_sum_map: 1 failed by ") for line in lines)
    for told in (ended, shown, lines, served.runs("on demand")):
        assert STUDY not in json.dumps(told)

    unknown = served.ask("on demand", settings=["standardise.lenght=3"])
    ended = served.wait_for(unknown, "Failed", "Crashed")
    assert ended["state"]["message"].startswith("unknown-name: ")


def test_cancel_and_sigterm_end_a_run_cleanly_and_the_next_goes_on(served: Served) -> None:
    served.start()
    first = served.ask("on demand")
    served.wait(served.is_training, "training")
    served.cancel(first)
    served.wait_for(first, "Cancelled", "Crashed")
    assert served.state(first) == "Cancelled"
    assert holder(open_cohort(served.cohort).storage, "three-steps") is None

    second = served.ask("on demand")
    served.wait(lambda: served.batches(second) == ["classify 0"], "a batch that goes on")
    assert served.stop() == [], "nothing is left"
    assert served.process is not None
    assert served.process.returncode == 0, served.said
    assert served.state(second) == "Cancelled"
    assert holder(open_cohort(served.cohort).storage, "three-steps") is None


def test_a_killed_run_never_stays_running(served: Served) -> None:
    served.start("--silence", "45")
    killed = served.ask("on demand")
    served.wait(served.is_training, "training")
    served.engine().kill()
    served.wait_for(killed, "Crashed")

    partly = served.ask("on demand", train=False)
    served.wait_for(partly, "PartlyDone")
    silent = served.ask("on demand")
    served.wait(lambda: served.batches(silent) == ["classify 0"], "training again")
    whole = served.processes()
    assert served.process is not None
    os.killpg(served.process.pid, signal.SIGKILL)
    left = psutil.wait_procs(whole, timeout=30)[1]
    assert left == [], "nothing of a killed run is left"
    served.process.wait()
    served.process = None
    assert served.state(silent) == "Running"
    ended = served.wait_for(silent, "Crashed")
    assert "no sign of life" in ended["state"]["message"]
    assert served.state(partly) == "PartlyDone", "an end of ours is an end"


def test_nights_that_were_missed_are_made_up_for_by_one(served: Served) -> None:
    """A minute stands for a night."""
    nights = ("--cron", "* * * * *", "--timezone", "Europe/Berlin")
    served.start(*nights)
    served.wait(lambda: len(served.runs("nightly")) > 3, "nights that are planned")
    assert served.stop() == []
    served.process = None
    served.wait(lambda: len(_due(served)) > 2, "nights that are missed")

    served.start(*nights)
    served.wait(lambda: bool(_ran(served)), "the night after", within_s=600)
    made_up = _ran(served)[0]
    missed = [r for r in _due(served) if r["expected_start_time"] < made_up["start_time"]]
    served.wait(
        lambda: all(served.state(run["id"]) in ("Missed", "PartlyDone") for run in missed),
        "nights that are settled",
    )
    states = [served.state(run["id"]) for run in missed]
    assert states.count("PartlyDone") == 1
    assert states.count("Missed") == len(missed) - 1 >= 2
    assert made_up["state"]["message"] == "1 blocked, 25 done", "nothing is trained at night"


def _due(served: Served) -> list[dict[str, Any]]:
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return [run for run in served.runs("nightly") if run["expected_start_time"] < now]


def _ran(served: Served) -> list[dict[str, Any]]:
    return [run for run in served.runs("nightly") if run["state"]["name"] == "PartlyDone"]
