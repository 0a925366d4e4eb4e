"""Pages of subjects over runs: made once, again after somebody was forgotten, linked everywhere."""

from __future__ import annotations

from pathlib import Path

from cohortflow.cohort.cohort import open_cohort
from tests.cli.conftest import PIPELINE, CommandLine
from tests.report.pages import text_of
from tests.report.test_cohort_page import roster


def test_from_a_run_to_forgetting(cli: CommandLine, source: Path, tmp_path: Path) -> None:
    pipeline, cohort = tmp_path / "three-steps.yaml", tmp_path / "cohort"
    pipeline.write_text(PIPELINE.replace("report: []", "report: [subjects]"))
    assert cli("ingest", source, cohort, "--atlas", source / "atlas.tsv").code == 0
    assert cli("run", pipeline, cohort).code == 0
    reports = cohort / "reports" / "three-steps"
    pages = {page.stem: page for page in (reports / "subjects").glob("*.html")}
    assert sorted(pages) == open_cohort(cohort).subjects
    first, *others = sorted(pages)
    told = text_of(pages[first].read_text())
    assert "3 of 3 units stand done." in told
    assert "standardise — done 20" in told, "when, from the log of the unit"
    listed = roster((reports / "subjects.html").read_text())
    assert sorted(listed["subjects"]) == sorted(pages)
    assert f'href="../subjects/{first}.html"' in (reports / "000001/report.html").read_text()
    assert roster((cohort / "reports/cohort.html").read_text())["within"] == "0" * len(pages)

    made = {name: page.stat().st_mtime_ns for name, page in pages.items()}
    assert cli("report", cohort).code == 0
    assert made == {name: page.stat().st_mtime_ns for name, page in pages.items()}

    assert cli("forget", cohort, first).code == 0
    assert not (reports / "subjects").exists()
    assert not (reports / "subjects.html").exists()
    assert cli("run", pipeline, cohort).code == 0
    assert sorted(page.stem for page in (reports / "subjects").glob("*.html")) == others
    written = [
        page for page in (cohort / "reports").rglob("*") if page.suffix in (".html", ".json")
    ]
    assert len(written) > len(others)
    assert not any(first in page.read_text() for page in written)
