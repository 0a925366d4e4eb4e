"""The process in which untrusted files are read: few rights, little memory, one file at a time."""

from __future__ import annotations

import os
import resource
import socket
import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from importlib import import_module

from cohortflow.errors import CohortflowError, EmptyInput, TooLarge, UnreadableFile
from cohortflow.sources.images import wire
from cohortflow.sources.images.decoded import Decoded, Request

# What parsers raise at bytes that nobody wrote on purpose. Anything else ends this process, which
# the other side tells as such.
PARSER_FAULTS: tuple[type[Exception], ...] = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError),
    *(
        EOFError,
        OSError,
        SyntaxError,
        AssertionError,
        NotImplementedError,
        struct.error,
        zlib.error,
    ),
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
        # The text of a foreign error may quote the file, and so a person: its type is all that is told.
        raise UnreadableFile(
            "the file is damaged, or not of the format of its name",
            where=request.where,
            found=f"{type(error).__name__} in the reader of {request.format}",
            hint="Copy or download it again.",
        ) from error


def _library_faults() -> tuple[type[Exception], ...]:
    """Errors of the libraries that are of no built-in kind; asked for only where one came up."""
    import tokenize
    import zipfile

    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError
    from pydicom.errors import BytesLengthException, InvalidDicomError

    of_nifti = (ImageFileError, HeaderDataError, WrapStructError)
    of_others = (zipfile.BadZipFile, tokenize.TokenError)
    return (BytesLengthException, InvalidDicomError, *of_nifti, *of_others)


def _reader(format_: str) -> Callable[[Request], list[Decoded]]:
    module, name = READERS[format_].split(":")
    reader: Callable[[Request], list[Decoded]] = getattr(import_module(module), name)
    return reader


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
    descriptor, memory_bytes = (int(argument) for argument in arguments)
    _warm()
    limit(memory_bytes)
    with socket.socket(fileno=descriptor) as link:
        serve(link)


def _warm() -> None:
    """Load what the readers need while there is no limit yet."""
    import warnings

    import gdcm  # noqa: F401
    import h5py  # noqa: F401
    import isal.igzip  # noqa: F401
    import nibabel
    import PIL.Image
    import pydicom.pixels
    import SimpleITK

    nibabel.imageglobals.logger.disabled = True
    warnings.simplefilter("ignore")
    PIL.Image.MAX_IMAGE_PIXELS = None  # sizes are refused by our own limit, before decoding
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


if __name__ == "__main__":
    main(sys.argv[1:])
