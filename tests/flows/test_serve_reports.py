"""The report address answers with reports and with nothing else of the store."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohortflow.cohort.cohort import create_cohort
from flows.serve_reports import PAGE, ReportServer, report_server

SECRET = b"secret"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportServer]:
    folder = tmp_path_factory.mktemp("study")
    (folder / "outside.html").write_bytes(SECRET)
    cohort = create_cohort(folder / "cohort")
    for number, text in (("000002", "old"), ("000010", "new")):
        page = folder / "cohort" / "reports" / "three-steps" / number
        page.mkdir(parents=True)
        (page / "report.html").write_text(f"<p>{text}</p>")
        (page / "report.json").write_text("{}")
        (page / "notes.txt").write_bytes(SECRET)
    reports = folder / "cohort" / "reports"
    (reports / "cohort.html").write_text("<p>everybody</p>")
    (reports / "three-steps" / "nights.html").write_text("<p>nights</p>")
    (reports / "three-steps" / "nights.json").write_bytes(SECRET)
    (folder / "cohort" / "participants.json").write_bytes(SECRET)
    (folder / "cohort" / "subjects" / "000001").mkdir(parents=True)
    (folder / "cohort" / "subjects" / "000001" / "entry.json").write_bytes(SECRET)
    with report_server(cohort, 0) as found:
        yield found


def get(
    server: ReportServer, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """Sent as it is: no client tidies the path."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    try:
        connection.putrequest(method, path, skip_host=host is not None)
        if host is not None:
            connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_a_report_is_read(server: ReportServer) -> None:
    status, body, headers = get(server, "/three-steps/000010/report.html")
    assert (status, body) == (200, b"<p>new</p>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert get(server, "/three-steps/000010/report.json")[0] == 200
    assert get(server, "/three-steps/000010/report.html", method="HEAD")[:2] == (200, b"")


def test_latest_leads_to_the_newest(server: ReportServer) -> None:
    status, _, headers = get(server, "/three-steps/latest/report.html")
    assert (status, headers["Location"]) == (302, "/three-steps/000010/report.html")
    assert get(server, "/never-run/latest/report.html")[0] == 404


def test_the_pages_that_runs_write_over_are_read(server: ReportServer) -> None:
    assert get(server, "/cohort.html")[:2] == (200, b"<p>everybody</p>")
    status, body, headers = get(server, "/three-steps/nights.html")
    assert (status, body) == (200, b"<p>nights</p>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert get(server, "/never-run/nights.html")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/nights.html",
        "/three-steps/cohort.html",
        "/three-steps/nights.json",
        "/../three-steps/nights.html",
        "/three-steps/../cohort.html",
        "/",
        "",
        "/three-steps",
        "/three-steps/",
        "/three-steps/000010",
        "/three-steps/000010/",
        "/participants.json",
        "/cohort.json",
        "/../cohort.json",
        "/three-steps/../../cohort.json",
        "/../subjects/000001/entry.json",
        "/..%2fsubjects/000001/entry.json",
        "/%2e%2e/subjects/000001/entry.json",
        "/three-steps/000010/../../../participants.json",
        "/three-steps/000010/..%2f..%2f..%2fparticipants.json",
        "//etc/passwd",
        "/three-steps/000010/notes.txt",
        "/three-steps/000010/.html",
        "/.hidden/000010/report.html",
        "/three-steps/000099/report.html",
        "/three-steps/000010/report.html%00.html",
        "/three-steps/000010\\..\\..\\participants.json",
        "http://127.0.0.1/participants.json",
    ],
)
def test_nothing_else_is(server: ReportServer, path: str) -> None:
    status, body, _ = get(server, path)
    assert status in (404, 421)
    assert SECRET not in body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["..", ".", "three-steps", "000010", "subjects", "%2e%2e", "", "a.html"])
    )
)
def test_no_path_of_parts_leads_out(parts: list[str]) -> None:
    found = PAGE.fullmatch("/" + "/".join(parts))
    assert found is None or not {found["slug"], found["run"], found["file"]} & {"..", ".", ""}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", ""])
def test_another_name_of_this_address_is_refused(server: ReportServer, host: str) -> None:
    host = host.format(port=server.server_address[1])
    status, body, _ = get(server, "/three-steps/000010/report.html", host=host)
    assert (status, body) == (421, b"not this address\n")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_nothing_is_written(server: ReportServer, method: str) -> None:
    assert get(server, "/three-steps/000010/report.html", method=method)[0] == 501


def test_it_listens_on_this_machine_only(server: ReportServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_a_store_that_is_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cohortflow.errors import StoreUnavailable

    cohort = create_cohort(tmp_path / "cohort")

    def away(path: str) -> bytes:
        raise StoreUnavailable("gone", where=str(tmp_path))

    monkeypatch.setattr(cohort.storage, "read", away)
    with report_server(cohort, 0) as found:
        status, body, _ = get(found, "/three-steps/000010/report.html")
    assert (status, body) == (503, b"the store is away\n")
