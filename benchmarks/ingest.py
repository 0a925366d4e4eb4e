"""Reading, ingesting, storing and reading back a CT-like volume, beside codecs and other readers.

A noisy volume of whole numbers is generated as ``.nii.gz``. *Decompression alone* is isal's,
without making an array; *the codec alone* is Blosc (zstd 3, bit shuffle) over the chunks that an
entry has, as many threads; *into an array* adds what no reader can spare: their sums, and memory
for the voxels. CPU seconds of this process and its readers, and wall; the rounds of all cases
alternate. Then the memory that one unit takes at its peak, reader process and voxels handed over
together.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import nibabel
import numpy as np
import numpy.typing as npt
import SimpleITK
import xarray as xr
from isal import igzip
from numcodecs import blosc

from benchmarks._results import Row, save, say
from cohortflow.cohort.arrays import default_chunks, encode_arrays
from cohortflow.cohort.cohort import create_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Output
from cohortflow.sources.images.decoded import Request
from cohortflow.sources.images.reader_process import ReaderProcess
from cohortflow.sources.ingest import ingest

PIECE = 2**24


def volume(shape: tuple[int, int, int]) -> npt.NDArray[np.int16]:
    """(z, y, x): smooth structure and the noise of a CT."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    smooth = 800 * np.sin(z / 20) * np.cos(y / 60) * np.sin(x / 45)
    noise = np.random.default_rng(0).normal(0, 12, shape)
    return (smooth + noise).astype(np.int16)


def decompressed(path: Path) -> int:
    """Bytes in the file, by isal alone."""
    piece, total = bytearray(PIECE), 0
    with igzip.open(path) as file:
        while count := file.readinto(piece):
            total += count
    return total


class Codec:
    """Blosc as the store uses it, over the chunks of an entry, and nothing else."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        chunks = default_chunks(array.shape, array.itemsize)
        self.chunks = [
            np.ascontiguousarray(array[z : z + chunks[0]]) for z in range(0, len(array), chunks[0])
        ]
        self.packed = [self._pack(chunk) for chunk in self.chunks]

    @staticmethod
    def _pack(chunk: npt.NDArray[Any]) -> Any:
        return blosc.compress(chunk, b"zstd", 3, shuffle=blosc.BITSHUFFLE)

    def pack(self) -> None:
        """All chunks in turn; Blosc's own threads."""
        for chunk in self.chunks:
            self._pack(chunk)

    def unpack(self) -> None:
        """All chunks in turn, back to voxels in memory that is used again."""
        for packed in self.packed:
            blosc.decompress(packed)

    def unpack_into_an_array(self) -> None:
        """The same with the checksum of each, into a new array."""
        shape = (sum(len(chunk) for chunk in self.chunks), *self.chunks[0].shape[1:])
        array, row = np.empty(shape, self.chunks[0].dtype), 0
        for packed, chunk in zip(self.packed, self.chunks, strict=True):
            google_crc32c.value(packed)
            blosc.decompress(packed, array[row : row + len(chunk)])
            row += len(chunk)


def cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    own, ended = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def timed(rows: dict[str, Row], name: str, items: int, work: Callable[[], object]) -> None:
    """One round: wall under ``name``, CPU under the same with a word behind it."""
    started, cpu = time.perf_counter(), cpu_seconds()
    work()
    wall, used = time.perf_counter() - started, cpu_seconds() - cpu
    rows.setdefault(name, Row(name, items)).seconds.append(wall)
    rows.setdefault(f"{name}, CPU", Row(f"{name}, CPU", items)).seconds.append(used)


def main() -> None:
    """Print the table and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=3, default=(150, 512, 512))
    parser.add_argument("--volumes", type=int, default=6, help="subjects of one ingest")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cohortflow-benchmark-"))
    try:
        rows = run(folder, tuple(options.shape), options.volumes, options.repeat)
    finally:
        shutil.rmtree(folder)
    table = list(rows.values())
    for row in table:
        say(f"{row.name:48} {row.ms_per_item:10.1f} ms a volume  {row.note}".rstrip())
    tell(rows)
    save("ingest", table, vars(options))


def run(folder: Path, shape: tuple[int, ...], volumes: int, repeat: int) -> dict[str, Row]:
    """Rows by name."""
    z, y, x = shape
    array = volume((z, y, x))
    source = folder / "source"
    source.mkdir()
    path = source / "v000.nii.gz"
    image = nibabel.Nifti1Image(array.T, np.diag([0.78, 0.78, 3.0, 1.0]))
    nibabel.save(image, path)
    for number in range(1, volumes):
        shutil.copy(path, source / f"v{number:03d}.nii.gz")
    dataset = xr.Dataset({"image": (("z", "y", "x"), array)})
    codec = Codec(array)
    cohort = create_cohort(folder / "entries")
    rows: dict[str, Row] = {}
    for turn in range(repeat):
        timed(rows, "decompression alone (isal)", 1, lambda: decompressed(path))
        timed(rows, "read, SimpleITK", 1, lambda: SimpleITK.ReadImage(str(path)))
        timed(rows, "read, nibabel", 1, lambda: np.asarray(nibabel.load(path).dataobj))
        timed(rows, "read, ours in its process", 1, lambda: read_apart(path))
        timed(rows, "the codec alone, packing", 1, codec.pack)
        timed(rows, "an entry's files made", 1, lambda: encode_arrays(dataset, "volume"))
        ref = EntryRef("s", "image", f"{turn:016x}".ljust(64, "0"))
        output = Output(dataset=dataset)
        timed(
            rows,
            "an entry committed",
            1,
            lambda r=ref, o=output: cohort.entries.commit(r, "volume", o),
        )  # type: ignore[misc]
        timed(rows, "the codec alone, unpacking", 1, codec.unpack)
        timed(rows, "the codec, into an array", 1, codec.unpack_into_an_array)
        entry = cohort.entries.open(ref)
        timed(rows, "an entry read", 1, lambda e=entry: e.dataset["image"].values)  # type: ignore[misc]
        for threads in (1, 2):
            new = create_cohort(folder / f"ingest-{turn}-{threads}")
            timed(
                rows,
                f"ingest, {threads} at a time",
                volumes,
                lambda c=new, t=threads: ingest(c, source, threads=t),  # type: ignore[misc]
            )
            shutil.rmtree(folder / f"ingest-{turn}-{threads}")
    rows["peak"] = peak(path, array.nbytes)
    return rows


def read_apart(path: Path) -> None:
    """Through a process that starts and ends here, so that its CPU time is counted."""
    with ReaderProcess() as reader:
        reader.read(Request("nifti", (str(path),), "image", "s"))


def peak(path: Path, voxels: int) -> Row:
    """Resident memory of the reader at its peak beyond a warm one's, over the voxels' bytes."""
    with ReaderProcess() as reader:
        tiny = path.with_name("tiny.nii.gz")
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), tiny)
        reader.read(Request("nifti", (str(tiny),), "image", "s"))
        assert reader._process is not None
        warm = resident(reader._process.pid)
        decoded = reader.read(Request("nifti", (str(path),), "image", "s"))
        # What is handed over is memory that both see: it is in the reader's figure as well.
        high = resident(reader._process.pid, "VmHWM")
        assert decoded[0].array.nbytes == voxels
    times = (high - warm) / voxels
    return Row(
        "peak", 1, [times / 1000], f"{times:.2f} × the voxels' bytes, in the reader's process"
    )


def resident(pid: int, field: str = "VmRSS") -> int:
    """Bytes; of Linux only."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(field)


def tell(rows: dict[str, Row]) -> None:
    """The ratios that docs/performance.md states."""

    def cpu(name: str) -> float:
        return rows[f"{name}, CPU"].ms_per_item

    codecs = cpu("decompression alone (isal)") + cpu("the codec alone, packing")
    one = cpu("ingest, 1 at a time")
    say(f"ingest: {codecs / one:.0%} of its CPU time is decompression and the store's codec")
    packing = cpu("an entry's files made") / cpu("the codec alone, packing")
    reading = cpu("an entry read") / cpu("the codec alone, unpacking")
    array = cpu("an entry read") / cpu("the codec, into an array")
    say(f"entries: made at {packing:.2f} ×, read at {reading:.2f} × the codec's CPU time alone")
    say(f"entries: read at {array:.2f} × that of the codec into an array")
    say(f"cores: {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
