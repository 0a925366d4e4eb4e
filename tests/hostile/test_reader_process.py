"""The process that reads untrusted files: what ends it ends one file; it has nothing to take."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cohortflow import errors
from cohortflow.sources.images import wire
from cohortflow.sources.images.decoded import ReadOptions, Request
from cohortflow.sources.images.reader_process import ReaderProcess
from tests.hostile.seeds import VOXELS, nifti, zeros_zipped, zipped


def request(path: Path) -> Request:
    return Request("nifti", (str(path),), "image", "s", ReadOptions())


@pytest.fixture
def good(tmp_path: Path) -> Request:
    (tmp_path / "good.nii").write_bytes(nifti())
    return request(tmp_path / "good.nii")


def is_read(reader: ReaderProcess, good: Request) -> None:
    (decoded,) = reader.read(good)
    np.testing.assert_array_equal(decoded.array, VOXELS.transpose(2, 1, 0))


def pid(reader: ReaderProcess) -> int:
    assert reader._process is not None
    return reader._process.pid


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_killed_within_a_file(how: signal.Signals, good: Request) -> None:
    with ReaderProcess() as reader:
        is_read(reader, good)
        first = pid(reader)
        os.kill(first, signal.SIGSTOP)

        def end() -> None:
            os.kill(first, how)
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGCONT)

        killer = threading.Timer(0.2, end)
        killer.start()
        with pytest.raises(errors.ReaderDied, match=f"signal {how.value}"):
            reader.read(good)
        killer.join()
        is_read(reader, good)
        assert pid(reader) != first


def test_one_that_hangs_is_ended(good: Request) -> None:
    with ReaderProcess() as reader:
        is_read(reader, good)
        first, reader.timeout_s = pid(reader), 0.3
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(errors.ReaderTimeout):
            reader.read(good)
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
        reader.timeout_s = 60
        is_read(reader, good)


def test_killed_between_two_files(good: Request) -> None:
    with ReaderProcess() as reader:
        is_read(reader, good)
        os.kill(pid(reader), signal.SIGKILL)
        time.sleep(0.1)
        is_read(reader, good)


def test_memory_is_limited(tmp_path: Path, good: Request) -> None:
    head = nifti(np.zeros((1, 1, 1)), dim=[3, 512, 512, 400])[:352]
    (tmp_path / "large.nii.gz").write_bytes(zipped(head) + zeros_zipped(800))
    with ReaderProcess(memory_bytes=2**28) as reader:
        with pytest.raises((errors.TooLarge, errors.ReaderDied)):
            reader.read(request(tmp_path / "large.nii.gz"))
        is_read(reader, good)


def test_it_has_nothing_to_take(good: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("PREFECT_API_KEY", "canary")
    with open(good.files[0], "rb") as ours, ReaderProcess() as reader:
        os.set_inheritable(ours.fileno(), True)
        is_read(reader, good)
        process = Path(f"/proc/{pid(reader)}")
        environment = process.joinpath("environ").read_bytes()
        assert b"canary" not in environment
        assert b"HOME=" not in environment
        time.sleep(0.2)  # the voxels' descriptor is closed after they were sent
        opened = {int(handle.name): os.readlink(handle) for handle in (process / "fd").iterdir()}
        others = {target for number, target in opened.items() if number > 2}
        assert len(others) == 1
        assert others.pop().startswith("socket:")
        assert {opened[number] for number in range(3)} == {"/dev/null"}


def test_it_writes_no_file_and_starts_no_process(good: Request) -> None:
    with ReaderProcess() as reader:
        is_read(reader, good)
        limits = Path(f"/proc/{pid(reader)}/limits").read_text()
    for name in ("Max core file size", "Max processes"):
        line = next(line for line in limits.splitlines() if line.startswith(name))
        assert line.removeprefix(name).split()[:2] == ["0", "0"]


def _send(link: socket.socket, lie: bytes) -> None:
    with contextlib.suppress(OSError):  # our side hangs up at once
        link.sendall(lie)


def test_our_side_believes_nothing_it_is_told(good: Request) -> None:
    """A reader that was taken over may answer what it likes."""
    lies: list[bytes] = [
        b"", b"no json", b"[]", b"{}", b'{"results": 7}', b'{"error": {}}', b'{"error": "x"}',
        b'{"error": {"class": "SystemExit", "message": "x"}}',
        b'{"error": {"class": "os", "message": "x", "evil": 1}}',
        b'{"results": [{"array": {"dtype": "O", "shape": [1]}, "matrix": null}]}',
        b'{"results": [{"array": {"dtype": "<f8", "shape": [-1, 9]}, "role": "image"}]}',
        b'{"a":' * 200_000,
    ]  # fmt: skip
    for lie in lies:
        ours, theirs = socket.socketpair()
        with ReaderProcess() as reader, theirs:
            reader._link, reader._process = ours, None
            reader._start = lambda ours=ours: ours  # type: ignore[assignment,misc]
            handle = os.memfd_create("voxels")
            socket.send_fds(theirs, [wire._LENGTH.pack(len(lie))], [handle])
            sender = threading.Thread(target=_send, args=(theirs, lie))
            sender.start()
            with pytest.raises((errors.ReaderDied, errors.UnreadableFile)):
                reader.read(good)
            sender.join()
            os.close(handle)
