"""A person starts a run from the form of Prefect's pages and reads a number off its report."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from cohortflow.cohort.cohort import open_cohort
from tests.browser.chromium import AGAIN_S, Gone, Page, until
from tests.flows.serving import Served, study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

RUN_S = 600.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with study(tmp_path_factory.mktemp("here")) as found:
        found.start("--cron", "0 2 * * *", "--timezone", "Europe/Berlin")
        yield found


def submitted(served: Served, page: Page) -> bool:
    """Fill the form and send it; a page that is still making itself loses a click."""
    with contextlib.suppress(Gone, AssertionError):
        page.fill(page.find("spinbutton", "^max_degree", within_s=AGAIN_S), "1")
        page.click(page.find("button", "^submit$", within_s=AGAIN_S))
        until(lambda: served.runs("on demand"), "a run", AGAIN_S)
    return bool(served.runs("on demand"))


def test_from_the_form_to_a_number_of_the_report(served: Served, page: Page) -> None:
    page.open(served.address("on demand"))
    field = page.find("spinbutton", "^max_degree")
    assert field["value"] == "0", "what the pipeline says"
    until(lambda: submitted(served, page), "a run")
    (run,) = served.runs("on demand")
    assert run["parameters"]["steps"]["diagrams"]["max_degree"] == 1
    ended = served.wait_for(run["id"], "Completed", "PartlyDone", "Failed", within_s=RUN_S)
    assert ended["state"]["message"] == "25 done"

    page.open(f"{served.address('Prefect')}/runs/flow-run/{run['id']}?tab=Artifacts")
    for kind in ("progress", "units"):
        page.find("link", f"three-steps-{kind}")
    page.follow("link", "^open the report$", "/three-steps/000001/report[.]html$")
    done = until(lambda: re.search(r"Units done\s+(\d+) of (\d+)", page.text), "a number")
    assert done.groups() == ("25", "25")
    assert "diagrams.max_degree=1" in settings_of_newest(served)
    page.follow("link", "^this run in Prefect$", f"/runs/flow-run/{run['id']}")
    until(lambda: f"{done.group(2)} units to compute" in page.text, "our lines in its Logs")


def test_the_nights_are_planned(served: Served) -> None:
    """A server whose scheduler fails says so nowhere but in its log."""
    until(lambda: len(served.runs("nightly")) > 2, "the next nights")
    hours = {run["expected_start_time"][11:16] for run in served.runs("nightly")}
    assert hours <= {"00:00", "01:00"}, "two o'clock there, in summer and in winter"


def settings_of_newest(served: Served) -> list[str]:
    newest = open_cohort(served.cohort).indexes("three-steps").newest()
    assert newest is not None
    return list(newest.claim["settings"])
