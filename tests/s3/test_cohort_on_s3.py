"""A cohort on S3: all commands, killed runs, and how many requests a night without news costs."""

from __future__ import annotations

import random
import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.maintenance import fsck
from tests.s3 import runs
from tests.s3.runs import World
from tests.servers.radosgw import RadosGateway, Request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def world(s3_server: RadosGateway, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("s3"), s3_server.environment)


@pytest.fixture(scope="module")
def undisturbed(world: World) -> dict[str, dict[str, Any]]:
    """What a run on a disk commits that nobody disturbs."""
    cohort = str(world.folder / "undisturbed")
    world.ingest(cohort)
    world.run(cohort)
    found = runs.committed(cohort)
    assert len(found) == 20 * 4 + 1 + 4 + 4
    return found


PREFIX = "studies/cohort"
PLAN = [
    "GET cohort.json",
    "LIST ingests/",
    "GET ingests/*",
    "LIST indexes/small/",
    "GET indexes/small/*/summary.json",
    "GET indexes/small/*/part",
    "LIST selections/",
    "GET selections/*",
]
"""What a plan asks of the store where all is done."""
QUIET_NIGHT = [
    *PLAN,
    "LIST leases/small/",
    "PUT leases/small/*.json",
    "LIST leases/small/",  # whether a later number was taken meanwhile
    "POST delete",  # leases of the nights before
    "LIST indexes/small/",  # whether the plan, made before the lease was there, still stands
    "LIST ingests/",
    "PUT indexes/small/*/claim.json",
    "PUT indexes/small/*/part",
    "PUT indexes/small/*/summary.json",
    "LIST reports/small/",  # whether the newest report was rendered
    "GET reports/small/nights.json",
    "PUT reports/small/nights.html",
    "PUT reports/small/nights.json",
    "PUT leases/small/*.end",
]
"""What a run asks that finds nothing to do."""


def told(requests: list[Request], prefix: str) -> list[str]:
    """Method and path of each, without what differs between any two runs."""
    return [_told(request, prefix) for request in requests]


def _told(request: Request, prefix: str) -> str:
    url = urlsplit(request.path)
    query = parse_qs(url.query, keep_blank_values=True)
    if "prefix" in query:
        return f"LIST {query['prefix'][0].removeprefix(f'{prefix}/')}"
    if request.method == "POST":
        return f"POST {'delete' if 'delete' in query else url.path}"
    path = url.path.split(f"/{prefix}/", 1)[-1]
    path = re.sub(r"/part-\d{4}\.json\.gz$", "/part", path)
    path = re.sub(r"\b([0-9a-f]{32}/)?\d{6}(\.json\.gz)?\b", "*", path)
    return f"{request.method} {path}"


@pytest.mark.usefixtures("server")
def test_every_command_on_a_url_and_what_a_quiet_night_costs(
    world: World, undisturbed: dict[str, dict[str, Any]], bucket: str, s3_server: RadosGateway
) -> None:
    cohort = f"s3://{bucket}/{PREFIX}"
    world.ingest(cohort)
    assert "69 units to run" in world.call("plan", "small.yaml", cohort)
    world.run(cohort)
    assert runs.committed(cohort) == undisturbed, "the same bytes as on a disk"

    for _ in range(2):  # from the third night on there are old leases to clean
        world.run(cohort)
    with s3_server.counted() as requests:
        # No heartbeat, which falls due on a busy machine, is among those that are counted.
        assert "nothing to do" in world.run(cohort, COHORTFLOW_SILENCE_S="3600")
    assert told(requests, PREFIX) == QUIET_NIGHT
    with s3_server.counted() as requests:
        world.call("plan", "small.yaml", cohort)
    assert told(requests, PREFIX) == PLAN
    with s3_server.counted() as requests:
        world.call("status", cohort)
    assert len(requests) == 11, told(requests, PREFIX)
    with s3_server.counted() as requests:
        assert "20 unchanged" in world.call(
            "ingest", "source", cohort, "--atlas", "source/atlas.tsv"
        )
    assert len(requests) <= 11, told(requests, PREFIX)
    assert "s3://" in world.call("report", cohort)
    assert "small" in world.call("runs", cohort)
    world.call("fsck", cohort)
    world.call("gc", cohort, "--dry-run")
    world.call("gc", cohort)
    key = next(path for path in undisturbed if "/diagrams@" in path).split("@")[1][:16]
    world.call("replay", cohort, key)
    subject = open_cohort(cohort).subjects[0]
    world.call("forget", cohort, subject)
    assert subject not in open_cohort(cohort).subjects
    assert not open_cohort(cohort).storage.list(f"subjects/{subject}")
    world.run(cohort)
    assert fsck(open_cohort(cohort)) == []


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("seed", range(3))
def test_killed_runs_end_as_an_undisturbed_one(
    world: World, undisturbed: dict[str, dict[str, Any]], bucket: str, seed: int
) -> None:
    """kill -9 of the whole group three times, when so many entries stand; then to the end."""
    cohort = f"s3://{bucket}/cohort"
    world.ingest(cohort)
    moments = sorted(random.Random(f"s3 {seed}").sample(range(21, 88), 3))
    for moment in moments:
        process = world.start_run(cohort)
        while len(runs.records(cohort)) < moment and process.poll() is None:
            time.sleep(0.05)
        assert process.poll() is None, process.communicate()[0]
        runs.kill(process)
        assert runs.committed(cohort).items() <= undisturbed.items(), "what is there is whole"
    world.run(cohort)
    assert runs.committed(cohort) == undisturbed
    damage = {problem.code for problem in fsck(open_cohort(cohort), deep=True)}
    assert damage <= {"orphan"}, "at most attempts that were cut short, named by no record"
