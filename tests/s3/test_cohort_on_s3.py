"""A cohort on S3: all commands, killed runs, and how many requests a night without news costs."""

from __future__ import annotations

import random
import time
from typing import Any

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


def told(requests: list[Request]) -> str:
    return "\n".join(f"{request.method} {request.path}" for request in requests)


@pytest.mark.usefixtures("server")
def test_every_command_on_a_url_and_what_a_quiet_night_costs(
    world: World, undisturbed: dict[str, dict[str, Any]], bucket: str, s3_server: RadosGateway
) -> None:
    cohort = f"s3://{bucket}/studies/cohort"
    world.ingest(cohort)
    assert "69 units to run" in world.call("plan", "small.yaml", cohort)
    world.run(cohort)
    assert runs.committed(cohort) == undisturbed, "the same bytes as on a disk"

    world.run(cohort)
    with s3_server.counted() as requests:
        assert "nothing to do" in world.run(cohort)
    assert len(requests) <= 22, told(requests)
    for command, most in ((("plan", "small.yaml", cohort), 8), (("status", cohort), 11)):
        with s3_server.counted() as requests:
            world.call(*command)
        assert len(requests) <= most, (command, told(requests))

    with s3_server.counted() as requests:
        assert "20 unchanged" in world.call(
            "ingest", "source", cohort, "--atlas", "source/atlas.tsv"
        )
    assert len(requests) <= 12, told(requests)
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
