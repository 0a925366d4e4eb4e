"""The process in which untrusted files are read: few rights, little memory, one file at a time."""

from __future__ import annotations

import functools
import os
import resource
import socket
import struct
import sys
import warnings
import zlib
from collections.abc import Callable, Sequence
from importlib import import_module

from cohortflow.errors import CohortflowError, EmptyInput, TooLarge, UnreadableFile
from cohortflow.sources.images import wire
from cohortflow.sources.images.decoded import Decoded, Request

# What parsers raise at bytes that nobody wrote on purpose. Anything else ends this process, which
# the other side tells as such.
PARSER_FAULTS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

_FAULTS = (
    ("nibabel.filebasedimages", "ImageFileError"),
    ("nibabel.spatialimages", "HeaderDataError"),
    ("nibabel.wrapstruct", "WrapStructError"),
    ("pydicom.errors", "BytesLengthException"),
    ("pydicom.errors", "InvalidDicomError"),
    ("zipfile", "BadZipFile"),
    ("tokenize", "TokenError"),
)
_HERE = "cohortflow.sources.images"
READERS = {
    "nifti": f"{_HERE}.nifti:read_nifti",
    "dicom": f"{_HERE}.dicom:read_dicom",
    "nrrd": f"{_HERE}.nrrd:read_nrrd",
    "metaimage": f"{_HERE}.metaimage:read_metaimage",
    "hdf5": f"{_HERE}.hdf5:read_hdf5",
    "npz": f"{_HERE}.npz:read_npz",
    "picture": f"{_HERE}.pictures:read_pictures",
    "dicom-persons": f"{_HERE}.dicom:compare_persons",
    "nrrd-persons": f"{_HERE}.nrrd:compare_persons",
    "metaimage-persons": f"{_HERE}.metaimage:compare_persons",
    "roi_series": "cohortflow.sources.series_reader:read_series",
    "bold": "cohortflow.sources.series_reader:read_series",
    "fmriprep": "cohortflow.sources.series_reader:read_series",
    "confounds": "cohortflow.sources.series_reader:read_table",
}
"""Of each format: module and function; loaded when the first such file is read."""


def read(request: Request) -> list[Decoded]:
    """Read with the reader of the format; named errors only."""
    try:
        # A reader would say that it is no file of its format, and the user would look for another.
        if not all(os.path.getsize(path) for path in request.files):
            raise EmptyInput("the file is empty", where=request.where, found="0 bytes")
        return _reader(request.format)(request)
    except CohortflowError as error:
        error.where = error.where or request.where
        raise
    except MemoryError as error:
        raise TooLarge(
            "the file needs more memory than a reader may have", where=request.where
        ) from error
    except PARSER_FAULTS + _library_faults() as error:
        # The text of a foreign error may quote the file, and so a person: its type alone is told.
        raise UnreadableFile(
            "the file is damaged, or not of the format of its name",
            where=request.where,
            found=f"{type(error).__name__} in the reader of {request.format}",
            hint="Copy or download it again.",
        ) from error


def _library_faults() -> tuple[type[Exception], ...]:
    """Errors of no built-in kind, of those libraries that are loaded."""
    loaded = [(sys.modules.get(module), name) for module, name in _FAULTS]
    return tuple(getattr(module, name) for module, name in loaded if module is not None)


@functools.cache
def _reader(format_: str) -> Callable[[Request], list[Decoded]]:
    """With all that it needs loaded, and told to be quiet and to keep to one thread."""
    module, name = READERS[format_].split(":")
    if format_ in _PREPARE:
        _PREPARE[format_]()
    reader: Callable[[Request], list[Decoded]] = getattr(import_module(module), name)
    return reader


def _prepare_nifti() -> None:
    # nibabel loads pydicom where it can, for header extensions that nobody looks at here.
    alone = "pydicom" not in sys.modules
    if alone:
        sys.modules["pydicom"] = None  # type: ignore[assignment]
    import nibabel

    if alone:
        del sys.modules["pydicom"]
    nibabel.imageglobals.logger.disabled = True


def _prepare_dicom() -> None:
    import gdcm  # noqa: F401
    import pydicom.pixels

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


def _prepare_pictures() -> None:
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = None  # sizes are refused by our own limit, before decoding


_PREPARE = {
    **dict.fromkeys(("nifti", "bold", "fmriprep"), _prepare_nifti),
    **dict.fromkeys(("dicom", "dicom-persons"), _prepare_dicom),
    "picture": _prepare_pictures,
}


def serve(link: socket.socket) -> None:
    """Answer requests until the other side is gone."""
    while True:
        try:
            document, _ = wire.receive(link)
        except EOFError:
            return
        try:
            results = read(wire.request_from_json(document))
            documents, handle = wire.results_to_wire(results)
        except CohortflowError as error:
            wire.send(link, {"error": wire.error_to_json(error)})
            continue
        except MemoryError:
            fault = TooLarge("the file needs more memory than a reader may have")
            wire.send(link, {"error": wire.error_to_json(fault)})
            continue
        del results
        wire.send(link, {"results": documents}, [handle])
        os.close(handle)


def limit(memory_bytes: int) -> None:
    """From here on: so much more memory, no core file, no other process."""
    here = _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (here + memory_bytes, here + memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _address_space() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**32  # no Linux: about what the libraries take


def main(arguments: Sequence[str]) -> None:
    descriptor, memory_bytes = (int(argument) for argument in arguments[:2])
    warnings.simplefilter("ignore")
    for format_ in arguments[2:]:
        _reader(format_)
    limit(memory_bytes)
    with socket.socket(fileno=descriptor) as link:
        serve(link)


if __name__ == "__main__":
    main(sys.argv[1:])
