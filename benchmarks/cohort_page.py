"""The page of a large cohort: to count it, to write it, its size, and to open it in a browser."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks._cohorts import records_only
from benchmarks._results import Row, measure, save, say, show
from cohortflow.cohort.cohort import open_cohort
from cohortflow.pipeline.unit import Unit
from cohortflow.report.cohort_known import CohortKnown
from cohortflow.report.cohort_page import render_cohort_page
from flows.process import process_cohort
from tasks.cohort_pages import known_of
from tasks.request import RunRequest
from tasks.session import Session
from tasks.status import cohort_status
from tests.browser.chromium import executable, until
from tests.browser.chromium import page as tab

PIPELINE = str(Path(__file__).with_name("four_steps.yaml"))
STEPS = 4
FAILURE = {
    "code": "series-too-short",
    "message": "too short to be embedded",
    "hint": "Record more.",
    "transient": False,
}


def one_in_fifty_fails(session: Session, step: str, units: Sequence[Unit], number: int) -> dict:
    """Settle a batch without computing; the second step fails for some,
    as if its worker were lost."""
    for place, unit in enumerate(units):
        failed = step == "diagrams" and place % 50 == 0
        outcome = {
            "key": unit.key,
            "step": step,
            "subject": unit.subject,
            "seconds": 0.0,
            "by": "engine",
        }
        outcome |= (
            {"state": "failed", "error": FAILURE} if failed else {"state": "done", "error": None}
        )
        spec = {"subject": unit.subject, "stage": unit.stage, "key": unit.key, "step": step}
        spec |= {"cohort": session.cohort.url, "run": session.run_id, "point": {}}
        session.outcomes.take({"warnings": [], **outcome}, spec)
    return {"done": len(units)}


def with_findings(known: CohortKnown, subjects: Sequence[str]) -> CohortKnown:
    """Sites of which one fails, eight facts beside them, and one number in a hundred far out."""
    traits = {
        subject: {
            "site": f"site {place % 50}",
            **{f"fact {n}": str(place % (n + 2)) for n in range(8)},
        }
        for place, subject in enumerate(subjects)
    }
    lines = {
        subject: {
            "score": 9.0 if place % 100 == 0 else 1.0,
            "reason": "dice of liver 0.21, the median 0.93",
            "flagged": int(place % 500 == 0),
        }
        for place, subject in enumerate(subjects)
    }
    return CohortKnown(traits=traits, numbers=known.numbers, lines={"organs": lines})


def opening_ms(page: Path, profile: Path) -> tuple[float, float]:
    """Milliseconds from the navigation to DOMContentLoaded and to load,
    as the browser tells them."""
    with tab(profile) as browser:
        browser.open(page.as_uri())
        told = "performance.getEntriesByType('navigation')[0]"
        until(lambda: browser.evaluate(f"{told}.loadEventEnd > 0"), "the page")
        names = ("domContentLoadedEventEnd", "loadEventEnd")
        dom, load = (float(browser.evaluate(f"{told}.{name}")) for name in names)
        return dom, load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=5_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="Write the page here too.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cohortflow-bench-") as home:
        os.environ |= {"COHORTFLOW_HOME": f"{home}/private"}
        rows = run(Path(home), options.subjects, options.repeat, options.keep)
    show(rows, peer=rows[0])
    save("cohort_page", rows, {**vars(options), "keep": str(options.keep)})


def run(home: Path, subjects: int, repeat: int, keep: Path | None) -> list[Row]:
    """All cases; an item is a unit."""
    units = STEPS * subjects
    folder, page = home / "cohort", home / "cohort.html"
    records_only(folder, subjects)
    process_cohort(RunRequest(PIPELINE, str(folder), cluster="none"), run_batch=one_in_fifty_fails)
    found = cohort_status(open_cohort(folder))
    known = with_findings(known_of(open_cohort(folder)), list(open_cohort(folder).subjects))

    def write() -> int:
        return page.write_text(render_cohort_page(found, "2026-03-02T03:02:10+0100", known))

    rows = [
        measure("status", units, lambda: cohort_status(open_cohort(folder)), repeat),
        measure("page of a status", units, write, repeat),
    ]
    rows[1].note = f"{page.stat().st_size / 2**10:.0f} KiB"
    if executable():
        opened = [opening_ms(page, home / f"profile-{n}") for n in range(repeat)]
        for name, at in (("DOMContentLoaded", 0), ("load", 1)):
            rows.append(Row(f"browser: {name}", units, [ms[at] / 1000 for ms in opened]))
    else:
        say("no chromium here: the page is not opened")
    if keep is not None:
        shutil.copy(page, keep)
    return rows


if __name__ == "__main__":
    main()
