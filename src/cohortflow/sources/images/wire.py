"""What travels between a reader's process and ours: JSON, and voxels as a file in memory."""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow import errors
from cohortflow.errors import CohortflowError, UnreadableFile
from cohortflow.sources.images.decoded import Decoded, ReadOptions, Request, SeriesOptions

_LENGTH = struct.Struct("!Q")
_MAX_MESSAGE = 64 * 2**20


def send(link: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> None:
    """One message with the descriptors that go along."""
    body = json.dumps(message).encode()
    header = _LENGTH.pack(len(body))
    if files:
        socket.send_fds(link, [header], list(files))
    else:
        link.sendall(header)
    link.sendall(body)


def receive(link: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message; EOFError where the other side is gone."""
    header, files, _, _ = socket.recv_fds(link, _LENGTH.size, 1)
    while header and len(header) < _LENGTH.size:
        header += _some(link, _LENGTH.size - len(header))
    if not header:
        raise EOFError
    (length,) = _LENGTH.unpack(header)
    if length > _MAX_MESSAGE:
        raise EOFError
    body = bytearray()
    while len(body) < length:
        body += _some(link, min(length - len(body), 2**20))
    return json.loads(bytes(body)), files


def _some(link: socket.socket, count: int) -> bytes:
    data = link.recv(count)
    if not data:
        raise EOFError
    return data


def request_to_json(request: Request) -> dict[str, Any]:
    document = asdict(request)
    document["options"]["accept"] = sorted(request.options.accept)
    return document


def request_from_json(document: dict[str, Any]) -> Request:
    options = dict(document.pop("options"))
    spacing = options["spacing_mm"]
    options["spacing_mm"] = None if spacing is None else tuple(spacing)
    options["accept"] = frozenset(options["accept"])
    document["files"] = tuple(document["files"])
    if (series := document["series"]) is not None:
        labels, places = tuple(series["labels"]), tuple(tuple(xyz) for xyz in series["xyz_mm"])
        document["series"] = SeriesOptions(**{**series, "labels": labels, "xyz_mm": places})
    return Request(**document, options=ReadOptions(**options))


def results_to_wire(results: Sequence[Decoded]) -> tuple[list[dict[str, Any]], int]:
    """The results as JSON, and the descriptor of a file that holds their voxels in turn."""
    handle = _memory()
    documents = []
    for result in results:
        array = np.ascontiguousarray(result.array)
        # Bounds of a run-away are the process' memory limit; a plain write copies each voxel once.
        view = array.reshape(-1).view(np.uint8).data
        while view:
            view = view[os.write(handle, view[: 2**28]) :]
        document = asdict(replace(result, array=np.empty(0)))
        document["array"] = {"dtype": array.dtype.str, "shape": array.shape}
        document["matrix"] = None if result.matrix is None else result.matrix.tolist()
        documents.append(document)
    return documents, handle


def results_from_wire(documents: Sequence[dict[str, Any]], handle: int) -> list[Decoded]:
    """What ``results_to_wire`` was given; the voxels stay where the other side has put them."""
    size = os.fstat(handle).st_size
    memory = mmap.mmap(handle, size, access=mmap.ACCESS_READ) if size else b""
    results, offset = [], 0
    for document in documents:
        about = document.pop("array")
        dtype, shape = np.dtype(about["dtype"]), tuple(about["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        array: npt.NDArray[Any] = np.frombuffer(memory, dtype, count, offset).reshape(shape)
        offset += array.nbytes
        matrix = document.pop("matrix")
        placed = None if matrix is None else np.array(matrix, float)
        document["persons"] = tuple(document["persons"])
        results.append(Decoded(**document, array=array, matrix=placed))
    return results


def _memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("voxels")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def error_to_json(error: CohortflowError) -> dict[str, Any]:
    return {"class": type(error).__name__, "message": error.message, **error.fields()}


def error_from_json(document: dict[str, Any]) -> CohortflowError:
    """The named error of the other side; what is no error of ours is an unreadable file."""
    name = str(document.pop("class"))
    found = getattr(errors, name, None)
    known = isinstance(found, type) and issubclass(found, CohortflowError)
    message = str(document.pop("message"))
    kind: type[CohortflowError] = found if known else UnreadableFile  # type: ignore[assignment]
    return kind(message, **{key: str(value) for key, value in document.items()})
