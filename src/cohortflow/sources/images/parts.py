"""The images and label maps of one subject: files read together, and the entries they become."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import xarray as xr

from cohortflow.cohort.entry import Output
from cohortflow.sources.images.decoded import Decoded, ReadOptions, Request, Role, image_facts
from cohortflow.sources.images.names import Named, detached, telling
from cohortflow.sources.images.pairing import on_image_grid
from cohortflow.sources.images.persons import refuse_persons
from cohortflow.sources.sidecars import confounds_output, sidecar_facts, sidecars

READER_VERSION = 2
"""Part of the key of every ingested image: raised whenever the arrays change."""


@dataclass(frozen=True)
class Part:
    """Files that are read together. ``tokens``: what of their names tells them from others.

    ``beside``: files of voxels that the headers among them name. ``sidecars``: of BIDS, the nearest
    last. ``pair``: what the names of a picture and its masks share.
    """

    format: str
    role: Role
    files: tuple[Path, ...]
    tokens: tuple[str, ...] = ()
    bids: bool = False
    beside: tuple[Path, ...] = ()
    sidecars: tuple[Path, ...] = ()
    pair: str = ""

    @property
    def voxel_files(self) -> tuple[Path, ...]:
        """All that the arrays depend on."""
        return (*self.files, *self.beside)

    @property
    def all_files(self) -> tuple[Path, ...]:
        """All that the part depends on."""
        return (*self.voxel_files, *self.sidecars)


class Reader(Protocol):
    """What reads a request: the process for untrusted files, or in tests the reader itself."""

    def read(self, request: Request) -> list[Decoded]:
        """The images and label maps of the request's files."""
        ...


@dataclass(frozen=True)
class ImageEntry:
    """An entry before it is committed; ``key``: of all that its arrays depend on."""

    name: str
    kind: str
    key: str
    output: Output
    recipe: Mapping[str, Any]


def grouped(
    files: Iterable[tuple[Path, Named]], documents: Mapping[Path, Sequence[Path]]
) -> tuple[Part, ...]:
    """The parts of one subject's files, images before labels, in order of their paths.

    ``documents``: the JSON files of the source by their folder, sidecars among them.
    """
    groups: dict[tuple[str, str, str], list[tuple[int, str, Path, Named]]] = {}
    for path, about in files:
        row = (about.order, path.as_posix(), path, about)
        groups.setdefault((about.role, about.group, about.format), []).append(row)
    parts = []
    for (_, _, format_), rows in sorted(groups.items()):
        rows.sort(key=lambda row: row[:2])
        paths = tuple(row[2] for row in rows)
        about = rows[0][3]
        beside = tuple(found for path in paths if (found := detached(path)) is not None)
        described = about.bids and about.role == "image"
        notes = sidecars(paths[0], documents) if described else ()
        parts.append(
            Part(format_, about.role, paths, about.tokens, about.bids, beside, notes, about.pair)
        )
    return tuple(parts)


def read_parts(
    parts: Sequence[Part],
    digests: Sequence[str],
    subject: str,
    options: ReadOptions,
    reader: Reader,
    *,
    chosen_id: bool,
    root: Path | None = None,
) -> list[ImageEntry]:
    """Entries of one subject. ``digests``: of each part's files. ``chosen_id``: by the user's rule.

    Raises the InputError of what is wrong, :class:`GeometryMismatch` of a label map on another grid
    than its image, :class:`IdentifiesPerson`.
    """
    found: list[tuple[Part, str, Decoded]] = []
    tables: list[tuple[Part, str]] = []
    for part, digest in zip(parts, digests, strict=True):
        if part.role == "table":
            tables.append((part, digest))
            continue
        request = Request(
            part.format,
            tuple(str(path) for path in part.files),
            part.role,
            subject,
            options,
            str(root or ""),
            "" if chosen_id else subject,
        )
        found += [(part, digest, decoded) for decoded in reader.read(request)]
    persons = {person for _, _, decoded in found for person in decoded.persons}
    names = entry_names([(part, decoded) for part, _, decoded in found])
    if not chosen_id:
        refuse_persons(subject, persons)
    for name in names:
        refuse_persons(name, persons)
    images = [one for one in found if one[2].role == "image"]
    entries = []
    for (part, digest, decoded), name in zip(found, names, strict=True):
        key_parts: dict[str, Any] = {"source": digest}
        if part.sidecars and (told := sidecar_facts(part.sidecars, subject)):
            decoded.facts |= told
            key_parts["sidecar"] = told
        if decoded.role == "label" and images:
            pairs = [(one.pair, image) for one, _, image in images]
            decoded, image = on_image_grid(decoded, part.pair, pairs, subject)
            key_parts |= _image_of(*images[image][1:])
        entries.append(_entry(name, part, decoded, key_parts, subject))
    return entries + _confounds(tables, subject, reader)


def _image_of(digest: str, image: Decoded) -> dict[str, Any]:
    """What a label map on the grid of an image depends on: its file, and how that was read."""
    return {"image": digest, "image_part": image.part, "image_read": dict(image.used)}


def _confounds(
    tables: Sequence[tuple[Part, str]], subject: str, reader: Reader
) -> list[ImageEntry]:
    """Tables of confounds: ``confounds``, of several with the entities of their runs."""
    entries = []
    for part, digest in tables:
        own = [token for token in part.tokens if "-" in token and not token.startswith("desc-")]
        name = _clean("_".join(["confounds", *own])) if len(tables) > 1 else "confounds"
        used = {"source": digest}
        key = _key(subject, name, "table", part, "", used)
        request = Request(part.format, (str(part.files[0]),), "table", subject)
        (decoded,) = reader.read(request)
        output = confounds_output(decoded)
        entries.append(ImageEntry(name, "table", key, output, {"reader": READER_VERSION, **used}))
    return entries


def _key(
    subject: str, name: str, kind: str, part: Part, within: str, used: Mapping[str, Any]
) -> str:
    identity = {
        "subject": subject,
        "entry": name,
        "kind": kind,
        "format": part.format,
        "part": within,
        "reader": READER_VERSION,
        **used,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def entry_names(found: Sequence[tuple[Part, Decoded]]) -> list[str]:
    """``image`` and ``label`` where there is one of them; of several, with what tells them apart.

    A label map that says it is a reference or a prediction does so also where the other is missing.
    Images of BIDS go by their suffix and what stands before it, such as ``acq-hi_T1w``.
    """
    stems = [_stem(part, decoded) for part, decoded in found]
    names = [""] * len(found)
    for stem in dict.fromkeys(stems):
        rows = [row for row, one in enumerate(stems) if one == stem]
        hints = telling([_tokens(*found[row]) for row in rows])
        for row, hint in zip(rows, hints, strict=True):
            part = found[row][0]
            if part.bids and stem == "image":
                names[row] = _clean("_".join(part.tokens))
            else:
                told = hint if len(rows) > 1 else _side(stem, part)
                names[row] = _clean(f"{stem}_{told}") if told else stem
    return _told_apart(names)


def _stem(part: Part, decoded: Decoded) -> str:
    scribble = decoded.part == "scribble" or "scribble" in part.tokens
    return "scribble" if scribble else decoded.role


def _side(stem: str, part: Part) -> str:
    """Which of a pair a lone label map says it is."""
    told = [token for token in part.tokens if token.casefold() in ("reference", "prediction")]
    return told[0] if stem == "label" and len(told) == 1 else ""


def _tokens(part: Part, decoded: Decoded) -> tuple[str, ...]:
    own = () if decoded.part in ("", "image", "label", "scribble") else (decoded.part,)
    return (*part.tokens, *own)


def _told_apart(names: Sequence[str]) -> list[str]:
    times = Counter(names)
    taken = {name for name in names if times[name] == 1}
    result = []
    for name in names:
        if times[name] > 1:
            numbered = (f"{name}_{number}" for number in itertools.count(1))
            name = next(one for one in numbered if one not in taken)
            taken.add(name)
        result.append(name)
    return result


def _clean(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60].strip("-_") or "image"


def _entry(
    name: str, part: Part, decoded: Decoded, key_parts: dict[str, Any], subject: str
) -> ImageEntry:
    variable = decoded.role
    kind = "label_map" if variable == "label" else "image_2d" if decoded.flat else "volume"
    dims = ("channel", "z", "y", "x") if not decoded.flat else ("channel", "y", "x")
    attributes: dict[str, Any] = {} if decoded.matrix is None else decoded.grid.attributes()
    if decoded.label_names:
        attributes["label_names"] = decoded.label_names
    if "modality" in decoded.facts:
        attributes["modality"] = decoded.facts["modality"]
    array = decoded.array
    dataset = xr.Dataset({variable: (dims[len(dims) - array.ndim :], array)}, attrs=attributes)
    used = {**decoded.used, **key_parts}
    key = _key(subject, name, kind, part, decoded.part, used)
    output = Output(dataset=dataset, facts=image_facts(decoded), warnings=tuple(decoded.warnings))
    return ImageEntry(name, kind, key, output, {"reader": READER_VERSION, **used})
