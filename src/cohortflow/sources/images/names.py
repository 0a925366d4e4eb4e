"""What the name of a file says: its format, image or label map, whose, and which of several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from stat import S_ISREG

from cohortflow.sources.images.decoded import Role
from cohortflow.sources.images.words import tells_what
from cohortflow.sources.sidecars import CONFOUNDS
from cohortflow.sources.subject_id import bids_label

FORMATS = {
    **dict.fromkeys((".nii", ".nii.gz"), "nifti"),
    **dict.fromkeys((".nrrd", ".nhdr"), "nrrd"),
    **dict.fromkeys((".mha", ".mhd"), "metaimage"),
    **dict.fromkeys((".npy.h5", ".h5", ".hdf5"), "hdf5"),
    ".npz": "npz",
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"), "picture"),
    **dict.fromkeys((".dcm", ".dicom", ".ima"), "dicom"),
    CONFOUNDS: "confounds",
}
_NOT_SNIFFED = re.compile(
    r"\.(json|tsv|csv|txt|md|bvals?|bvecs?|html?|py|ya?ml|xml|log|pdf|svg|gz|zip|tar|xz|1d|npy|raw|"
    r"zraw|img|hdr|parquet|xlsx?|docx?|mat|rst|cfg|ini|toml|safetensors|pt|pth)$",
    re.IGNORECASE,
)
_LABEL_WORDS = "labels?|lab|masks?|segs?|segmentations?|dseg|gt|annotations?"
_IMAGE_WORDS = "images?|imgs?"
_SCRIBBLE_WORDS = "scribbles?"
_PARTS = r"(?:tr|ts|va|train|training|test|val|validation)?"
_FOLDER = re.compile(
    rf"(?:({_IMAGE_WORDS})|({_LABEL_WORDS}|{_SCRIBBLE_WORDS}))[ _-]?{_PARTS}", re.I
)
_AT_END = re.compile(
    rf"(.+?)[ _.-]+(?:({_IMAGE_WORDS})|({_LABEL_WORDS}|{_SCRIBBLE_WORDS}))(?:[ _-]?(\d{{1,3}}))?",
    re.I,
)
_AT_START = re.compile(rf"(?:{_LABEL_WORDS}|{_SCRIBBLE_WORDS})(?:[ _.-].*|\d*)", re.I)
_SLICE = re.compile(r"(.+?)_slice_?(\d+)", re.I)
_CHANNEL = re.compile(r"(.+)_(\d{4})")
_BIDS_LABELS = ("dseg", "mask", "roi", "label")
MANY_TIMES = ("bold", "dwi", "asl", "cbv", "perf", "epi", "sbref", "boldref", "pet", "physio")
"""BIDS suffixes of series in time: images only where a time point is asked for."""


_DETACHED = re.compile(
    rb"^(?:data ?file:=?|ElementDataFile *=)[ \t]*([^/\\\r\n]+?)[ \t]*\r?$", re.I | re.M
)
_HEADER_BYTES = 2**16


def detached(path: Path) -> Path | None:
    """The file of voxels beside a header of text, as far as it is one with a plain name."""
    if path.suffix.lower() not in (".nhdr", ".mhd"):
        return None
    try:
        with path.open("rb") as file:
            told = _DETACHED.search(file.read(_HEADER_BYTES))
    except OSError:
        return None
    if told is None:
        return None
    beside = path.with_name(told[1].decode("utf-8", "replace"))
    return beside if beside.is_file() else None


@dataclass(frozen=True)
class Named:
    """``identity``: the path that tells the subject. ``tokens``: what may tell it from others.

    ``group``: files of one group and role are read together (slices, masks of one picture).
    ``pair``: what a picture and its masks share, empty for the mask of a whole folder.
    """

    format: str
    role: Role
    identity: PurePath
    tokens: tuple[str, ...]
    group: str
    order: int = 0
    bids: bool = False
    pair: str = ""


def format_of(path: Path) -> str | None:
    """The format by the name; of a strange one by the four letters that begin a DICOM file."""
    lower = path.name.lower()
    for suffix in sorted(FORMATS, key=len, reverse=True):
        if lower.endswith(suffix) and len(lower) > len(suffix):
            return FORMATS[suffix]
    if _NOT_SNIFFED.search(lower) or lower == "dicomdir":
        return None
    try:
        if not S_ISREG(path.stat().st_mode):  # a pipe would be waited for, without end
            return None
        with path.open("rb") as file:
            file.seek(128)
            return "dicom" if file.read(4) == b"DICM" else None
    except OSError:
        return None


def named(relative: PurePath, format_: str) -> Named:
    """What the path inside its source says of a file of a format."""
    ending = next(
        (s for s in sorted(FORMATS, key=len, reverse=True) if relative.name.lower().endswith(s)),
        relative.suffix,
    )
    stem = relative.name[: len(relative.name) - len(ending)] if ending else relative.name
    if format_ == "dicom":
        return Named(format_, "image", relative, (), "dicom")
    in_bids = bids_label(relative) and stem.startswith("sub-") and _entities(stem)
    if format_ == "confounds" or in_bids:
        return _bids(relative, stem, format_)
    role, folders = _folders(relative)
    stem, order = _numbered(_SLICE, stem) if format_ in ("hdf5", "npz") else (stem, 0)
    tokens = _tokens(stem)
    told, bare = _AT_END.fullmatch(stem), False
    if told is not None:
        stem, image, label, number = told.groups()
        role = "image" if image else "label"
        order = int(number or 0) if format_ == "picture" and label else order
    elif role is None and folders and _AT_START.fullmatch(stem):
        role, bare = "label", True
    if role == "image" and len(folders) < len(relative.parts) - 1:
        stem, _ = _numbered(_CHANNEL, stem)  # nnU-Net's imagesTr/case_0000.nii.gz
    identity = PurePath(*folders, f"{stem}{ending}")
    together = format_ in ("hdf5", "npz") or (format_ == "picture" and role == "label")
    group = identity.as_posix() if together else relative.as_posix()
    pair = "" if bare else PurePath(*folders, stem).as_posix().casefold()
    group = f"{role}:{group}"
    return Named(format_, role or "image", identity, tokens, group, order, pair=pair)


def _bids(relative: PurePath, stem: str, format_: str) -> Named:
    parts = _entities(stem)
    role: Role = "label" if stem.rsplit("_", 1)[-1] in _BIDS_LABELS else "image"
    role = "table" if format_ == "confounds" else role
    return Named(format_, role, relative, tuple(parts), relative.as_posix(), bids=True)


def _entities(stem: str) -> list[str]:
    """What a BIDS name says beside whose it is: ``acq-hi``, ``T1w``; nothing of ``sub-01``."""
    return [part for part in stem.split("_") if not part.startswith(("sub-", "ses-"))]


def _folders(relative: PurePath) -> tuple[Role | None, tuple[str, ...]]:
    """The folders that are no word for images or labels, and the role that such a word gives."""
    role: Role | None = None
    kept = []
    for folder in relative.parts[:-1]:
        word = _FOLDER.fullmatch(folder)
        if word is None:
            kept.append(folder)
        else:
            role = "image" if word[1] else "label"
    return role, tuple(kept)


def _numbered(pattern: re.Pattern[str], stem: str) -> tuple[str, int]:
    found = pattern.fullmatch(stem)
    return (found[1], int(found[2])) if found else (stem, 0)


def _tokens(stem: str) -> tuple[str, ...]:
    return tuple(token for token in re.split(r"[^A-Za-z0-9]+", stem) if token)


def telling(files: list[tuple[str, ...]]) -> list[str]:
    """Of several names what tells them apart: ``ct`` and ``pet`` of x_ct and y_pet.

    Only words that say what is shown, or count: a name or a date of birth in a file's name stays
    behind. Nothing is left where names differ in nothing else.
    """
    shared = set.intersection(*(set(tokens) for tokens in files)) if len(files) > 1 else set()
    return [
        "_".join(token for token in tokens if token not in shared and tells_what(token))
        for tokens in files
    ]
