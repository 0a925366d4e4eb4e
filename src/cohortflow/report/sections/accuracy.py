"""Accuracies: pooled over folds, mean ± sd over seeds, beside a baseline and a control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.report.blocks import Block, Column, Note, Section, Table, Text, not_run
from cohortflow.report.cells import Blank, Cell, cells, without_number
from cohortflow.report.formats import interval, mean_sd, share
from cohortflow.report.highlights import Result, highlights, lost
from cohortflow.report.sections.accuracy_figure import accuracy_figure
from cohortflow.report.sections.accuracy_optimistic import N_NOTE, WHY, Twins, optimistic_of
from cohortflow.report.source import ReportSource

MOST_FIGURES = 6
MOST_LINES = 60
AXES = ("comparison", "network", "degree", "variant")


def accuracy(source: ReportSource) -> Section:
    """Comparison × network × degree, n and denominator with every share."""
    found = cells(source)
    title = "Accuracy"
    if not found:
        return not_run("accuracy", title, "no score step has a finished unit.")
    blocks: list[Block] = [
        Text(
            "Cases of all folds are joined within a seed, so every subject counts once per seed. "
            "The mean and standard deviation run over seeds; the interval is the exact binomial "
            "(Clopper–Pearson) 95 % interval of the first seed's joined cases, because cases of "
            "different seeds are the same subjects and may not be counted twice."
        )
    ]
    partial = [cell for cell in found if cell.units_done < cell.units]
    if partial:
        text = (
            f"{len(partial)} of {len(found)} cells miss folds or seeds that did not finish. The "
            "cases of a lost fold count as wrong, and so do all of a lost seed; a seed of which "
            "nothing was tried, or with a fold that no seed finished, has no number and shows in "
            "the column Seeds."
        )
        blocks.append(Note(text, "warning"))
    absent = without_number(source, found)
    if absent:
        blocks.append(Note(f"No number: {'; '.join(map(str, absent))}.", "warning"))
    blocks += _uncounted(found)
    own = [cell for cell in found if not cell.control]
    pairs = [(cell, control_of(cell, found)) for cell in own] or [(cell, None) for cell in found]
    rows = [row(cell, control) for cell, control in pairs]
    blocks += _figures(pairs)
    columns = without_empty(COLUMNS, rows)
    compared = any(control for _, control in pairs)
    columns = [column for column in columns if compared or column.name != "control"]
    notes = [CONTROL_NOTE] if compared else ["No control on correlation matrices was run."]
    blocks.append(Table("accuracy", _caption(found), columns, rows, notes=notes))
    blocks += _optimistic(found, optimistic_of(source, found))
    further = "Beyond the paper: other metrics of the same joined cases, in percent"
    columns = without_empty(FURTHER, rows)
    blocks.append(Table("metrics", further, columns, rows, notes=[_positives(found)]))
    blocks.append(_per_seed(found))
    results = [*_results(own), *(lost(_at(one.point), 0.0) for one in absent if _counts(one))]
    return Section("accuracy", title, blocks, highlights("Accuracy", results, share, "cells"))


def _results(own: Sequence[Cell]) -> list[Result]:
    return [
        Result(
            _at(one.point),
            mean,
            mean_sd(found),
            f"95 % interval of the first seed {interval(one.seeds[0].interval)}",
            one.seeds[0].n,
            max(scores.missing for scores in one.seeds),
        )
        for one in own
        if (found := one.mean_sd("accuracy")) and (mean := found["mean"]) is not None
    ]


def _at(point: Mapping[str, Any]) -> str:
    return " ".join(str(label(axis, point[axis])) for axis in AXES if axis in point)


def _counts(one: Blank) -> bool:
    return one.failed and not one.control


def _optimistic(found: Sequence[Cell], twins: Twins) -> list[Block]:
    """Beside the headline and never in its place; nothing where no step monitors."""
    rows = [
        {
            **{axis: label(axis, cell.point.get(axis)) for axis in AXES},
            "accuracy": cell.mean_sd("accuracy"),
            "optimistic": twin.value,
            "epochs": [str(seed.epoch) for seed in twin.seeds],
            "tried": len(twin.seeds[0].correct),
            "hits": [twin.seeds[0].best, twin.seeds[0].n],
            "seeds": [len(twin.seeds), twin.asked],
        }
        for position, cell in enumerate(found)
        if (twin := twins.of.get(position)) is not None
    ]
    blocks: list[Block] = []
    if rows:
        caption = "Optimistic: accuracy in percent at the best epoch beside that of the last"
        columns = without_empty(OPTIMISTIC, rows)
        blocks += [Text(WHY), Table("optimistic", caption, columns, rows, notes=[N_NOTE])]
    if twins.lonely:
        hint = "Give both steps the same parameters, and renew their selections together."
        text = f"No optimistic value: {'; '.join(twins.lonely)}."
        blocks.append(Note(text, "absent", hint=hint))
    return blocks


POINT = (
    Column("comparison", "Comparison"),
    Column("network", "Network"),
    Column("degree", "Degree"),
    Column("variant", "Variant"),
)

COLUMNS = (
    *POINT,
    Column("accuracy", "Accuracy", "mean_sd", "mean ± sd"),
    Column("seeds", "Seeds", "fraction", "of asked"),
    Column("hits", "Correct", "fraction", "of n, first seed"),
    Column("interval", "95 % interval", "interval", "first seed"),
    Column("majority", "Majority", "share", "baseline"),
    Column("control", "Correlation", "mean_sd", "control"),
    Column("units", "Units", "fraction", "of folds × seeds"),
)

OPTIMISTIC = (
    *POINT,
    Column("accuracy", "Last epoch", "mean_sd", "mean ± sd"),
    Column("optimistic", "Optimistic", "mean_sd", "mean ± sd"),
    Column("epochs", "Best epoch", "names", "by seed"),
    Column("tried", "Chosen among", "integer", "epochs"),
    Column("hits", "Correct", "fraction", "of n, first seed"),
    Column("seeds", "Seeds", "fraction", "of asked"),
)

FURTHER = (
    *POINT,
    Column("n", "n", "integer", "subjects"),
    Column("balanced_accuracy", "Balanced accuracy", "mean_sd", "mean ± sd, seeds"),
    Column("sensitivity", "Sensitivity", "mean_sd", "mean ± sd, seeds"),
    Column("specificity", "Specificity", "mean_sd", "mean ± sd, seeds"),
    Column("auc", "AUC", "mean_sd", "mean ± sd, seeds"),
)

CONTROL_NOTE = (
    "Correlation: the same classifier on the Pearson correlation matrices of the same subjects."
)


def row(cell: Cell, control: Cell | None) -> dict[str, Any]:
    first = cell.seeds[0]
    return {
        **{axis: label(axis, cell.point.get(axis)) for axis in AXES},
        "accuracy": cell.mean_sd("accuracy"),
        "seeds": [len(cell.seeds), cell.seeds_asked],
        "n": first.n,
        "hits": [first.hits, first.n],
        "interval": list(first.interval),
        "majority": cell.majority,
        "control": control.mean_sd("accuracy") if control else None,
        **{m: cell.mean_sd(m) for m in ("balanced_accuracy", "sensitivity", "specificity", "auc")},
        "units": [cell.units_done, cell.units],
    }


def _figures(pairs: Sequence[tuple[Cell, Cell | None]]) -> list[Block]:
    groups: dict[Any, list[tuple[Cell, Cell | None]]] = {}
    for cell, control in pairs:
        groups.setdefault(cell.point.get("comparison"), []).append((cell, control))
    drawn = [(name, found) for name, found in groups.items() if len(found) <= MOST_LINES]
    blocks: list[Block] = [accuracy_figure(*group) for group in drawn[:MOST_FIGURES]]
    if len(blocks) < len(groups):
        blocks.append(
            Note(f"{len(groups) - len(blocks)} comparisons are not drawn, see the table.")
        )
    return blocks


def _positives(found: Sequence[Cell]) -> str:
    named = {
        str(cell.point.get("comparison") or "all"): (
            cell.positive,
            " and ".join(name for name in cell.classes if name != cell.positive),
        )
        for cell in found
    }
    each = "; ".join(f"{where}: {yes} and {no}" for where, (yes, no) in named.items())
    return f"Classes that sensitivity and specificity speak of: {each}."


def _uncounted(found: Sequence[Cell]) -> list[Block]:
    """Cases that count as wrong without a prediction, that are left out, that came again."""
    missing = max(scores.missing for cell in found for scores in cell.seeds)
    newcomers = sorted(
        {name for cell in found for scores in cell.seeds for name in scores.newcomers}
    )
    blocks: list[Block] = []
    if missing:
        text = f"Up to {missing} cases per seed have no prediction; they count as wrong."
        blocks.append(Note(text, "warning"))
    if newcomers:
        text = (
            "Scored by several folds, because none had seen them, and kept apart from every "
            f"number here: {', '.join(newcomers)}."
        )
        blocks.append(Note(text))
    return blocks


def without_empty(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Columns of axes that no row has say nothing and are dropped."""
    return [
        c for c in columns if c.name not in AXES or any(row[c.name] is not None for row in rows)
    ]


def label(axis: str, value: Any) -> Any:
    return f"H{value}" if axis == "degree" and value is not None else value


def control_of(cell: Cell, found: Sequence[Cell]) -> Cell | None:
    """The correlation cell that shares every axis it has with this one."""
    for other in found:
        if other.control and _agrees(other.point, cell.point):
            return other
    return None


def _agrees(narrow: Mapping[str, Any], wide: Mapping[str, Any]) -> bool:
    return all(wide.get(axis, value) == value for axis, value in narrow.items())


def _caption(found: Sequence[Cell]) -> str:
    classes = found[0].classes
    sizes = ", ".join(f"{name} {n}" for name, n in classes.items())
    return f"Accuracy in percent (n = {sum(classes.values())} in the first row: {sizes})"


def _per_seed(found: Sequence[Cell]) -> Table:
    rows = [
        {
            "step": cell.step,
            **{axis: label(axis, cell.point.get(axis)) for axis in AXES},
            "seed": scores.seed,
            "hits": [scores.hits, scores.n],
            **dict(scores.metrics),
        }
        for cell in found
        for scores in cell.seeds
    ]
    columns = (
        Column("step", "Step", "code"),
        *POINT,
        Column("seed", "Seed"),
        Column("hits", "Correct", "fraction", "of n"),
        Column("accuracy", "Accuracy", "share"),
        Column("balanced_accuracy", "Balanced", "share"),
        Column("sensitivity", "Sensitivity", "share"),
        Column("specificity", "Specificity", "share"),
        Column("auc", "AUC", "share"),
    )
    return Table("accuracy_per_seed", "Every seed, folds joined", columns, rows, folded=True)
