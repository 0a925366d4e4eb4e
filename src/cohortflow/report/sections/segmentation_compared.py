"""Variants against each other on the same cases: tests, effect sizes, ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cohortflow.evaluation.segmentation.empties import worst_value
from cohortflow.evaluation.segmentation.metrics import parse_metric
from cohortflow.evaluation.statistics import (
    Comparison,
    adjusted_p_values,
    compare_systems,
    ranking_stability,
)
from cohortflow.report.blocks import Block, Column, Heading, Note, Table, Text
from cohortflow.report.plots.ranking import ranking_plot
from cohortflow.report.segmentations import Variant, best_of, pivot

MOST_METRICS = 2
MOST_VARIANTS = 6
SEED = 0
RESAMPLES = 1999
ABOUT = (
    "Each case has one value a variant: the mean over its labels of what counts. A label that one "
    "variant left out, because it is in neither map, and another invented counts as the best for "
    "the first. Signed-rank tests are two-sided; p-values are adjusted by Holm over every test of "
    "this table. Negative effect sizes are in favour of the second where higher is better."
)


def compared(found: Sequence[Variant]) -> list[Block]:
    """Every pair of at most six variants by the metrics that all have."""
    shown = list(found)[:MOST_VARIANTS]
    common = [m for m in shown[0].metrics if all(m in one.metrics for one in shown)]
    blocks: list[Block] = [Heading("Variants compared"), Text(ABOUT)]
    if len(found) > MOST_VARIANTS:
        text = f"The first {MOST_VARIANTS} of {len(found)} variants are compared."
        blocks.append(Note(text, "warning"))
    patients = {case: group for one in shown for case, group in one.groups.items()}
    if patients:
        text = (
            "Cases of one group, such as a patient, are no independent ones: tests and effect sizes"
        )
        blocks.append(Note(f"{text} are of the mean of each group, n of them."))
    rows: list[tuple[str, Comparison]] = []
    for number, metric in enumerate(common[:MOST_METRICS]):
        table, cases, elsewhere = case_values(shown, metric)
        if elsewhere:
            text = f"{metric}: {elsewhere} cases are not in every variant and are not compared."
            blocks.append(Note(text, "warning"))
        if not len(table):
            blocks.append(Note(f"{metric} not compared: no case is in every variant.", "absent"))
            continue
        names = [one.name for one in shown]
        groups = [patients.get(case, case) for case in cases] if patients else None
        infinite = int((~np.isfinite(table)).any(axis=1).sum())
        if infinite:
            text = (
                f"{metric} has no test of means: {infinite} of {len(cases)} cases count as "
                "infinite in a variant. In the ranking such a case is last."
            )
            blocks.append(Note(text, "absent"))
        else:
            made = compare_systems(table, names, seed=SEED, groups=groups, resamples=RESAMPLES)
            rows += [(metric, one) for one in made]
        blocks.append(_ranking(table, names, metric, f"segmentation_ranking{number}", groups))
    if rows:
        blocks.insert(2, _table(rows))
    if not common:
        blocks.append(Note("Not compared: no metric is in every variant.", "absent"))
    return blocks


def case_values(found: Sequence[Variant], metric: str) -> tuple[Any, list[str], int]:
    """Values (case, variant) of cases that are in every variant, those cases, and how many are not.

    By case the mean over labels that count in any variant; where all leave a label out it is none.
    A variant in which the case failed has the worst in every label of the others.
    """
    import pandas as pd

    columns = [pivot(one.of(metric), "counted")[metric] for one in found]
    wide = pd.concat(columns, axis=1, keys=range(len(found)))
    kept = _filled(_known_slices(wide[wide.notna().any(axis=1)]), found, metric)
    # A row that one variant never heard of is no left-out label: its case is elsewhere.
    subjects = [set(one.subjects) for one in found]
    common = set.intersection(*subjects)
    elsewhere = len(set.union(*subjects)) - len(common)
    kept = kept[kept.index.get_level_values("subject").isin(common)]
    means = kept.groupby(level="subject", sort=True).mean()
    return means.to_numpy(float), [str(name) for name in means.index], elsewhere


def _filled(wide: Any, found: Sequence[Variant], metric: str) -> Any:
    """What a variant left out counts as the best, and where its case failed as the worst."""
    subjects = wide.index.get_level_values("subject")
    worst = worst_value(parse_metric(metric), math.inf)
    for place, one in enumerate(found):
        lost = subjects.isin(one.failed)
        wide[place] = wide[place].fillna(best_of(metric)).where(~(wide[place].isna() & lost), worst)
    return wide


def _known_slices(wide: Any) -> Any:
    """Without the stand-in of a case whose slices one variant does not know and another does."""
    if "slice" not in wide.index.names:
        return wide
    known = wide.index.get_level_values("slice") >= 0
    subjects = wide.index.get_level_values("subject")
    return wide[known | ~subjects.isin(subjects[known])]


def _ranking(
    table: Any, names: list[str], metric: str, name: str, groups: Sequence[str] | None
) -> Block:
    finite = np.where(np.isfinite(table), table, np.nan)
    better = parse_metric(metric).better
    found = ranking_stability(
        finite,
        names,
        better="higher" if better == "higher" else "lower",
        seed=SEED,
        groups=groups,
    )
    return ranking_plot(name, found, f"Ranking stability, {metric}")


def _table(rows: Sequence[tuple[str, Comparison]]) -> Table:
    adjusted = adjusted_p_values([one.test.p for _, one in rows], "holm")
    columns = (
        Column("metric", "Metric", "code"),
        Column("first", "First"),
        Column("second", "Second"),
        Column("n", "n", "integer", "pairs tested"),
        Column("difference", "Mean difference", "number", "first - second"),
        Column("interval", "95 % interval", "ends3", "BCa"),
        Column("p", "p", "p", "signed-rank"),
        Column("adjusted", "p adjusted", "p", "Holm, all rows"),
        Column("dz", "d_z", "number", "Cohen"),
        Column("biserial", "r", "number", "rank-biserial"),
        Column("why", "Remark"),
    )
    made = [_row(metric, one, float(p)) for (metric, one), p in zip(rows, adjusted, strict=True)]
    return Table("segmentation_compared", "Pairs of variants on the same cases", columns, made)


def _row(metric: str, one: Comparison, adjusted: float) -> dict[str, Any]:
    effects = {effect.effect: effect.value for effect in one.effects}
    reasons = (one.test.reason, one.difference.reason)
    bounded = not math.isnan(one.difference.low)
    return {
        "metric": metric,
        "first": one.first,
        "second": one.second,
        "n": one.test.n,
        "difference": one.difference.estimate,
        "interval": [one.difference.low, one.difference.high] if bounded else None,
        "p": one.test.p,
        "adjusted": adjusted,
        "dz": effects["Cohen's d_z"],
        "biserial": effects["matched rank-biserial"],
        "why": "; ".join(dict.fromkeys(reason for reason in reasons if reason)),
    }
