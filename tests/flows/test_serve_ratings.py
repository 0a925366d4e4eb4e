"""Verdicts sent to the server of reports: from its own pages, with its token, nowhere else."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from cohortflow.cohort.cohort import create_cohort
from cohortflow.cohort.ratings import all_ratings
from cohortflow.report.page import TOKEN_PLACE
from flows.serve_ratings import MOST_BYTES, TOKEN
from flows.serve_reports import ReportServer, report_server
from tests.cohort import samples

ID = "Zoë 1"
QUOTED = "/organs/subjects/Zo%C3%AB%201.html"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportServer]:
    cohort = create_cohort(tmp_path_factory.mktemp("study") / "cohort")
    samples.ingest(cohort, ID, "bob-1")
    cohort.indexes("organs").begin({"run": "r", "keys": []}).finish({})
    page = f"<head>{TOKEN_PLACE}</head>"
    cohort.storage.write(f"reports/organs/subjects/{ID}.html", page.encode())
    cohort.storage.write("reports/organs/subjects/pages.json.gz", b"secret")
    cohort.storage.write("reports/organs/subjects.html", page.encode())
    with report_server(cohort, 0) as found:
        yield found


@pytest.fixture
def server(running: ReportServer) -> ReportServer:
    """A server whose cohort has no ratings."""
    running.storage.delete("cohort")
    return running


def send(
    server: ReportServer, body: bytes, path: str = "/ratings", **changed: str | None
) -> tuple[int, dict[str, Any]]:
    """A request as the page sends it, but for the headers that are ``changed`` (None: left out)."""
    headers = {
        "Host": server.address.removeprefix("http://"),
        "Origin": server.address,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        TOKEN: server.token,
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    try:
        connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


def rating(server: ReportServer, **changed: Any) -> bytes:
    lines = [{"subject": ID, "verdict": "fail", "rated": "2026-03-02T10:00:00.000Z", "page": ""}]
    told = {"schema": 1, "kind": "cohortflow ratings", "cohort": server.cohort.id}
    return json.dumps(
        {**told, "pipeline": "organs", "rater": "r1", "ratings": lines} | changed
    ).encode()


def get(server: ReportServer, path: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_a_verdict_of_a_served_page_is_kept(server: ReportServer) -> None:
    assert send(server, rating(server)) == (200, {"new": True, "ratings": 1})
    assert send(server, rating(server)) == (200, {"new": False, "ratings": 1})
    (kept,) = all_ratings(server.cohort, "organs")
    assert (kept.subject, kept.rater, kept.verdict) == (ID, "r1", "fail")


@pytest.mark.parametrize(
    ("status", "changed"),
    [
        (403, {"Origin": None}),
        (403, {"Origin": "null"}),
        (403, {"Origin": "http://evil.example"}),
        (403, {"Origin": "http://127.0.0.1"}),
        (403, {"Origin": "https://127.0.0.1:{port}"}),
        (403, {"Origin": "http://127.0.0.1:{port}.evil.example"}),
        (403, {"Sec_Fetch_Site": "cross-site"}),
        (403, {"Sec_Fetch_Site": "same-site"}),
        (403, {"X_Cohortflow_Token": ""}),
        (403, {"X_Cohortflow_Token": "guessed"}),
        (403, {"X_Cohortflow_Token": "gu\xe9ssed"}),
        (404, {"Host": "evil.example:{port}"}),
        (404, {"Host": ""}),
        (415, {"Content_Type": "text/plain"}),
        (415, {"Content_Type": "application/x-www-form-urlencoded"}),
        (415, {"Content_Type": "multipart/form-data; boundary=application/json"}),
        (415, {"Content_Type": None}),
        (411, {"Content_Length": None}),
        (411, {"Content_Length": "-1"}),
        (411, {"Content_Length": "1e3"}),
        (411, {"Transfer_Encoding": "chunked"}),
        (413, {"Content_Length": str(MOST_BYTES + 1)}),
        (413, {"Content_Length": "9" * 11}),
        (411, {"Content_Length": "9" * 5000}),
        (400, {"origin": "http://127.0.0.1:{port}"}),
    ],
)
def test_a_request_from_elsewhere_is_refused(
    server: ReportServer, status: int, changed: dict[str, str | None]
) -> None:
    port = str(server.server_address[1])
    headers = {name: value and value.replace("{port}", port) for name, value in changed.items()}
    if "X_Cohortflow_Token" in headers:
        headers = {TOKEN: headers["X_Cohortflow_Token"]}
    found, told = send(server, rating(server), **headers)
    assert found == status
    assert server.token not in json.dumps(told)
    assert all_ratings(server.cohort) == []


@pytest.mark.parametrize(
    "path", ["/", "/ratings/", "/ratings?x=1", QUOTED, "/cohort.html", "/about"]
)
def test_nothing_else_takes_a_request(server: ReportServer, path: str) -> None:
    assert send(server, rating(server), path)[0] == 404
    assert all_ratings(server.cohort) == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b'{"schema": 1}'])
def test_a_body_that_is_no_rating_is_refused(server: ReportServer, body: bytes) -> None:
    status, told = send(server, body)
    assert (status, told["code"]) == (400, "bad-ratings")


def test_ratings_of_another_cohort_or_subject_are_refused(server: ReportServer) -> None:
    assert send(server, rating(server, cohort="other"))[0] == 400
    stranger = [{"subject": "Müller", "verdict": "pass", "rated": "2026-03-02T10:00:00Z"}]
    status, told = send(server, rating(server, ratings=stranger))
    assert status == 400
    assert "Müller" not in json.dumps(told, ensure_ascii=False)


def test_a_served_page_of_a_subject_carries_the_token_and_no_other_page_does(
    server: ReportServer,
) -> None:
    status, page, headers = get(server, QUOTED)
    assert status == 200
    assert f'content="{server.token}"'.encode() in page
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert "Access-Control-Allow-Origin" not in headers
    assert server.token.encode() not in get(server, "/organs/subjects.html")[1]
    stored = server.storage.read(f"reports/organs/subjects/{ID}.html")
    assert server.token.encode() not in stored


@pytest.mark.parametrize(
    "path",
    [
        "/organs/subjects/pages.json.gz",
        "/organs/subjects/",
        "/organs/subjects/.html",
        "/organs/subjects/..%2f..%2fcohort.html",
        "/organs/subjects/%2e%2e/subjects.html",
        "/organs/subjects/a%5c..%5cx.html",
        "/organs/subjects/%00.html",
        "/organs/subjects/%ff.html",
        "/organs/subjects/Zo%25C3%25AB%25201.html",
        "/organs%2fsubjects/x.html/../x.html",
    ],
)
def test_beside_the_pages_nothing_is_read(server: ReportServer, path: str) -> None:
    status, body, _ = get(server, path)
    assert status == 404
    assert b"secret" not in body


def test_two_servers_have_two_tokens(server: ReportServer) -> None:
    with report_server(server.cohort, 0) as other:
        assert other.token != server.token
        assert send(server, rating(server), **{TOKEN: other.token})[0] == 403
