"""The closed list of entry kinds: the type that edges between steps are checked by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from cohortflow.errors import ImpossibleGeometry, InvalidEntry, KindMismatch, nearest
from cohortflow.geometry.grid import ATTRIBUTE, Grid

_DTYPES = {"float": "f", "int": "iu", "number": "fiu", "bool": "b", "text": "UTO"}


@dataclass(frozen=True)
class Variable:
    """A variable of a kind: dims, dtype family.

    A dim that begins with ``*`` may have any name that ends so; the first may be absent where its
    name ends in ``?``.
    """

    dims: tuple[str, ...]
    dtype: str
    required: bool = True


@dataclass(frozen=True)
class Kind:
    """What an entry of this kind holds: variables, attributes, files (one of the sets).

    ``on_grid``: the variable that lies where the attribute ``index_to_world`` says; an entry
    without that attribute is in index space.
    """

    name: str
    about: str
    variables: Mapping[str, Variable] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    files: tuple[tuple[str, ...], ...] = ()
    on_grid: str | None = None


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "volume",
            "an image in world space or index space; its channels, where it has several, come "
            "first",
            {"image": Variable(("channel?", "z", "y", "x"), "number")},
            on_grid="image",
        ),
        Kind(
            "label_map",
            "integer labels on the grid of an image, of three axes or two; 0 is no label",
            {"label": Variable(("z?", "y", "x"), "int")},
            on_grid="label",
        ),
        Kind(
            "image_2d",
            "a picture in index space: photograph, ultrasound frame, film",
            {"image": Variable(("channel", "y", "x"), "number")},
        ),
        Kind(
            "preview",
            "three planes of an image and of the labels on it, eight bits a pixel; of a comparison "
            "the label is the prediction",
            {
                f"{plane}{suffix}": Variable(
                    (f"{plane}_row", f"{plane}_column"), "int", required=not suffix
                )
                for plane in ("axial", "coronal", "sagittal")
                for suffix in ("", "_label", "_reference")
            },
        ),
        Kind(
            "roi_series",
            "one series per region: (roi, time), TR in seconds in the attribute tr_s (NaN unknown)",
            {
                "series": Variable(("roi", "time"), "float"),
                "valid": Variable(("roi",), "bool"),
                "network": Variable(("roi",), "text"),
                "region": Variable(("roi",), "text"),
            },
            attributes=("tr_s",),
        ),
        Kind(
            "diagrams",
            "persistence diagrams of every region, ragged: bars of region r of degree k are "
            "birth_death_k[offset_k[r]:offset_k[r + 1]]",
            {
                "birth_death_0": Variable(("bar_0", "birth_death"), "float"),
                "offset_0": Variable(("roi_edge",), "int"),
                "birth_death_1": Variable(("bar_1", "birth_death"), "float", required=False),
                "offset_1": Variable(("roi_edge",), "int", required=False),
                "birth_death_2": Variable(("bar_2", "birth_death"), "float", required=False),
                "offset_2": Variable(("roi_edge",), "int", required=False),
                "valid": Variable(("roi",), "bool"),
                "network": Variable(("roi",), "text"),
                "region": Variable(("roi",), "text"),
            },
        ),
        Kind(
            "diagrams_by_region",
            "the diagrams of several subjects, region-major: bars of (region r, subject s) are "
            "birth_death_k[offset_k[r * subjects + s]:offset_k[r * subjects + s + 1]]",
            {
                "birth_death_0": Variable(("bar_0", "birth_death"), "float"),
                "offset_0": Variable(("cell_edge",), "int"),
                "valid": Variable(("roi", "subject"), "bool"),
                "subject": Variable(("subject",), "text"),
                "region": Variable(("roi",), "text"),
            },
        ),
        Kind(
            "distance_matrix",
            "symmetric distances, one matrix per homology degree; NaN where none was computed. A "
            "tile of two blocks of subjects is rectangular and names its columns in other",
            {
                "distance": Variable(("degree", "*_i", "*_j"), "float"),
                "other": Variable(("other",), "text", required=False),
                "other_valid": Variable(("other",), "bool", required=False),
            },
        ),
        Kind(
            "connectivity",
            "symmetric similarity between regions",
            {"connectivity": Variable(("roi_i", "roi_j"), "float")},
        ),
        Kind(
            "pair_map",
            "one test per pair of regions: p values, effect sizes",
            {
                "p_value": Variable(("roi_i", "roi_j"), "float"),
                "effect": Variable(("roi_i", "roi_j"), "float"),
                "effect_low": Variable(("roi_i", "roi_j"), "float", required=False),
                "effect_high": Variable(("roi_i", "roi_j"), "float", required=False),
                "q_value": Variable(("roi_i", "roi_j"), "float", required=False),
                "p_permutation": Variable(("roi_i", "roi_j"), "float", required=False),
                "p_family": Variable(("roi_i", "roi_j"), "float", required=False),
            },
        ),
        Kind(
            "features", "one row of numbers per item", {"features": Variable(("*", "*"), "float")}
        ),
        Kind("table", "a table", files=(("table.parquet",),)),
        Kind(
            "scores",
            "metrics of a case, of cases with the cases behind them, or a summary of cases",
            files=(("metrics.parquet",), ("cases.parquet", "summary.parquet")),
        ),
        Kind(
            "ratings",
            "authored: what one rater said of subjects of a pipeline",
            files=(("ratings.json",),),
        ),
        Kind(
            "weights",
            "trained parameters with a model card",
            files=(("weights.safetensors", "card.json"),),
        ),
    )
}


def kind_named(name: str, where: str = "") -> Kind:
    if name not in KINDS:
        raise KindMismatch(f"no such kind {name!r}", where=where, hint=nearest(name, KINDS))
    return KINDS[name]


def validate(kind_name: str, dataset: xr.Dataset | None, files: Iterable[str], where: str) -> None:
    """Check a stage's output against its kind; raises :class:`InvalidEntry`."""
    kind = kind_named(kind_name, where)
    found = set(files)
    if kind.files and not any(found.issuperset(names) for names in kind.files):
        raise InvalidEntry(
            f"kind {kind.name!r} lacks files",
            where=where,
            expected=", or ".join(" and ".join(names) for names in kind.files),
            found=", ".join(sorted(found)),
        )
    if not kind.variables:
        return
    if dataset is None:
        raise InvalidEntry(f"kind {kind.name!r} needs arrays and got none", where=where)
    for name, variable in kind.variables.items():
        if name not in dataset.variables:
            if variable.required:
                raise InvalidEntry(
                    f"kind {kind.name!r} needs the variable {name!r}",
                    where=where,
                    found=", ".join(map(str, dataset.variables)),
                )
            continue
        _check_variable(dataset[name], variable, where)
    absent = [name for name in kind.attributes if name not in dataset.attrs]
    if absent:
        raise InvalidEntry(f"kind {kind.name!r} needs the attributes {absent}", where=where)
    if kind.on_grid is not None:
        _check_grid(dataset[kind.on_grid].shape, dataset.attrs, where)


def _check_grid(shape: tuple[int, ...], attributes: Mapping[str, Any], where: str) -> None:
    if ATTRIBUTE not in attributes:
        return
    try:
        Grid.from_attributes(shape, attributes)
    except (ImpossibleGeometry, ValueError) as error:
        raise InvalidEntry(
            f"{ATTRIBUTE} of the entry places no array", where=where, found=str(error)
        ) from error


def _check_variable(array: xr.DataArray, variable: Variable, where: str) -> None:
    wanted_dims = variable.dims
    if wanted_dims and wanted_dims[0].endswith("?"):
        shorter = len(array.dims) == len(wanted_dims) - 1
        wanted_dims = wanted_dims[1:] if shorter else (wanted_dims[0][:-1], *wanted_dims[1:])
    fits = len(array.dims) == len(wanted_dims) and all(
        _dim_fits(str(found), wanted) for found, wanted in zip(array.dims, wanted_dims, strict=True)
    )
    if not fits:
        raise InvalidEntry(
            f"variable {array.name!r} has the wrong dims",
            where=where,
            expected=str(variable.dims),
            found=str(array.dims),
        )
    if array.dtype.kind not in _DTYPES[variable.dtype]:
        raise InvalidEntry(
            f"variable {array.name!r} has the wrong dtype",
            where=where,
            expected=variable.dtype,
            found=str(array.dtype),
        )


def _dim_fits(found: str, wanted: str) -> bool:
    return found.endswith(wanted[1:]) if wanted.startswith("*") else found == wanted
