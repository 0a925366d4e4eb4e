"""Segmentation: metrics by label with denominators, spread, volumes, worst cases, variants."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cohortflow.errors import UnknownName
from cohortflow.evaluation.definitions import definition
from cohortflow.evaluation.segmentation.empties import worst_value
from cohortflow.evaluation.segmentation.metrics import parse_metric
from cohortflow.evaluation.segmentation.seeds import over_seeds
from cohortflow.report.blocks import (
    Block,
    Column,
    Heading,
    Highlight,
    Note,
    Section,
    Table,
    Text,
    not_run,
)
from cohortflow.report.formats import cell, number
from cohortflow.report.highlights import MOST, Result, highlights, lost, middle
from cohortflow.report.identifiers import slug
from cohortflow.report.sections.segmentation_compared import compared
from cohortflow.report.sections.segmentation_plots import distributions, volumes
from cohortflow.report.sections.segmentation_pooled import pooled
from cohortflow.report.segmentation_seeds import Seeds, lost_points, seeds_of, without_seeds
from cohortflow.report.segmentations import STAGE, Distribution, Variant, case_means, variants
from cohortflow.report.source import ReportSource

TITLE = "Segmentation"
MOST_DRAWN = 2
MOST_NAMED = 12
MOST_OPEN = 60
ABOUT = (
    "A case that was missed (in the reference, not in the prediction), invented (the other way "
    "round) or failed (no prediction, or no scores) counts as the worst that its metric can be, "
    "and shows in the column Missing; a label in neither map is left out, and counted. n is the "
    "denominator: the cases that count, lost ones among them."
)

ABOUT_INFINITE = (
    "Infinite: of a case without scores nobody knows the image, so nothing bounds how far its "
    "surface is off; where the image is known, a lost case counts as its diagonal. Median and "
    "quartiles are of all n, infinite ones at the upper end; there is no mean of the measured "
    "cases alone."
)


ABOUT_SEEDS = (
    "Seeds of a variant are the same cases again and its folds are parts of them, so they are no "
    "variants: of each the first finished seed, folds joined, is compared. How the numbers vary "
    "over seeds and folds, the section benchmark says."
)


def segmentation(source: ReportSource) -> Section:
    """Every variant: table, plots, volumes, worst cases; then the variants against each other."""
    found = variants(source)
    if not found:
        return not_run("segmentation", TITLE, f"no step of stage {STAGE} has a finished unit.")
    seeds = [one for one in seeds_of(source) if not all(own.failed for own in one.found)]
    apart = without_seeds(source, seeds)
    blocks: list[Block] = [Text(ABOUT)]
    if len(apart) < len(found):
        blocks.append(Note(ABOUT_SEEDS))
    if len(apart) > 1:
        blocks += compared(apart)
    links = _links(source)
    for place, one in enumerate(found):
        stem = f"seg{place}_{slug(one.name)}"
        if len(found) > 1:
            blocks.append(Heading(one.name))
        blocks += [*_failed(one), *_unseen(one), _table(one, stem), *pooled(one, stem)]
        if place < MOST_DRAWN:
            blocks += [*distributions(one, stem), *volumes(one, stem)]
        blocks.append(_worst(one, stem, links))
    if len(found) > MOST_DRAWN:
        blocks.append(Note(f"{len(found) - MOST_DRAWN} more variants are in tables, not drawn."))
    opening = _highlights(apart, seeds, lost_points(source, seeds))
    return Section("segmentation", TITLE, blocks, opening)


def _highlights(
    apart: Sequence[Variant], seeds: Sequence[Seeds], failed: Sequence[str]
) -> list[Highlight]:
    """The first metric of every variant, by label; of many variants, how they lie."""
    pairs = zip(apart, seeds, strict=True)
    told = [(one, results) for one, own in pairs if (results := _results(one, own))]
    if not told:
        return []
    metric = " and ".join(dict.fromkeys(one.metrics[0] for one, _ in told))
    worst = worst_value(parse_metric(told[0][0].metrics[0]), math.inf)
    gone = [lost(name, worst) for name in failed]
    count = len(told) + len(gone)
    if count <= MOST:
        own = [made for one, results in told for made in _by_label(one, results, count > 1)]
        return own + highlights(metric, gone, number, "variants")
    medians = [
        Result(
            one.name,
            middle(results),
            "",
            "",
            max(each.n for each in results),
            max(each.missing for each in results),
        )
        for one, results in told
    ]
    return highlights(f"{metric}, median label", medians + gone, number, "variants")


def _by_label(one: Variant, results: Sequence[Result], several: bool) -> list[Highlight]:
    """Labels of failed cases only count too: a failed case would else take its bad ones along."""
    metric = f"{one.metrics[0]} {one.name}" if several else one.metrics[0]
    made = highlights(metric, results, number, "labels")
    seen = [each for each in results if each.name in one.seen]
    if len(results) <= MOST or len(seen) in (0, len(results)):
        return made
    aside = f"{number(middle(seen))} is the median of the {len(seen)} that a scored case has"
    return [replace(each, detail=f"{each.detail}; {aside}") for each in made]


def _results(one: Variant, seeds: Seeds) -> list[Result]:
    """Labels whose value is one: the mean over seeds."""
    metric = one.metrics[0]
    first = "interval" if len(seeds.found) == 1 else "interval of the first seed"
    results = []
    for row in (_row(one, record) for record in _records(one)):
        pool = over_seeds(_of_seeds(seeds, row["name"], metric, "value"), seeds.asked)
        if row["metric"] != metric or math.isnan(pool.mean):
            continue
        sd = "" if math.isnan(pool.sd) else f" ± {number(pool.sd)}"
        some = f" ({pool.n} of {seeds.asked} seeds)" if pool.n < seeds.asked else ""
        interval = f"{first} {cell(row['interval'], 'ends3')}"
        results.append(
            Result(
                row["name"],
                pool.mean,
                f"{number(pool.mean)}{sd} {row['unit']}{some}".strip(),
                row["why"] if math.isinf(pool.mean) else interval,
                row["n"],
                int(np.nanmax(_of_seeds(seeds, row["name"], metric, "missing"))),
            )
        )
    return results


def _of_seeds(seeds: Seeds, name: str, metric: str, column: str) -> list[float]:
    """A number of each seed; NaN where its summary has no such row."""
    rows = (one.summary for one in seeds.found)
    found = (one.loc[(one["name"] == name) & (one["metric"] == metric), column] for one in rows)
    return [float(one.iloc[0]) if len(one) else math.nan for one in found]


def _links(source: ReportSource) -> dict[str, str]:
    """Subject → its page beside this one, where pages are asked for."""
    book = source.subjects if "subjects" in (source.pipeline.get("report") or ()) else None
    return {} if book is None else {row.subject: f"../subjects/{row.address}" for row in book.rows}


def _failed(one: Variant) -> list[Block]:
    if not one.failed:
        return []
    named = ", ".join(one.failed[:MOST_NAMED]) + (" …" if len(one.failed) > MOST_NAMED else "")
    text = (
        f"{len(one.failed)} of {len(one.subjects)} cases failed and count as the worst in every "
        f"label: {named}."
    )
    return [Note(text, "warning")]


def _unseen(one: Variant) -> list[Block]:
    """Labels that no scored case has: a published list of labels names more than an image holds."""
    unseen = set(map(str, one.summary["name"])) - set(one.seen)
    if not unseen:
        return []
    failed = f"; of them only the {len(one.failed)} failed cases count" if one.failed else ""
    text = (
        f"{len(unseen)} labels are in no scored case{failed}. They stand last in the table and in "
        "no plot."
    )
    return [Note(text)]


def _table(one: Variant, stem: str) -> Table:
    seen, per = set(one.seen), "slice" if "slice" in one.cases else "case"
    rows = sorted(
        (_row(one, row) for row in _records(one)), key=lambda row: row["name"] not in seen
    )
    columns = (
        Column("name", "Label"),
        Column("metric", "Metric", "code"),
        Column("value", "Value", "number"),
        Column("unit", "Unit"),
        *([Column("why", "Remark", "prose")] if any(row["why"] for row in rows) else []),
        Column("interval", "Interval", "ends3"),
        Column("median", "Median", "number", "of the n"),
        Column("quartiles", "Quartiles", "ends3", "of the n"),
        Column("n", "n", "integer", f"{per}s that count"),
        Column("measured", "Measured", "integer", "of n"),
        Column("missing", "Missing", "integer", "of n, at the worst"),
        Column("left_out", "Left out", "integer", "not in n"),
        Column("cases", f"{per.capitalize()}s", "integer", "in all"),
        Column("policy", "Policy"),
    )
    statistics = ", ".join(dict.fromkeys(map(str, one.summary["statistic"])))
    caption = (
        f"{statistics.capitalize()} over {per}s by label and metric, of {len(one.subjects)} cases"
    )
    long = len(rows) > MOST_OPEN
    notes = _definitions(one)
    if any(row["value"] == math.inf for row in rows):
        notes.insert(0, ABOUT_INFINITE)
    return Table(f"{stem}_metrics", caption, columns, rows, shown=500, folded=long, notes=notes)


def _row(one: Variant, row: dict[Any, Any]) -> dict[str, Any]:
    low, high = float(row["low"]), float(row["high"])
    bounded = np.isfinite(low) and np.isfinite(high)
    value = float(row["value"])
    spread = one.distributions.get((int(row["label"]), str(row["metric"])))
    known = spread is not None and spread.n == int(row["n"])
    return {
        "name": str(row["name"]),
        "metric": str(row["metric"]),
        "value": value,
        "unit": "" if row["unit"] == "1" else str(row["unit"]),
        "interval": [low, high] if bounded else None,
        **{name: int(row[name]) for name in ("n", "missing", "left_out", "cases")},
        "median": spread.median if spread and known else None,
        "quartiles": [spread.low, spread.high] if spread and known and spread.n else None,
        "measured": spread.measured if spread and known else None,
        "policy": str(row["policy"]),
        "why": _infinite(one.infinite(int(row["label"]), str(row["metric"])), str(row["metric"]))
        or str(row["reason"] or ""),
    }


def _infinite(spread: Distribution | None, metric: str) -> str:
    """What makes a mean infinite, and a median where there are many; empty where nothing does."""
    if spread is None:
        return ""
    what = "surface" if parse_metric(metric).unit == "distance" else "value"
    counts = f"{spread.infinite} of {spread.n} cases have no {what}; {spread.measured} are measured"
    return f"infinite: {counts}"


def _definitions(one: Variant) -> list[str]:
    """Each metric in words, and how the intervals were made."""
    notes = []
    for metric in one.metrics:
        try:
            meant = definition(metric, task="segmentation")
        except UnknownName:
            continue
        notes.append(f"{metric}: {meant.about}; {meant.better} is better.")
    told = [(str(row["interval"]), bool(np.isfinite(row["low"]))) for row in _records(one)]
    made = dict.fromkeys(text for text, bounded in told if bounded)
    none = Counter(text for text, bounded in told if not bounded and text)
    if made:
        some = "; ".join(list(made)[:3]) + (" …" if len(made) > 3 else "")
        notes.append(f"Intervals: {some}.")
    notes += [
        f"No interval in {count} rows: {_without_none(text)}." for text, count in none.items()
    ]
    return notes


def _records(one: Variant) -> list[dict[Any, Any]]:
    return list(one.summary.to_dict("records"))


def _without_none(text: str) -> str:
    return text.removeprefix("none: ")


def _worst(one: Variant, stem: str, links: dict[str, str]) -> Table:
    """Subjects by the mean over labels of the first metric."""
    metric = one.metrics[0]
    rows = one.of(metric)
    means = case_means(rows).dropna()
    higher = parse_metric(metric).better == "higher"
    order = means.sort_values(ascending=higher, kind="stable")
    known = rows[rows["counted"].notna() & rows["subject"].isin(order.index[:200])]
    groups = dict(iter(known.groupby("subject")))
    found = [
        _worst_row(str(subject), float(mean), groups[subject], higher, links)
        for subject, mean in order.iloc[:200].items()
    ]
    columns = (
        Column("subject", "Subject", "code", link="page"),
        Column("mean", f"Mean {metric}", "number", "over its labels"),
        Column("labels", "Labels", "integer", "that count"),
        Column("lost", "Lost", "integer", "of them"),
        Column("label", "Worst label"),
        Column("value", metric, "number", "of that label"),
        Column("state", "State"),
    )
    caption = (
        f"Worst cases first, by the mean of {metric} over labels: {len(found)} of {len(means)} "
        f"cases with a value, {len(one.subjects)} in all"
    )
    return Table(f"{stem}_worst", caption, columns, found, shown=20)


def _worst_row(
    subject: str, mean: float, rows: Any, higher: bool, links: dict[str, str]
) -> dict[str, Any]:
    values = rows["counted"].to_numpy(float)
    at = int(np.argmin(values) if higher else np.argmax(values))
    row = rows.iloc[at]
    return {
        "subject": subject,
        "page": links.get(subject, ""),
        "mean": mean,
        "labels": len(rows),
        "lost": int(rows["lost"].sum()),
        "label": str(row["name"]),
        "value": float(values[at]),
        "state": str(row["state"]),
    }
