"""A real S3 server on 127.0.0.1: one Ceph monitor, one OSD in memory, one RADOS gateway.

It checks signatures and conditional writes, which stand-ins do not. Everything lies below one
temporary folder, and every process is ended by the kernel when the one that started it dies.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.processes import free_port

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin", "setpriv")
PACKAGES = "ceph-mon ceph-osd radosgw"
MUST = "COHORTFLOW_TEST_S3_MUST"
"""Environment variable: a missing server is then a failure, not a skip."""
START_S = 120.0

CONF = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon service mode = crc
ms client mode = crc
ms service mode = crc
ms cluster mode = crc
run dir = {folder}
admin socket =
pid file =
log file = {folder}/$name.log
crash dir = {folder}
keyring = {folder}/keyring
mon data = {folder}/mon
mon data avail crit = 1
mon data avail warn = 1
mon allow pool size one = true
mon max pg per osd = 1000
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[client.rgw.a]
auth client required = none
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
debug rgw = 1/1
log max recent = 1
"""


@dataclass(frozen=True)
class Request:
    """One line of the gateway's log of requests; ``path`` with its query."""

    method: str
    path: str
    status: int


MARK = "/mark-"
"""How the path of a request begins that only waits for the log."""
REQUEST = re.compile(r'beast: .*?"(\S+) (\S+) HTTP/1\.1" (\d+)')


class RadosGateway:
    """The server: its address, users and buckets, its log, and its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.access_key, self.secret_key = "access-key", "secret-key"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What a user sets to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    # --- its life ---------------------------------------------------------------------------------

    def start(self) -> None:
        fsid, osd, mon_port = uuid.uuid4(), uuid.uuid4(), free_port()
        text = CONF.format(fsid=fsid, mon_port=mon_port, port=self.port, folder=self.folder)
        for name in ("mon", "osd"):
            (self.folder / name).mkdir()
        (self.folder / "keyring").touch()
        (self.folder / "ceph.conf").write_text(text)
        place = f"[v2:127.0.0.1:{mon_port}]"
        monmap = str(self.folder / "monmap")
        create = ("--create", "--addv", "a", place, "--fsid", str(fsid), "--enable-all-features")
        self._call("monmaptool", *create, monmap)
        self._call("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._daemon("ceph-mon", "-i", "a")
        self._call("ceph", "osd", "new", str(osd))
        self._call("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", str(osd))
        self._daemon("ceph-osd", "-i", "0")
        self.create_user("tests", self.access_key, self.secret_key)
        self.start_gateway()

    def start_gateway(self) -> None:
        """Start the gateway, at first or again; what was stored is there."""
        self._daemon("radosgw", "-n", "client.rgw.a")
        until = time.monotonic() + START_S
        while not self._answers():
            if time.monotonic() > until or self._daemons["radosgw"].poll() is not None:
                raise RuntimeError(f"the gateway does not answer: {self._said('radosgw')}")
            time.sleep(0.1)

    def kill_gateway(self) -> None:
        """``kill -9`` of what speaks S3; what it stored stays in the OSD."""
        self._end("radosgw", signal.SIGKILL)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It accepts connections and answers nothing."""
        process = self._daemons["radosgw"]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        for name in reversed(list(self._daemons)):
            self._end(name, signal.SIGKILL)  # all is in memory: nothing to put down

    # --- users, buckets, requests -----------------------------------------------------------------

    def create_user(self, name: str, access_key: str, secret_key: str) -> None:
        keys = (f"--access-key={access_key}", f"--secret-key={secret_key}")
        self._admin("user", "create", f"--uid={name}", f"--display-name={name}", *keys)

    def create_bucket(self, name: str) -> None:
        self._client().create_bucket(Bucket=name)

    def presigned_put(self, bucket: str, key: str) -> str:
        """An address that anybody may put an object to for an hour."""
        asked = {"Bucket": bucket, "Key": key}
        return str(self._client().generate_presigned_url("put_object", Params=asked))

    def _client(self) -> Any:
        from botocore.config import Config
        from botocore.session import get_session

        return get_session().create_client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
        )

    def remove_bucket(self, name: str) -> None:
        """A bucket and all that is in it vanish, from one request to the next."""
        self._admin("metadata", "rm", f"bucket:{name}")

    def requests(self) -> list[Request]:
        """Every request it answered so far, whoever asked."""
        text = (self.folder / "client.rgw.a.log").read_text(errors="replace")
        found = (REQUEST.search(line) for line in text.splitlines())
        return [Request(m[1], m[2], int(m[3])) for m in found if m is not None]

    @contextlib.contextmanager
    def counted(self) -> Iterator[list[Request]]:
        """The requests answered inside the ``with``: the list is filled at its end."""
        before = self._settled_requests()
        answered: list[Request] = []
        yield answered
        answered += self._settled_requests()[len(before) :]

    def _settled_requests(self) -> list[Request]:
        """The gateway writes its log a moment after it answers: wait for a request of our own.

        Such requests are none of those that are counted.
        """
        mark = f"{MARK}{uuid.uuid4()}"
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.url + mark, timeout=START_S)
        until = time.monotonic() + START_S
        while True:
            found = self.requests()
            if any(request.path == mark for request in found):
                return [request for request in found if not request.path.startswith(MARK)]
            if time.monotonic() > until:
                raise RuntimeError("the gateway does not write its log")
            time.sleep(0.05)

    # --- processes --------------------------------------------------------------------------------

    def _call(self, program: str, *arguments: str) -> str:
        command = [program, *arguments]
        if program != "monmaptool":
            command[1:1] = ["-c", str(self.folder / "ceph.conf")]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=START_S, check=False, cwd=self.folder
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _admin(self, *arguments: str) -> str:
        return self._call("radosgw-admin", "-n", "client.rgw.a", *arguments)

    def _daemon(self, program: str, *arguments: str) -> None:
        # The kernel ends it with the thread that started it, whatever becomes of the tests.
        command = ["setpriv", "--pdeathsig", "KILL", program]
        command += ["-c", str(self.folder / "ceph.conf"), *arguments, "-f"]
        with open(self.folder / f"{program}.out", "ab") as said:
            self._daemons[program] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=self.folder
            )

    def _end(self, program: str, how: signal.Signals) -> None:
        process = self._daemons.pop(program, None)
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
            process.wait(timeout=START_S)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _said(self, program: str) -> str:
        return (self.folder / f"{program}.out").read_text(errors="replace")[-2000:]


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name) is None]


def need() -> None:
    """Skip where the packages of a server are not installed; fail where it must be there."""
    missing = missing_programs()
    if missing:
        reason = f"no S3 server here: {', '.join(missing)} missing (apt-get install {PACKAGES})"
        if os.environ.get(MUST):
            pytest.fail(f"{reason}; {MUST} is set")
        pytest.skip(reason)


@contextlib.contextmanager
def running() -> Iterator[RadosGateway]:
    """A server for the length of the ``with``; skips where its packages are not installed."""
    need()
    # Not below pytest's folder: its paths grow long, and what is here is nobody's to look at.
    folder = Path(tempfile.mkdtemp(prefix="cohortflow-s3-"))
    server = RadosGateway(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """A server until Ctrl-C: ``python -m tests.servers.radosgw BUCKET``."""
    with running() as server:
        server.create_bucket(sys.argv[1])
        lines = [f"export {name}={value}\n" for name, value in server.environment.items()]
        sys.stdout.writelines([*lines, "# a server until Ctrl-C; what is in it is gone then\n"])
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
