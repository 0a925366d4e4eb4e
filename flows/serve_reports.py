"""The reports of one cohort on an address of this machine, and nothing else of the store.

A path is looked up only if it has the shape of a report's; there is no listing. Requests under
another host name are refused, so that no page of the web reads reports through a name of its own.
All is read only, save for verdicts on subjects (:mod:`flows.serve_ratings`).
"""

from __future__ import annotations

import json
import logging
import mimetypes
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.storage import Storage
from cohortflow.errors import CohortflowError, EntryMissing
from flows import serve_ratings

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
PAGE = re.compile(
    r"/(?P<slug>[a-z0-9][a-z0-9_-]*)/(?P<run>\d{6}|latest)/(?P<file>[A-Za-z0-9_-][A-Za-z0-9_.-]*)"
)
"""``/<pipeline>/<number of the run>/<file>``; ``latest`` leads to the newest."""
STANDING = re.compile(r"/(?:cohort|[a-z0-9][a-z0-9_-]*/(?:nights|subjects))\.html")
"""Pages that are written over by each run: of the cohort, and of a pipeline's runs and subjects."""
SUBJECT = re.compile(r"/[a-z0-9][a-z0-9_-]*/subjects/(?!\.)[^/\\\x00-\x1f]+\.html")
"""The page of a subject, whose id may hold any letter: matched once ``%20`` is resolved."""
KINDS = {".html", ".json", ".png", ".svg", ".css"}
ABOUT = "/about"


class ReportServer(ThreadingHTTPServer):
    """Answers in threads of this process; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, cohort: Cohort, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.cohort = cohort
        self.storage: Storage = cohort.storage
        self.token = secrets.token_urlsafe(32)
        self.about = {"serves": "cohortflow reports", "cohort": cohort.id}

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"


@contextmanager
def report_server(cohort: Cohort, port: int) -> Iterator[ReportServer]:
    """A report server that answers until the end of the block."""
    with ReportServer(cohort, port) as server:
        threading.Thread(target=server.serve_forever, name="reports", daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer
    server_version = "cohortflow"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_POST(self) -> None:
        """Ratings; what is not read of a refused request goes with its connection."""
        self.close_connection = True
        if self.headers.get("Host") not in self._hosts() or self.path != serve_ratings.PATH:
            self._tell(serve_ratings.Answer(HTTPStatus.NOT_FOUND, {"message": "nothing is here"}))
            return
        # Of a member that is sent twice the first would be looked at, and the second obeyed.
        headers = {name.title(): value for name, value in self.headers.items()}
        origins = {f"http://{host}" for host in self._hosts()}
        refused = serve_ratings.refused(headers, self.server.token, origins)
        if len(headers) != len(self.headers.items()):
            refused = serve_ratings.Answer(HTTPStatus.BAD_REQUEST, {"message": "a header twice"})
        self._tell(refused or serve_ratings.keep(self.server.cohort, headers, self.rfile.read))

    def _tell(self, answer: serve_ratings.Answer) -> None:
        told = json.dumps(answer.told).encode()
        self._send(answer.status, told, "application/json", body=True)

    def _hosts(self) -> tuple[str, str]:
        port = self.server.server_address[1]
        return f"{HOST}:{port}", f"localhost:{port}"

    def _answer(self, *, body: bool) -> None:
        if self.headers.get("Host") not in self._hosts():
            self._send(HTTPStatus.MISDIRECTED_REQUEST, b"not this address\n", body=body)
        elif self.path == ABOUT:
            told = json.dumps(self.server.about).encode()
            self._send(HTTPStatus.OK, told, "application/json", body=body)
        else:
            self._page(body=body)

    def _page(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        subject = _subject(path)
        path = subject or path
        asked = PAGE.fullmatch(path)
        reports = asked is not None and asked["file"].endswith(tuple(KINDS))
        if not reports and not subject and not STANDING.fullmatch(path):
            self._send(HTTPStatus.NOT_FOUND, b"no such report\n", body=body)
            return
        storage = self.server.storage
        try:
            if reports and asked is not None and asked["run"] == "latest":
                runs = [n for n in storage.list(f"reports/{asked['slug']}") if n.isdigit()]
                to = f"/{asked['slug']}/{max(runs)}/{asked['file']}" if runs else ""
                self._redirect(to)
                return
            page = storage.read(f"reports{path}")
        except EntryMissing:
            self._redirect("")
        except CohortflowError as error:
            log.warning("a report could not be read: %s", error)
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, b"the store is away\n", body=body)
        else:
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            page = serve_ratings.with_token(page, self.server.token) if subject else page
            self._send(HTTPStatus.OK, page, kind, body=body)

    def _redirect(self, to: str) -> None:
        if not to:
            self._send(HTTPStatus.NOT_FOUND, b"no such report\n", body=self.command == "GET")
            return
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(
        self, status: HTTPStatus, content: bytes, kind: str = "text/plain", *, body: bool
    ) -> None:
        text = kind.startswith("text/") or kind == "application/json"
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if text else kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.send_header("X-Frame-Options", "DENY")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


def _subject(path: str) -> str:
    """The path of a subject's page, ``%20`` and such resolved; empty where it is none."""
    try:
        found = unquote(path, errors="strict")
    except UnicodeDecodeError:
        return ""
    return found if SUBJECT.fullmatch(found) else ""
