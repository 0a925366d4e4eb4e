"""Pages of subjects in a browser: a verdict by keyboard, its file, what works without a script."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.ratings import all_ratings, store_ratings
from cohortflow.report.subjects.keeping import keep_pages
from flows.serve_reports import ReportServer, report_server
from tests.browser.chromium import Page, until
from tests.cohort import samples
from tests.report.subjects import study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DICE: dict[str, float | None] = {
    "low": 0.1, "sub-1": 0.90, "sub-2": 0.91, "sub-3": 0.92, "sub-4": 0.93, "Zoë 5": None,
}  # fmt: skip
FIRST, SECOND = "Zo%C3%AB%205.html", "low.html"


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """Pages of six subjects: one whose organ was missed comes first, then the one far below."""
    made = create_cohort(tmp_path / "cohort")
    samples.ingest(made, *DICE)
    made.indexes("organs").begin({"run": "r", "keys": []}).finish({})
    source = study(DICE)
    source.environment["cohort"] = made.id
    keep_pages(made.storage, source)
    return made


@pytest.fixture
def first(cohort: Cohort) -> str:
    return f"{Path(cohort.url).as_uri()}/reports/organs/subjects/{FIRST}"


@pytest.fixture
def server(cohort: Cohort) -> Iterator[ReportServer]:
    with report_server(cohort, 0) as found:
        yield found


def opened(page: Page, address: str) -> Page:
    page.open(address)
    until(lambda: page.evaluate("document.readyState") == "complete", address, 60)
    until(lambda: page.address == address, address, 60)
    return page


def press(page: Page, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        told = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
        page.send("Input.dispatchKeyEvent", type=kind, key=key, **told)


def told(page: Page, what: str) -> None:
    said = "(document.querySelector('#verdict-form output') || {}).textContent || ''"
    until(lambda: what in page.evaluate(said), f"{what!r}", 60)


def leads_to(page: Page, name: str) -> None:
    until(lambda: page.address.endswith(f"/{name}"), name, 60)
    until(lambda: page.evaluate("document.readyState") == "complete", name, 60)
    until(lambda: page.evaluate("!document.getElementById('verdict-form').hidden"), name, 60)


def test_verdicts_by_keyboard_become_a_file_that_the_cohort_takes(
    page: Page, cohort: Cohort, first: str, tmp_path: Path
) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
    opened(page, first)
    told(page, "Not rated yet.")
    press(page, "f")
    told(page, "1 verdict is kept in this browser")
    press(page, "c")
    page.send("Input.insertText", text="no liver: a pass? no")
    press(page, "Escape")
    press(page, "n")
    leads_to(page, SECOND)
    press(page, "d")
    told(page, "2 verdicts are kept in this browser")
    press(page, "s")
    told(page, "A code of yours is needed first")
    page.send("Input.insertText", text="r7")
    press(page, "Escape")
    press(page, "s")
    file = until(lambda: next(downloads.glob("*.json"), None), "the file", 60)
    time.sleep(0.5)
    found = json.loads(file.read_text())
    assert [(one["subject"], one["verdict"], one["comment"]) for one in found["ratings"]] == [
        ("Zoë 5", "fail", "no liver: a pass? no"),
        ("low", "doubtful", ""),
    ]
    stored = store_ratings(cohort, file.read_bytes())
    assert (stored.rater, stored.ratings) == ("r7", 2)
    press(page, "b")
    leads_to(page, FIRST)
    told(page, "Rated before.")
    assert page.evaluate("document.querySelector('.rate form').verdict.value") == "fail"


def test_two_raters_at_one_browser_are_two(
    page: Page, cohort: Cohort, first: str, tmp_path: Path
) -> None:
    page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    chosen = "document.querySelector('.rate form').verdict.value"
    opened(page, first)
    press(page, "f")
    page.fill(page.find("textbox", "Your code", within_s=30), "r1")
    press(page, "Escape")
    told(page, "Rated before. 1 verdict is kept")
    page.fill(page.find("textbox", "Your code", within_s=30), "r2")
    press(page, "Escape")
    told(page, "Not rated yet. 0 verdicts are kept")
    assert page.evaluate(chosen) == "", "nobody is shown what another said"
    press(page, "n")
    leads_to(page, SECOND)
    press(page, "p")
    press(page, "c")
    page.send("Input.insertText", text="\x9b\u202eturned")
    press(page, "Escape")
    press(page, "s")
    file = until(lambda: next(tmp_path.glob("ratings*.json"), None), "the file", 60)
    time.sleep(0.5)
    stored = store_ratings(cohort, file.read_bytes())
    assert (stored.rater, stored.ratings) == ("r2", 1)
    assert [one.comment for one in all_ratings(cohort)] == ["turned"]
    page.fill(page.find("textbox", "Your code", within_s=30), "r1")
    press(page, "Escape")
    told(page, "Not rated yet. 1 verdict is kept")


def test_the_keys_are_shown_and_a_screen_reader_finds_the_choice(page: Page, first: str) -> None:
    opened(page, first)
    for key, name in (("p", "pass"), ("d", "doubtful"), ("f", "fail")):
        assert page.find("radio", f"{key} {name}", within_s=30)
    page.click(page.find("radio", "pass"))
    told(page, "1 verdict")
    keys = page.evaluate("[...document.querySelectorAll('kbd')].map(k => k.textContent).join(' ')")
    assert keys == "p d f c s n b Esc"


def test_a_browser_that_keeps_nothing_is_told_of(page: Page, first: str) -> None:
    denied = (
        "Object.defineProperty(window, 'localStorage', "
        "{ get: function () { throw new DOMException('no', 'SecurityError'); } });"
    )
    page.send("Page.addScriptToEvaluateOnNewDocument", source=denied)
    opened(page, first)
    press(page, "p")
    told(page, "1 verdict is kept only while this page is open")


def test_a_served_page_saves_at_once(page: Page, cohort: Cohort, server: ReportServer) -> None:
    opened(page, f"{server.address}/organs/subjects/{FIRST}")
    press(page, "p")
    told(page, "it needs your code first")
    page.fill(page.find("textbox", "Your code", within_s=30), "r1")
    press(page, "Escape")
    told(page, "Saved in the cohort.")
    press(page, "d")
    verdicts = until(lambda: len(all_ratings(cohort)) == 2 and all_ratings(cohort), "both", 60)
    assert [(one.subject, one.rater, one.verdict) for one in verdicts] == [
        ("Zoë 5", "r1", "pass"),
        ("Zoë 5", "r1", "doubtful"),
    ]


def test_another_page_of_this_machine_saves_nothing(
    page: Page, cohort: Cohort, server: ReportServer, tmp_path: Path
) -> None:
    (tmp_path / "evil.html").write_text("<p>evil</p>")
    opened(page, (tmp_path / "evil.html").as_uri())
    tried = (
        f"fetch('{server.address}/ratings', {{method: 'POST', mode: 'no-cors', body: '{{}}'}})"
        ".then(r => window.ended = r.type, e => window.ended = 'refused')"
    )
    page.evaluate(tried)
    assert until(lambda: page.evaluate("window.ended"), "an end", 60) in ("opaque", "refused")
    page.evaluate(
        f"fetch('{server.address}/organs/subjects/{FIRST}')"
        ".then(r => r.text()).then(t => window.read = t, e => window.read = 'nothing')"
    )
    assert until(lambda: page.evaluate("window.read"), "an answer", 60) == "nothing"
    assert all_ratings(cohort) == []


def test_dark_print_and_no_script(page: Page, first: str, tmp_path: Path) -> None:
    opened(page, first)
    ink = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ink)
    page.send(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    assert page.evaluate(ink) != light
    page.send("Emulation.setEmulatedMedia", media="print", features=[])
    assert page.evaluate(ink) == "rgb(255, 255, 255)"
    assert (
        page.evaluate("getComputedStyle(document.getElementById('verdict')).position") == "static"
    )
    page.send("Emulation.setEmulatedMedia", media="", features=[])
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    opened(page, first)
    text = page.text
    assert "Without a script no verdict is kept" in text
    assert "nothing was predicted" in text
    assert "0 of 6 numbers" not in text


def test_nothing_is_asked_of_the_network(page: Page, first: str) -> None:
    opened(page, first)
    press(page, "p")
    loaded = page.evaluate("performance.getEntriesByType('resource').map(e => e.name).join(' ')")
    assert [name for name in str(loaded).split() if not name.startswith("data:")] == []
    page.evaluate(
        "document.addEventListener('securitypolicyviolation', "
        "e => window.refused = e.effectiveDirective); fetch('http://127.0.0.1:9/').catch(() => 0)"
    )
    assert until(lambda: page.evaluate("window.refused"), "a refusal", 60) == "connect-src"
