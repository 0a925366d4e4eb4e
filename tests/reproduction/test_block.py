"""Reports that somebody else wrote: each fault is refused by name, none is computed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cohortflow.errors import (
    CohortflowError,
    NoReport,
    NoSuchSource,
    ReportDamaged,
    ReportOfOtherSchema,
)
from cohortflow.report.data_block import CLOSING, OPENING, data_block
from cohortflow.reproduction import block
from cohortflow.reproduction.block import read_report, report_in
from flows.reproduce import reproduce
from tests.cli.conftest import CommandLine
from tests.reproduction.conftest import Study
from tests.reproduction.test_reproduce import rewrite


def with_block(text: str) -> str:
    return f"<!doctype html><title>x</title>{OPENING}{text}{CLOSING}<p>more</p>"


@pytest.fixture(scope="session")
def written(ran: Path) -> str:
    return (ran / "report.html").read_text()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


def test_what_is_written_is_read_and_no_markup_begins_in_it() -> None:
    element = data_block({"a": "</script><script>alert(1)</script><!--", "b": [1.5, None]})
    inner = element[len(OPENING) : -len(CLOSING)]
    assert "<" not in inner
    assert json.loads(inner)["a"].startswith("</script>")


def test_the_page_still_runs_no_script_but_its_own(written: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', written)
    assert policy is not None
    assert policy[1].count("sha256") + policy[1].count("&#39;sha256") >= 1
    assert "unsafe-inline" not in policy[1].split("script-src")[1]
    scripts = re.findall(r"<script([^>]*)>", written)
    assert sorted(scripts) == ["", ' type="application/json" id="cohortflow-report"']


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("", NoReport),
        ("<html>a page of something else</html>", NoReport),
        ("\0" * 1000, NoReport),
        (f"{OPENING}{{}}", ReportDamaged),
        (f"{OPENING}{{", ReportDamaged),
        (with_block("{"), ReportDamaged),
        (with_block("[]"), ReportDamaged),
        (with_block("null"), ReportDamaged),
        (with_block('{"schema": 1, "schema": 1}'), ReportDamaged),
        (with_block('{"schema": NaN}'), ReportDamaged),
        (with_block('{"schema": 1' + "0" * 5000 + "}"), ReportDamaged),
        (with_block("[" * 100_000), ReportDamaged),
        (with_block('{"a":' * 60 + "1" + "}" * 60), ReportDamaged),
        (with_block("{}") * 2, ReportDamaged),
        (with_block("{}").replace('json" id', 'json"  id'), ReportDamaged),
        (with_block("{}"), ReportOfOtherSchema),
        (with_block('{"schema": 2}'), ReportOfOtherSchema),
        (with_block('{"schema": true}'), ReportOfOtherSchema),
        (with_block('{"schema": 1}'), ReportDamaged),
    ],
    ids=str,
)
def test_a_page_that_holds_no_report_is_refused(page: str, error: type[CohortflowError]) -> None:
    with pytest.raises(error) as refused:
        report_in(page, "report.html")
    assert refused.value.exit_code == 5


def _manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda document: change(document["manifest"])


FAULTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a member too many": lambda d: d.update(extra=1),
    "a member of the manifest too many": _manifest(lambda m: m.update(command="rm -rf /")),
    "a member too few": _manifest(lambda m: m.pop("code")),
    "a slug that is a path": _manifest(lambda m: m["pipeline"].update(slug="../../etc/cron")),
    "a subject that is a path": _manifest(lambda m: m["subjects"][0].update(id="../../x")),
    "a subject with a null": _manifest(lambda m: m["subjects"][0].update(id="a\0b")),
    "a subject twice": _manifest(lambda m: m["subjects"].append(m["subjects"][0])),
    "a file that is a path": _manifest(
        lambda m: m["files"].append(
            {"name": "../w", "kind": "weights", "digest": "0" * 64, "content": "0" * 32}
        )
    ),
    "a digest that is none": _manifest(lambda m: m["code"].update(digest="0" * 63 + "\n")),
    "a digest with a line end": _manifest(lambda m: m["code"].update(digest="0" * 64 + "\n")),
    "a number as text": _manifest(lambda m: m.update(index="1")),
    "a number below none": _manifest(lambda m: m.update(index=-1)),
    "threads without end": _manifest(lambda m: m["engine"].update(threads=10**6)),
    "settings that are no texts": _manifest(lambda m: m["pipeline"].update(settings=[["a"]])),
    "sections that are a list": lambda d: d.update(sections=[]),
    "a section that is a text": lambda d: d["sections"].update(overview="x"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_data_with_a_fault_are_refused(study: Study, fault: str) -> None:
    rewrite(study.page, FAULTS[fault])
    with pytest.raises(ReportDamaged) as refused:
        read_report(study.page)
    assert refused.value.where.startswith("report.html")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("steps: [no_such_stage]", "no_such_stage"),
        ("a: [", "YAML"),
        ("inputs: {x: roi_series}\nsteps: [{standardise: {length: 10**9}}]", "length"),
        ("a: &a [1]\nb: *a", ""),
    ],
)
def test_a_pipeline_that_cannot_be_run_is_refused(study: Study, text: str, found: str) -> None:
    rewrite(study.page, _manifest(lambda m: m["pipeline"].update(text=text, settings=[])))
    with pytest.raises(ReportDamaged, match="cannot be run by this version") as refused:
        reproduce(study.request())
    assert found in refused.value.found


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.8, 0.97])
def test_a_report_that_is_cut_off_is_refused(written: str, cut: float) -> None:
    with pytest.raises(NoReport):
        report_in(written[: int(written.index(OPENING) * cut)], "report.html")
    start = written.index(OPENING)
    end = written.index(CLOSING, start)
    with pytest.raises(ReportDamaged, match="cut off"):
        report_in(written[: start + int((end - start) * cut)], "report.html")


def test_sections_of_any_shape_are_compared_and_differ(study: Study) -> None:
    for odd in ({"blocks": 3}, {"blocks": [None, 1, {"type": ["x"], "name": {}}]}, {}):
        rewrite(study.page, lambda d, odd=odd: d["sections"].update(accuracy=odd))
        assert study.compare().exit_code == 3
    rewrite(study.page, lambda d: d["sections"].clear())
    assert study.compare().exit_code == 3


def test_files_that_are_none_are_refused(
    tmp_path: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path / "none.html", tmp_path):
        with pytest.raises((NoSuchSource, NoReport)):
            read_report(path)
    os.mkfifo(tmp_path / "pipe.html")
    with pytest.raises(NoReport):
        read_report(tmp_path / "pipe.html")
    latin = tmp_path / "latin.html"
    latin.write_bytes(b"<p>caf\xe9</p>")
    with pytest.raises(NoReport):
        read_report(latin)
    monkeypatch.setattr(block, "MAX_BYTES", 5)
    with pytest.raises(ReportDamaged, match="too large"):
        read_report(latin)
    monkeypatch.undo()
    said = cli("reproduce", latin, "--cohort", tmp_path)
    assert said.code == 5
    assert "error [no-report]" in said.err


def test_a_cohort_that_is_none_is_refused(study: Study, cli: CommandLine) -> None:
    said = cli("reproduce", study.page, "--cohort", study.folder)
    assert said.code == 5
    assert "not-a-cohort" in said.err
