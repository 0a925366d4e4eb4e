"""Quality control of images: three planes with contours, spacing, orientation, intensities."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cohortflow.report.blocks import Block, Column, Figure, Heading, Note, Section, Table, Text
from cohortflow.report.identifiers import slug
from cohortflow.report.outliers import LEAST_SUBJECTS, Deviation, deviations
from cohortflow.report.source import ReportSource, ReportUnit, done, place, steps_of_stage

if TYPE_CHECKING:
    import xarray as xr

MOST_PICTURES = 24
OUTLYING = 3.5
"""Robust standard deviations from which a subject is called an outlier (Iglewicz and Hoaglin)."""
_CONTOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
"""Okabe and Ito 2008: told apart by the colour-blind."""
_GAP = 10
_HEIGHT = 230
_LETTERS_FIT = 30


def quality(source: ReportSource) -> Section:
    """Tables of every image and pictures of the strangest, outliers first."""
    blocks: list[Block] = [_intake(source)]
    steps = steps_of_stage(source, "preview")
    if not steps:
        blocks.append(Note("No pictures: the pipeline has no step of stage preview.", "absent"))
    for step in steps:
        units = done(source.units(step=step["id"]))
        if len(steps) > 1:
            blocks.append(Heading(str(step["id"])))
        if not units:
            blocks.append(Note(f"Step {step['id']} has no finished unit.", "absent"))
            continue
        blocks += _of_step(source, step, units)
    return Section("quality", "Quality control", blocks)


def _intake(source: ReportSource) -> Table:
    """Distinct geometries of what was ingested, the rarest first."""
    counts: Counter[tuple[Any, ...]] = Counter()
    examples: dict[tuple[Any, ...], str] = {}
    for row in source.ingested:
        facts = row["facts"]
        if "space" not in facts:
            continue
        key = (
            row["entry"],
            facts.get("modality", ""),
            facts.get("orientation", "index space"),
            _times(f"{step:g}" for step in facts.get("spacing_mm", ())),
            facts["dtype"],
        )
        counts[key] += 1
        examples.setdefault(key, row["subject"])
    rows = [
        dict(zip(("entry", "modality", "orientation", "spacing", "dtype"), key, strict=True))
        | {"n": count, "example": examples[key]}
        for key, count in sorted(counts.items(), key=lambda item: (item[1], item[0]))
    ]
    columns = [
        Column("entry", "Entry"),
        Column("modality", "Modality"),
        Column("orientation", "Orientation"),
        Column("spacing", "Spacing", unit="mm, z × y × x"),
        Column("dtype", "Voxels"),
        Column("n", "Images", "integer"),
        Column("example", "Such as"),
    ]
    caption = "Geometries of the recordings as they came, the rarest first"
    return Table("geometries", caption, columns, rows)


def _of_step(
    source: ReportSource, step: Mapping[str, Any], units: Sequence[ReportUnit]
) -> list[Block]:
    facts = {_name(unit): dict(unit.facts) for unit in units}
    found = deviations({name: _numbers(one) for name, one in facts.items()})
    nobody = Deviation(0.0, "")
    ordered = sorted(units, key=lambda u: (-found.get(_name(u), nobody).score, _name(u)))
    rows = [_row(_name(unit), facts[_name(unit)], found.get(_name(unit))) for unit in ordered]
    table = _table(str(step["id"]), rows, judged=bool(found))
    blocks: list[Block] = [_said(len(units), found), table]
    for unit in ordered[:MOST_PICTURES]:
        entry = source.entry(unit)
        blocks.append(_figure(str(step["id"]), unit, entry.dataset, found.get(_name(unit))))
    if len(ordered) > MOST_PICTURES:
        rest = len(ordered) - MOST_PICTURES
        blocks.append(Note(f"{rest} more images are in the table and not drawn."))
    return blocks


def _name(unit: ReportUnit) -> str:
    where = place(unit.point)
    return f"{unit.subject} {where}".strip()


def _numbers(facts: Mapping[str, Any]) -> dict[str, float]:
    numbers = {
        name: float(facts[key])
        for name, key in (
            ("mean", "mean"), ("standard deviation", "sd"), ("1st percentile", "p01"),
            ("median", "median"), ("99th percentile", "p99"),
        )
        if key in facts
    }  # fmt: skip
    for axis, extent in zip("zyx", facts.get("extent_mm", ()), strict=False):
        numbers[f"extent along {axis} (mm)"] = float(extent)
    for value, volume in facts.get("labels", {}).items():
        numbers[f"label {value}"] = float(volume)
    return numbers


def _said(count: int, found: Mapping[str, Deviation]) -> Block:
    if not found:
        return Note(
            f"Outliers are not sought among {count} images: it takes at least {LEAST_SUBJECTS}."
        )
    out = sum(deviation.score > OUTLYING for deviation in found.values())
    return Text(
        f"{out} of {count} images stand more than {OUTLYING} robust standard deviations from the "
        "median in intensities, extent or a label's volume. They come first."
    )


def _row(name: str, facts: Mapping[str, Any], deviation: Deviation | None) -> dict[str, Any]:
    labels = facts.get("labels")
    return {
        "subject": name,
        "score": None if deviation is None else deviation.score,
        "reason": "" if deviation is None else deviation.reason,
        "orientation": facts.get("orientation", "index space"),
        "spacing": _times(f"{step:g}" for step in facts.get("spacing_mm", ())),
        "size": _times(map(str, facts.get("shape", ()))),
        **{key: facts.get(key) for key in ("p01", "median", "p99", "mean", "sd")},
        "labels": None if labels is None else len(labels),
        "labelled": None if labels is None else sum(labels.values()),
    }


def _times(numbers: Iterable[str]) -> str:
    # Narrow spaces that no line breaks at.
    return "\u202f×\u202f".join(numbers)


def _table(step: str, rows: Sequence[Mapping[str, Any]], judged: bool) -> Table:
    judgement = [
        Column("score", "Distance", "number", "robust SD", "largest of all numbers"),
        Column("reason", "Of"),
    ]
    columns = [
        Column("subject", "Subject"),
        *(judgement if judged else ()),
        Column("orientation", "Orientation"),
        Column("spacing", "Spacing", unit="mm, z × y × x"),
        Column("size", "Size", unit="voxels, z × y × x"),
        Column("p01", "1st pct.", "number"),
        Column("median", "Median", "number"),
        Column("p99", "99th pct.", "number"),
        Column("mean", "Mean", "number"),
        Column("sd", "SD", "number"),
        Column("labels", "Labels", "integer"),
        Column("labelled", "Labelled", "number", "ml"),
    ]
    return Table(f"images_{slug(step)}", f"Images of step {step}, outliers first", columns, rows)


def _figure(
    step: str, unit: ReportUnit, dataset: xr.Dataset, deviation: Deviation | None
) -> Figure:
    name = _name(unit)
    drawn = f"quality-{slug(step)}-{slug(name)}"
    caption = f"{name}: axial, coronal and sagittal; the patient's left is on the right."
    if not dataset["axial"].attrs.get("sides"):
        caption = f"{name}: three planes along the axes of the array, which are in index space."
    if deviation is not None and deviation.score > OUTLYING:
        caption += f" {deviation.score:.1f} robust SD: {deviation.reason}."
    labels = sorted(
        {int(v) for plane in _planes(dataset) for v in np.unique(_label(dataset, plane)) if v}
    )
    if labels:
        caption += f" Contours: {len(labels)} labels."
    alt = f"Three planes of {name}"
    return Figure(drawn, planes_svg(dataset, alt), alt, caption, {"labels": labels}, wide=True)


def _planes(dataset: xr.Dataset) -> list[str]:
    return [name for name in ("axial", "coronal", "sagittal") if name in dataset]


def _label(dataset: xr.Dataset, plane: str) -> npt.NDArray[Any]:
    name = f"{plane}_label"
    return dataset[name].values if name in dataset else np.zeros((1, 1), np.uint8)


def planes_svg(dataset: xr.Dataset, alt: str) -> str:
    """The planes side by side at one scale, pixels as wide as they are in the patient."""
    scale = _HEIGHT / max(_size_mm(dataset, plane)[0] for plane in _planes(dataset))
    parts, left = [], 0.0
    for plane in _planes(dataset):
        height, width = (scale * size for size in _size_mm(dataset, plane))
        parts.append(_panel(dataset, plane, left, width, height))
        left += width + _GAP
    total = left - _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:.1f} {_HEIGHT}" '
        f'width="{total:.0f}" height="{_HEIGHT}" role="img" aria-label="{_escaped(alt)}">'
        + "".join(parts)
        + "</svg>"
    )


def _size_mm(dataset: xr.Dataset, plane: str) -> tuple[float, float]:
    rows, columns = dataset[plane].shape
    row_mm, column_mm = dataset[plane].attrs["pixel_mm"]
    return rows * row_mm, columns * column_mm


def _panel(dataset: xr.Dataset, plane: str, left: float, width: float, height: float) -> str:
    pixels = dataset[plane].values
    rows, columns = pixels.shape
    top = (_HEIGHT - height) / 2
    inside = (
        f'<image href="{_png(pixels)}" width="{columns}" height="{rows}" '
        'preserveAspectRatio="none"/>' + _contours(_label(dataset, plane), pixels.shape)
    )
    drawn = (
        f'<g transform="translate({left:.2f} {top:.2f}) '
        f'scale({width / columns:.4f} {height / rows:.4f})">{inside}</g>'
    )
    sides = dataset[plane].attrs.get("sides") or ""
    places: tuple[tuple[float, float], ...] = (
        (left + width / 2, top + 11), (left + width - 7, top + height / 2),
        (left + width / 2, top + height - 4), (left + 7, top + height / 2),
    )  # fmt: skip
    if height < _LETTERS_FIT:  # of a thin slab the upper letter would stand on the lower
        places, sides = places[1::2], sides[1::2]
    letters = "".join(
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="9" fill="#fff" '
        f'stroke="#000" stroke-width="1.6" paint-order="stroke">{side}</text>'
        for side, (x, y) in zip(sides, places, strict=False)
    )
    return drawn + letters


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(target, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode()


def _contours(label: npt.NDArray[Any], shape: tuple[int, ...]) -> str:
    """The outline of every label, in pixels of the picture."""
    if label.shape != shape:
        return ""
    from contourpy import contour_generator

    paths = []
    for value in np.unique(label):
        if value == 0:
            continue
        inside = np.pad((label == value).astype(np.float32), 1)
        lines = contour_generator(z=inside).lines(0.5)
        drawn = "".join(
            "M" + "L".join(f"{x - 0.5:.1f} {y - 0.5:.1f}" for x, y in np.asarray(line))
            for line in lines
        )
        colour = _CONTOURS[(int(value) - 1) % len(_CONTOURS)]
        paths.append(
            f'<path d="{drawn}" fill="none" stroke="{colour}" stroke-width="1.3" '
            'vector-effect="non-scaling-stroke"/>'
        )
    return "".join(paths)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
