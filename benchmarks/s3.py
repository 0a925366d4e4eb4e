"""A night without news over a large cohort: seconds and requests on a disk and on S3, side by side.

Needs an S3 server: the standard AWS variables and ``--bucket``; without them it starts one of its
own on this machine (Debian's ceph-mon, ceph-osd, radosgw). Only records exist, no recording.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._cohorts import records_only
from benchmarks._results import Row, measure, save, say, show
from benchmarks.plan import PIPELINE, STEPS, without_computing
from cohortflow.cohort.cohort import open_cohort
from flows.process import process_cohort
from tasks.planning import look, plan_only
from tasks.request import RunRequest
from tasks.status import cohort_status


class Requests:
    """How many requests botocore sent from this process, tries among them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, **_: object) -> None:
        self.count += 1

    def of(self, url: str, work: Callable[[], object]) -> tuple[float, int]:
        """Seconds and requests of one call."""
        before = self.count
        row = measure("", 1, work)
        return row.seconds[0], self.count - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--bucket", default="", help="of the server that the AWS variables name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cohortflow-bench-") as home, bucket(options) as name:
        os.environ |= {"PREFECT_HOME": f"{home}/prefect", "COHORTFLOW_HOME": f"{home}/private"}
        requests = counting()
        url = f"s3://{name}/benchmark-{uuid.uuid4().hex[:8]}"
        disk = cases("disk", str(Path(home) / "cohort"), requests, options)
        remote = cases("S3", url, requests, options)
        open_cohort(url).storage.delete("")
    rows = [row for pair in zip(disk, remote, strict=True) for row in pair]
    show(rows, peer=disk[-1])
    save("s3", rows, vars(options))


@contextmanager
def bucket(options: argparse.Namespace) -> Iterator[str]:
    if options.bucket:
        yield options.bucket
        return
    from tests.servers import radosgw

    missing = radosgw.missing_programs()
    if missing:
        sys.exit(f"no S3 server: name one by --bucket, or install {radosgw.PACKAGES}")
    with radosgw.running() as server:
        os.environ |= server.environment
        server.create_bucket("benchmarks")
        yield "benchmarks"


def counting() -> Requests:
    """Hook into the client that every cohort on S3 in this process shares."""
    from cohortflow.cohort.s3_storage import S3Storage

    requests = Requests()
    client = S3Storage("s3://any")._fs
    client.s3.meta.events.register("before-send.s3", requests)
    return requests


def cases(where: str, url: str, requests: Requests, options: argparse.Namespace) -> list[Row]:
    """Plan a cohort of which nothing is done; settle all; then plan,
    status and runs without news."""
    units = STEPS * options.subjects
    records_only(url, options.subjects)
    request = RunRequest(PIPELINE, url, cluster="none")
    say(f"{where}: {options.subjects} subjects, {units} units")

    def timed(name: str, work: Callable[[], object], repeat: int = options.repeat) -> Row:
        found = [requests.of(url, work) for _ in range(repeat)]
        note = f"{found[-1][1]} requests" if where == "S3" else ""
        return Row(f"{name}, {where}", units, [seconds for seconds, _ in found], note)

    rows = [timed("plan, nothing done yet", lambda: plan_only(request), 1)]
    process_cohort(request, run_batch=without_computing)
    process_cohort(request)
    return [
        *rows,
        timed("plan, all done", lambda: plan_only(request)),
        timed("status", lambda: cohort_status(open_cohort(url))),
        timed("night without news", lambda: process_cohort(request, planned=look(request))),
    ]


if __name__ == "__main__":
    main()
