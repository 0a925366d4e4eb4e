"""Quality control of images: three planes with contours, spacing, orientation, intensities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.report.blocks import Block, Column, Figure, Heading, Note, Section, Table, Text
from cohortflow.report.identifiers import slug
from cohortflow.report.outliers import LEAST_SUBJECTS, OUTLYING, Deviation, deviations
from cohortflow.report.plane_figure import labels_shown, planes_svg
from cohortflow.report.source import ReportSource, ReportUnit, done, place, steps_of_stage
from cohortflow.report.subjects.numbers import preview_numbers

if TYPE_CHECKING:
    import xarray as xr

MOST_PICTURES = 24


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
    return {
        f"{name} ({unit})" if unit == "mm" else name: value
        for name, value, unit in preview_numbers(facts)
    }


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
    labels = labels_shown(dataset)
    if labels:
        caption += f" Contours: {len(labels)} labels."
    alt = f"Three planes of {name}"
    return Figure(drawn, planes_svg(dataset, alt), alt, caption, {"labels": labels}, wide=True)
