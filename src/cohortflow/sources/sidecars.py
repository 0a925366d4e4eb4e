"""What BIDS keeps beside an image: numbers of its sidecars, tables of confounds.

Source: Brain Imaging Data Structure 1.10, *Inheritance principle* and *Derivatives*.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cohortflow.cohort.entry import Output
from cohortflow.errors import UnreadableFile
from cohortflow.sources.files import read_text
from cohortflow.sources.images.decoded import Decoded

NUMBERS = (
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "MagneticFieldStrength",
    "EchoTrainLength",
    "EffectiveEchoSpacing",
    "TotalReadoutTime",
    "MultibandAccelerationFactor",
    "ParallelReductionFactorInPlane",
    "SliceThickness",
    "SpacingBetweenSlices",
)
"""Keys of sidecars that say how an image was made; everything else may lead back to a person."""

CONFOUNDS = "_desc-confounds_timeseries.tsv"
_MAX_SIDECAR_BYTES = 4 * 2**20


def sidecars(image: Path, documents: Mapping[Path, Sequence[Path]]) -> tuple[Path, ...]:
    """The sidecars that speak of an image, the nearest last: it has the last word.

    Beside it and in the folders above, those whose parts of the name are all in the image's own.
    ``documents``: the JSON files of a source by their folder.
    """
    *entities, suffix = image.name.split(".", 1)[0].split("_")
    found: list[Path] = []
    for folder in reversed(image.parents):
        here = []
        for path in documents.get(folder, ()):
            *others, other = path.stem.split("_")
            if other == suffix and set(others) <= set(entities):
                here.append((len(others), path))
        found += [path for _, path in sorted(here)]
    return tuple(found)


def sidecar_facts(paths: tuple[Path, ...], where: str) -> dict[str, float]:
    """The numbers of the allow-list, the last sidecar's before those of the others.

    Raises :class:`UnreadableFile` for one that is no JSON object.
    """
    facts: dict[str, float] = {}
    for path in paths:
        for key, value in _document(path, where).items():
            numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
            if key in NUMBERS and numeric and math.isfinite(value):
                facts[key] = float(value)
    return facts


def _document(path: Path, where: str) -> Mapping[str, Any]:
    text = read_text(path, where, _MAX_SIDECAR_BYTES)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile("a sidecar is no JSON", where=where, found="damaged text") from error
    if not isinstance(document, dict):
        raise UnreadableFile(
            "a sidecar is no JSON object", where=where, found=type(document).__name__
        )
    return document


def confounds_output(decoded: Decoded) -> Output:
    """The entry of a table of confounds: a row per volume, numbers, nothing where it has none."""
    import pyarrow as pa

    from cohortflow.evaluation.cases import write_parquet

    columns = dict(zip(decoded.facts["columns"], decoded.array.T, strict=True))
    nullable = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    facts = {"rows": len(decoded.array), "columns": list(columns)}
    return Output(files={"table.parquet": write_parquet(pa.table(nullable))}, facts=facts)
